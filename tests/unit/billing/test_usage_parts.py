"""Usage of a period that changes cut into parts (DSL-3, SUB-6): tiers, free units and bounds are the period's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.model import InvoiceLine
from candela_server.billing.rules.rating.pipeline import rated
from candela_server.catalog.price import (
    AmountOff,
    Charge,
    Component,
    ComponentKind,
    Discount,
    DiscountDuration,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    Tier,
    VolumeCharge,
)
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact

from tests.helpers.builders import component, price
from tests.helpers.cutting import CutPeriod, rate_part, total

D = Decimal
CENT = D("0.01")
TIERS = (
    Tier(up_to=D(100), unit_price=D("0.333"), flat_fee=D(1)),
    Tier(up_to=None, unit_price=D("0.1")),
)


def april(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


def calls(charge: Charge) -> Component:
    return replace(component(ComponentKind.USAGE, charge.model), charge=charge)


def bill(one: Component, parts: Sequence[tuple[datetime, datetime, str]]) -> list[InvoiceLine]:
    """The lines of parts of the period, one after the other."""
    cut = CutPeriod(price(one), april(1))
    made: list[InvoiceLine] = []
    for start_at, end_at, used in parts:
        part = Interval(start_at, end_at)
        made += rate_part(cut.price, one, cut, part, used=D(used), earlier=tuple(made))
    return made


@pytest.mark.spec("DSL-3", "SUB-6")
@pytest.mark.parametrize(
    ("used", "want"),
    [
        # one of 30 days of 45.00 is the least that a maximum can be
        ("1000", "1.50"),
        ("1", "1.00"),
        # and the day is the next plan's, so that no minimum is owed for it
        ("0", "0.00"),
    ],
)
def test_usage_within_one_day__has_the_maximum_of_a_day_and_no_minimum(
    used: str, want: str
) -> None:
    charge = Charge(model=FlatCharge(unit_price=D(1)), minimum=D(30), maximum=D(45))

    [line] = bill(calls(charge), [(april(10, 9), april(10, 18), used)])

    assert line.amount == D(want)


@pytest.mark.spec("DSL-3", "SUB-6")
def test_parts_within_one_day__have_the_maximum_of_a_day_together() -> None:
    charge = Charge(model=FlatCharge(unit_price=D(1)), maximum=D(45))
    hours = [(april(10, hour), april(10, hour + 1), "1000") for hour in (9, 12, 15)]

    assert [line.amount for line in bill(calls(charge), hours)] == [D("1.50"), D(0), D(0)]


@pytest.mark.spec("DSL-3", "SUB-6")
@pytest.mark.parametrize(
    ("charge", "want"),
    [
        # 100 free: 50, and 150 of which 50 are free still
        (Charge(model=FlatCharge(unit_price=D(1)), free_units=D(100)), ["0", "100"]),
        # 50 × 0.333 + 1.00; then 50 × 0.333 + 100 × 0.10, the fee of the tier is paid
        (Charge(model=GraduatedCharge(tiers=TIERS)), ["17.65", "26.65"]),
        # 1 block of 80; then 200 are 3 blocks, of which one is paid
        (Charge(model=PackageCharge(package_size=D(80), package_price=D(7))), ["7", "14"]),
        # 10 of 30 days of the minimum; then 40.00 for 20 days, more than 200 × 0.10, of which 20.00 are paid
        (Charge(model=FlatCharge(unit_price=D("0.1")), minimum=D(60)), ["20", "20"]),
    ],
    ids=["free units", "tiers", "packages", "minimum"],
)
def test_part_after_another__costs_what_both_come_to_less_the_first(
    charge: Charge, want: list[str]
) -> None:
    lines = bill(
        calls(charge),
        [(april(1), april(11), "50"), (april(21), datetime(2026, 5, 1, tzinfo=UTC), "150")],
    )

    assert [line.amount for line in lines] == [D(one) for one in want]
    assert lines[1].description == (
        ("Calls × 150 after 50 earlier in the period (minimum), 21 Apr – 30 Apr 2026")
        if charge.minimum
        else "Calls × 150 after 50 earlier in the period, 21 Apr – 30 Apr 2026"
    )
    with exact():
        for line in lines:
            if line.parts:
                assert line.calculation is not None
                assert sum(part.amount for part in line.parts) == line.calculation.model_amount


@pytest.mark.spec("DSL-3", "SUB-6")
def test_cheaper_volume_tier_reached_in_a_later_part__gives_nothing_back() -> None:
    tiers = (Tier(up_to=D(100), unit_price=D(1)), Tier(up_to=None, unit_price=D("0.5")))
    one = calls(Charge(model=VolumeCharge(tiers=tiers)))

    first, second = bill(one, [(april(1), april(11), "100"), (april(21), april(30), "20")])

    # 120 × 0.50 = 60.00 for all of it, less than the 100.00 that are billed
    assert (first.amount, second.amount, second.rated_amount) == (D(100), D(0), D(0))


@pytest.mark.spec("DSL-4", "SUB-6")
def test_amount_off_usage__is_taken_once_from_all_parts() -> None:
    off = Discount(off=AmountOff(amount=D(20)), duration=DiscountDuration.FOREVER)
    one = replace(calls(Charge(model=FlatCharge(unit_price=D(1)))), discounts=(off,))

    lines = bill(one, [(april(1), april(11), "15"), (april(21), april(30), "15")])

    assert [line.amount for line in lines] == [D(0), D(10)]


@pytest.mark.spec("SUB-6")
def test_next_period__begins_with_its_first_tier() -> None:
    one = calls(Charge(model=GraduatedCharge(tiers=TIERS)))
    cut = CutPeriod(price(one), april(1))
    made = rate_part(cut.price, one, cut, Interval(april(1), april(11)), used=D(100))
    cut.number = 1
    [line] = rate_part(cut.price, one, cut, cut.period, used=D(100), earlier=made)

    assert line.amount == made[0].amount == D("34.30")


# ------------------------------------------------------------------------------------------------------------- laws

UNITS = st.decimals(min_value=0, max_value=10**5, places=2)
BOUNDS = st.none() | st.decimals(min_value=1, max_value=10**5, places=2)


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """Any charge of usage of which more never costs less."""
    model = draw(
        st.sampled_from(
            [
                FlatCharge(unit_price=D("0.12")),
                GraduatedCharge(tiers=TIERS),
                PackageCharge(package_size=D(80), package_price=D("7.77")),
                PercentageCharge(percent=D("1.5"), fee_per_event=D("0.25")),
            ]
        )
    )
    least, most = draw(BOUNDS), draw(BOUNDS)
    if least is not None and most is not None:
        least, most = min(least, most), max(least, most)
    return Charge(model=model, free_units=draw(UNITS), minimum=least, maximum=most)


@st.composite
def splits(draw: st.DrawFn) -> list[tuple[datetime, datetime, Decimal]]:
    """Parts that cover April without a gap."""
    inside = sorted(draw(st.sets(st.integers(1, 30 * 24 - 1), max_size=5)))
    borders = [0, *inside, 30 * 24]
    return [
        (april(1) + timedelta(hours=start), april(1) + timedelta(hours=end), draw(UNITS))
        for start, end in pairwise(borders)
    ]


@pytest.mark.spec("DSL-3", "SUB-6", "INV-8")
@given(charges(), splits(), st.integers(0, 5))
def test_law_splitting_a_period__never_changes_what_its_usage_costs_but_for_roundings(
    charge: Charge, parts: list[tuple[datetime, datetime, Decimal]], events: int
) -> None:
    one = calls(charge)
    cut = CutPeriod(price(one), april(1))
    lines: list[InvoiceLine] = []
    for start_at, end_at, used in parts:
        part = Interval(start_at, end_at)
        lines += rate_part(
            cut.price, one, cut, part, used=used, events=D(events), earlier=tuple(lines)
        )
    used = sum((quantity for *_, quantity in parts), D(0))
    whole = rate_part(cut.price, one, cut, cut.period, used=used, events=D(events * len(parts)))

    # A maximum for a part within one day is that of a day, though the day is counted for the next part.
    assert abs(total(lines) - total(whole)) <= CENT * len(parts)
    assert all(line.amount >= 0 for line in lines)


@pytest.mark.spec("DSL-3")
@given(charges(), UNITS, st.integers(0, 29), st.integers(1, 23))
def test_law_usage_of_a_short_part__is_free_only_where_the_whole_periods_is(
    charge: Charge, used: Decimal, day: int, hours: int
) -> None:
    start_at = april(1) + timedelta(days=day)
    [line] = bill(calls(charge), [(start_at, start_at + timedelta(hours=hours), str(used))])

    whole = rated(charge, used).amount
    if whole >= 1 and (charge.maximum is None or charge.maximum >= 1):
        unbounded = rated(replace(charge, minimum=None), used).amount
        assert line.amount > 0 or unbounded < CENT
