"""Whether and when one subscription moves to another version of its plan (CAT-9)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import (
    Offer,
    PlanVersionId,
    PlanVersionStatus,
    SqlMetric,
)
from candela_server.catalog.price import BillingTiming, Charge, ComponentKind, PercentageCharge
from candela_server.customer.model import CustomerId
from candela_server.subscription.migration import (
    MigrationFilter,
    MigrationTerms,
    MoveTiming,
    Outcome,
    Proration,
)
from candela_server.subscription.model import (
    CollectionMethod,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)
from candela_server.subscription.rules.history import plan_version_of_period
from candela_server.subscription.rules.lifecycle import RUNNING
from candela_server.subscription.rules.move import Decision, Move, decide

from tests.helpers.builders import FEBRUARY, NEW_YORK, component, offer, price

OLD, NEW = PlanVersionId("plv_old"), PlanVersionId("plv_new")
NOW = FEBRUARY.start_at + timedelta(days=10)
FEE = component(ComponentKind.FIXED, "10")
YEARLY = component(ComponentKind.FIXED, "100", position=1, rule="FREQ=YEARLY")


def held(
    status: Status = Status.ACTIVE,
    version_id: PlanVersionId = OLD,
    valid_from: datetime = FEBRUARY.start_at,
) -> Subscription:
    """Begun on 31 January at 10:00 in New York."""
    sold = price(YEARLY, FEE)
    return Subscription(
        id=SubscriptionId("sub_1"),
        customer_id=CustomerId("cus_1"),
        currency="USD",
        anchor_at=FEBRUARY.start_at,
        time_zone=NEW_YORK,
        collection_method=CollectionMethod.SEND_INVOICE,
        metadata={},
        created_at=FEBRUARY.start_at,
        version=SubscriptionVersion(
            number=1,
            status=status,
            plan_id=offer(sold).plan.id,
            plan_version_id=version_id,
            price_id=sold.id,
            quantities={},
            valid_from=valid_from,
            valid_to=None,
            reason="",
            actor="tests",
        ),
    )


def to_new(status: PlanVersionStatus = PlanVersionStatus.PUBLISHED) -> Offer:
    sold = offer(price(YEARLY, FEE))
    return replace(sold, version=replace(sold.version, id=NEW, status=status))


def by_sql_with_fees() -> Offer:
    """The new version with a fee for each event of a metric in SQL, which cannot be billed (DSL-3, EVT-6)."""
    fees = PercentageCharge(percent=Decimal(1), fee_per_event=Decimal("0.3"))
    usage = replace(component(ComponentKind.USAGE, "1", position=2), charge=Charge(model=fees))
    made = offer(price(YEARLY, FEE, usage))
    sql = SqlMetric(query="SELECT 1", indexed=False)
    metrics = {one.id: replace(one, sql=sql) for one in made.metrics.values()}
    return replace(to_new(), price=made.price, metrics=metrics)


def terms(
    timing: MoveTiming = MoveTiming.NOW, effective_at: datetime | None = None
) -> MigrationTerms:
    return MigrationTerms(
        from_version_id=OLD,
        to_version_id=NEW,
        filter=MigrationFilter(),
        timing=timing,
        effective_at=effective_at,
        proration=Proration.NONE,
    )


MOVE = Move(held=held(), offer=to_new(), terms=terms(), now=NOW)


@pytest.mark.spec("CAT-9")
@pytest.mark.parametrize(
    ("move", "want"),
    [
        (MOVE, Decision(outcome=Outcome.MOVED, at=NOW)),
        (
            # The shortest of its components' periods, which is the month.
            replace(MOVE, terms=terms(MoveTiming.PERIOD_END)),
            Decision(outcome=Outcome.SCHEDULED, at=FEBRUARY.end_at),
        ),
        (
            replace(MOVE, terms=terms(MoveTiming.PERIOD_END), now=FEBRUARY.start_at - timedelta(1)),
            Decision(outcome=Outcome.SCHEDULED, at=FEBRUARY.start_at),
        ),
        (
            replace(MOVE, terms=terms(MoveTiming.AT, NOW + timedelta(seconds=1))),
            Decision(outcome=Outcome.SCHEDULED, at=NOW + timedelta(seconds=1)),
        ),
        (
            replace(MOVE, terms=terms(MoveTiming.AT, NOW - timedelta(days=1))),
            Decision(outcome=Outcome.MOVED, at=NOW),
        ),
        (
            # Noticed late, it counts from when it was due.
            replace(MOVE, terms=terms(MoveTiming.PERIOD_END), due_at=NOW - timedelta(minutes=1)),
            Decision(outcome=Outcome.MOVED, at=NOW - timedelta(minutes=1)),
        ),
        (
            # Another change came after it was due: history goes on from there.
            replace(MOVE, held=held(valid_from=NOW), due_at=NOW - timedelta(minutes=1)),
            Decision(outcome=Outcome.MOVED, at=NOW),
        ),
    ],
    ids=[
        "now",
        "period end",
        "before it begins",
        "instant ahead",
        "instant that has passed",
        "due a minute ago",
        "changed since it was due",
    ],
)
def test_move_that_nothing_hinders__happens_at_its_instant(move: Move, want: Decision) -> None:
    assert decide(move) == want


@pytest.mark.spec("CAT-9", "CAT-7")
@pytest.mark.parametrize(
    ("move", "word"),
    [
        *(
            (replace(MOVE, held=held(status)), "not_running")
            for status in Status
            if status not in RUNNING
        ),
        (replace(MOVE, held=held(version_id=NEW)), "already_moved"),
        (replace(MOVE, held=held(version_id=PlanVersionId("plv_other"))), "version_changed"),
        (replace(MOVE, waits_for="mig_other"), "change_in_flight"),
        (replace(MOVE, offer=to_new(PlanVersionStatus.ARCHIVED)), "version_not_sold"),
        (replace(MOVE, offer=to_new(PlanVersionStatus.DRAFT)), "version_not_sold"),
        (
            replace(
                MOVE,
                offer=replace(to_new(), price=replace(price(FEE), plan_id="plan_other")),
            ),
            "price_not_of_plan",
        ),
        (replace(MOVE, offer=by_sql_with_fees()), "not_billable"),
    ],
)
def test_hindered_move__fails_with_a_word_and_a_sentence(move: Move, word: str) -> None:
    got = decide(move)

    assert (got.outcome, got.at) == (Outcome.FAILED, None)
    assert got.reason.startswith(f"{word}: ")
    assert len(got.reason) > len(word) + 10


@pytest.mark.spec("CAT-9")
@given(
    st.sampled_from(list(Status)),
    st.sampled_from([OLD, NEW, PlanVersionId("plv_other")]),
    st.sampled_from(list(MoveTiming)),
    st.integers(-400, 400),
    st.one_of(st.none(), st.integers(-400, 400)),
)
def test_any_move__is_made_at_most_once_and_never_before_the_version_that_it_follows(
    status: Status, version_id: PlanVersionId, timing: MoveTiming, hours: int, due: int | None
) -> None:
    effective_at = NOW + timedelta(hours=hours) if timing is MoveTiming.AT else None
    move = Move(
        held=held(status, version_id),
        offer=to_new(),
        terms=terms(timing, effective_at),
        now=NOW,
        due_at=None if due is None else NOW + timedelta(hours=due),
    )
    got = decide(move)

    assert (got.outcome is Outcome.FAILED) == bool(got.reason) == (got.at is None)
    if got.outcome is Outcome.SCHEDULED:
        assert got.at is not None
        assert got.at > NOW
        # When it is due it is made, if nothing has changed.
        assert decide(replace(move, now=got.at, due_at=got.at)).outcome is Outcome.MOVED
    if got.outcome is Outcome.MOVED:
        assert got.at is not None
        assert move.held.version.valid_from <= got.at <= NOW
        after = replace(move.held.version, plan_version_id=NEW, valid_from=got.at, number=2)
        again = decide(replace(move, held=replace(move.held, version=after)))
        assert again.reason.startswith("already_moved: ")


@pytest.mark.spec("SUB-3", "CAT-9")
@pytest.mark.parametrize(
    ("timing", "moved_at", "want"),
    [
        (BillingTiming.IN_ADVANCE, FEBRUARY.start_at, NEW),
        (BillingTiming.IN_ADVANCE, FEBRUARY.start_at + timedelta(seconds=1), OLD),
        (BillingTiming.IN_ARREARS, FEBRUARY.end_at - timedelta(seconds=1), NEW),
        (BillingTiming.IN_ARREARS, FEBRUARY.end_at, OLD),
    ],
)
def test_billed_period__counts_to_the_version_at_the_end_it_is_charged_at(
    timing: BillingTiming, moved_at: datetime, want: PlanVersionId
) -> None:
    begun = datetime(2025, 12, 31, 15, tzinfo=UTC)

    assert plan_version_of_period([(begun, OLD), (moved_at, NEW)], FEBRUARY, timing) == want
