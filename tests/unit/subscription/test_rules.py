"""Which states follow which, and what is billed when (SUB-7, DSL-2, DSL-5)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from candela_server.catalog.price import ComponentId, ComponentKind, SeatTerms
from candela_server.subscription.model import (
    ScheduledPeriod,
    Status,
    SubscriptionId,
    TransitionRefusedError,
)
from candela_server.subscription.rules.lifecycle import FOLLOWS, check_change_of_status
from candela_server.subscription.rules.schedule import scheduled_period
from candela_server.subscription.rules.seats import seats_held

from tests.helpers.builders import FEBRUARY, NEW_YORK, component, price

PAIRS = [(before, after) for before in Status for after in Status]


@pytest.mark.spec("SUB-7")
@pytest.mark.parametrize(("before", "after"), PAIRS, ids=lambda status: str(status))
def test_transition_outside_the_table__is_refused_naming_both(
    before: Status, after: Status
) -> None:
    if after in FOLLOWS[before]:
        check_change_of_status(before, after)
        return
    with pytest.raises(TransitionRefusedError) as caught:
        check_change_of_status(before, after)
    assert dict(caught.value.metadata) == {"from": before, "to": after}


def scheduled(kind: ComponentKind, number: int) -> ScheduledPeriod:
    return scheduled_period(
        component(kind, "1"),
        number,
        subscription_id=SubscriptionId("sub_1"),
        anchor_at=FEBRUARY.start_at,
        time_zone=NEW_YORK,
        test_clock_id=None,
    )


@pytest.mark.spec("DSL-2")
def test_advance_is_due_at_the_start_and_arrears_at_the_end() -> None:
    assert scheduled(ComponentKind.PER_UNIT, 0).due_at == FEBRUARY.start_at
    assert scheduled(ComponentKind.USAGE, 0).due_at == FEBRUARY.end_at


@pytest.mark.spec("DSL-5")
def test_year_from_31_january_in_new_york__keeps_the_local_hour_and_returns_to_the_31st() -> None:
    starts = [scheduled(ComponentKind.PER_UNIT, number).due_at for number in range(5)]

    # 10:00 local: 15:00Z in winter, 14:00Z from 8 March
    assert starts == [
        datetime(2026, 1, 31, 15, tzinfo=UTC),
        datetime(2026, 2, 28, 15, tzinfo=UTC),
        datetime(2026, 3, 31, 14, tzinfo=UTC),
        datetime(2026, 4, 30, 14, tzinfo=UTC),
        datetime(2026, 5, 31, 14, tzinfo=UTC),
    ]


@pytest.mark.spec("DSL-9")
@pytest.mark.parametrize(
    ("terms", "seats"),
    [(SeatTerms(minimum_seats=1), "5"), (None, "7.5")],
    ids=["terms", "no terms"],
)
def test_gigabytes_beside_seats__are_no_seats_unless_nothing_says_what_seats_are(
    terms: SeatTerms | None, seats: str
) -> None:
    sold = price(
        component(ComponentKind.PER_UNIT, "30", position=0, seats=terms),
        component(ComponentKind.PER_UNIT, "1", position=1),
        component(ComponentKind.USAGE, "0.20", position=2),
    )
    held = {ComponentId("comp_0"): Decimal(5), ComponentId("comp_1"): Decimal("2.5")}

    assert seats_held(sold, held) == Decimal(seats)
