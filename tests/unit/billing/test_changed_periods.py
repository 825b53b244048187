"""What the days of a changed period cost: laws, and the vectors with their arithmetic (SEAT-1, SUB-6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.rules.changed_periods import (
    State,
    cost_of_days,
    days_of,
    difference,
    held_at_start,
)
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days

ZONES = ("UTC", "America/New_York", "Pacific/Auckland")
APRIL = Interval(datetime(2026, 4, 1, 15, tzinfo=UTC), datetime(2026, 5, 1, 15, tzinfo=UTC))


def usd(amount: str) -> Money:
    return Money(currency="USD", amount=Decimal(amount))


def state(
    since: datetime, cost: str, *, prorated: bool = True, held: object | None = "cost"
) -> State:
    return State(
        since=since, held=cost if held == "cost" else held, cost=usd(cost), prorated=prorated
    )


def april(day: int, hour: int = 15) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def due(states: list[State], billed: str, credited: str = "0", period: Interval = APRIL) -> Money:
    return difference(
        states,
        period=period,
        time_zone="UTC",
        billed=usd(billed),
        credited=usd(credited),
    )


@pytest.mark.spec("SEAT-1")
@pytest.mark.parametrize(
    ("states", "billed", "want"),
    [
        # 20 of 30 days: −20.00 × 20 ÷ 30
        ([state(april(1), "20"), state(april(11), "0", held=None)], "20", "-13.33"),
        # 50.00 × 20 ÷ 30, nothing before
        ([state(april(1), "0", held=None), state(april(11), "50")], "0", "33.33"),
        # 30.00 × 15 ÷ 30 + 50.00 × 15 ÷ 30 − 30.00
        ([state(april(1), "30"), state(april(16), "50")], "30", "10.00"),
        # the change day belongs to the new state, the last of the day counts
        (
            [state(april(1), "30"), state(april(16, 16), "90"), state(april(16, 20), "30")],
            "30",
            "0",
        ),
        # on the first day: all of it
        ([state(april(1), "20"), state(april(1, 16), "50")], "20", "30.00"),
        # on the last civil day, which the next period begins with: nothing is left
        ([state(april(1), "20"), state(datetime(2026, 5, 1, 9, tzinfo=UTC), "50")], "20", "0"),
        # not prorated: as before until the next change that is
        ([state(april(1), "20"), state(april(11), "50", prorated=False)], "20", "0"),
        (
            [
                state(april(1), "20"),
                state(april(11), "50", prorated=False),
                state(april(21), "80"),
            ],
            "20",
            # 20 days at 20.00, 10 days at 80.00: 13.33 + 26.67 − 20.00
            "20.00",
        ),
        # what did not change what is held goes on as it was, prorated or not
        (
            [
                state(april(1), "20"),
                state(april(11), "50", prorated=False),
                state(april(21), "50"),
            ],
            "20",
            "0",
        ),
    ],
    ids=[
        "left",
        "joined",
        "more seats",
        "undone on the day",
        "on the first day",
        "on the last day",
        "without proration",
        "with proration later",
        "nothing more",
    ],
)
def test_difference__is_what_the_days_cost_less_what_was_billed(
    states: list[State], billed: str, want: str
) -> None:
    assert due(states, billed) == usd(want)


@pytest.mark.spec("SEAT-1", "INV-6")
def test_line_that_a_credit_note_took_back__gives_nothing_twice() -> None:
    states = [state(april(1), "20"), state(april(11), "0", held=None)]

    # −13.33 is due back, but only 5.00 is left of 20.00
    assert due(states, "20", credited="15") == usd("-5")
    assert due(states, "20", credited="20") == usd("0")


@pytest.mark.spec("SEAT-1")
def test_quarter_joined_on_20_may_and_left_on_21_june__costs_32_of_91_days() -> None:
    quarter = Interval(datetime(2024, 4, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC))
    states = [
        State(since=datetime(2024, 5, 20, tzinfo=UTC), held=1, cost=usd("910")),
        State(since=datetime(2024, 6, 21, tzinfo=UTC), held=None, cost=usd("0")),
    ]

    # 910.00 ÷ 91 is 10.00 a day
    assert due(states, "0", period=quarter) == usd("320")
    assert not held_at_start(states, quarter)


costs = st.integers(0, 100_000).map(lambda cents: f"{Decimal(cents).scaleb(-2)}")
moments = st.integers(-5 * 24, 40 * 24).map(lambda hours: APRIL.start_at + timedelta(hours=hours))
histories = st.lists(st.tuples(moments, costs, st.booleans()), min_size=1, max_size=8).map(
    lambda drawn: [
        state(since, cost, prorated=prorated)
        for since, cost, prorated in sorted(drawn, key=lambda one: one[0])
    ]
)


@pytest.mark.spec("SEAT-1", "SUB-6")
@given(states=histories, at=moments, cost=costs, zone=st.sampled_from(ZONES))
def test_law_change_and_its_undo_on_one_instant__cost_nothing(
    states: list[State], at: datetime, cost: str, zone: str
) -> None:
    before = [one for one in states if one.since <= at]
    if not before:
        return
    undone = [state(at, cost), State(since=at, held=before[-1].held, cost=before[-1].cost)]
    changed = sorted([*before, *undone], key=lambda one: one.since)
    days = civil_days(APRIL, zone)

    was = cost_of_days(days_of(before, APRIL, zone), days, "USD")
    if all(one.prorated for one in before):
        assert cost_of_days(days_of(changed, APRIL, zone), days, "USD") == was


@pytest.mark.spec("SEAT-1", "SUB-6")
@given(states=histories, zone=st.sampled_from(ZONES))
def test_law_days_add_up_and_cost_no_more_than_the_dearest_state(
    states: list[State], zone: str
) -> None:
    days = days_of(states, APRIL, zone)
    whole = civil_days(APRIL, zone)

    assert sum(one.count for one in days) == whole == 30
    cost = cost_of_days(days, whole, "USD")
    assert usd("0") <= cost <= max(one.cost for one in states)


@pytest.mark.spec("SEAT-1", "SUB-6")
@given(states=histories, cut=st.integers(0, 8))
def test_law_looking_twice__bills_as_much_as_looking_once(states: list[State], cut: int) -> None:
    once = due(states, "0")
    early = due(states[: cut or 1], "0")
    late = due(states, f"{early.amount}")

    assert early + late == once
    assert due(states, f"{once.amount}").is_zero
