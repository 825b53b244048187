"""What changes within a period bill, by the very rules that bill periods: laws, and the arithmetic of some (SEAT-1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from candela_server.billing.model import AppliedDiscount
from candela_server.catalog.price import (
    AmountOff,
    Charge,
    Component,
    ComponentKind,
    Discount,
    DiscountDuration,
    FlatCharge,
    GraduatedCharge,
    PercentOff,
    Price,
    Tier,
    VolumeCharge,
)
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days, local_date

from tests.helpers.builders import component, price
from tests.helpers.cutting import CutPeriod

D = Decimal
ZONES = st.sampled_from(["UTC", "America/New_York", "Pacific/Auckland"])
CENT = D("0.01")
FOREVER = DiscountDuration.FOREVER
FIRST_OF_MONTH = "FREQ=MONTHLY;BYMONTHDAY=1"


def off(amount: str) -> Discount:
    return Discount(off=AmountOff(amount=D(amount)), duration=FOREVER)


def percent(share: str) -> Discount:
    return Discount(off=PercentOff(percent=D(share)), duration=FOREVER)


def seat(amount: str = "10", rule: str = "FREQ=MONTHLY") -> Component:
    return component(ComponentKind.PER_UNIT, amount, name="Seat", rule=rule)


def april(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, tzinfo=UTC)


TEN_OFF = (
    pytest.param(replace(price(seat(rule=FIRST_OF_MONTH)), discounts=(off("10"),)), id="price"),
    pytest.param(price(replace(seat(rule=FIRST_OF_MONTH), discounts=(off("10"),))), id="component"),
)


@pytest.mark.spec("DSL-4", "SEAT-1")
@pytest.mark.parametrize("sold", TEN_OFF)
def test_seats_added_to_a_short_first_period_with_money_off__cost_their_days_alone(
    sold: Price,
) -> None:
    cut = CutPeriod(sold, april(16))

    # 15 of 30 days of 10 seats at 10.00, 10.00 off
    assert cut.begin(D(10)) == D("40.00")
    cut.hold(april(26), D(20))
    # 10 of 15 days at 40.00 and 5 at 100.00 − 10.00 are 56.67; 5 of 30 days of 10 seats are 16.67
    assert cut.settle() == D("16.67")


@pytest.mark.spec("DSL-4", "SEAT-1")
@pytest.mark.parametrize("sold", TEN_OFF)
def test_short_first_period_with_money_off_left_in_its_middle__gives_back_the_share_of_what_was_paid(
    sold: Price,
) -> None:
    cut = CutPeriod(sold, april(16))
    cut.begin(D(10))
    cut.hold(april(26), None)

    # 5 of 15 days of 40.00
    assert cut.settle() == D("-13.33")


@pytest.mark.spec("DSL-4", "SEAT-1")
def test_money_and_percent_off_in_either_order__cost_the_days_what_the_period_cost() -> None:
    for discounts, whole in (
        # (100.00 − 10.00) × 0.90, and 100.00 × 0.90 − 10.00
        ((off("10"), percent("10")), "81.00"),
        ((percent("10"), off("10")), "80.00"),
    ):
        cut = CutPeriod(replace(price(seat()), discounts=discounts), april(1))
        assert cut.begin(D(10)) == D(whole)
        cut.hold(april(16), None)
        assert cut.settle() == -D(whole) / 2


# ------------------------------------------------------------------------------------------------------------- laws

AMOUNTS = st.decimals(min_value=0, max_value=1000, places=2)
SEATS = st.integers(0, 60).map(D)


@st.composite
def sold(draw: st.DrawFn) -> Price:
    """A price of seats by any model, with discounts of both kinds at both places, on short and whole periods."""
    unit = draw(AMOUNTS)
    tiers = (
        Tier(up_to=D(10), unit_price=unit, flat_fee=D(1)),
        Tier(up_to=None, unit_price=draw(AMOUNTS)),
    )
    model = draw(
        st.sampled_from(
            [
                FlatCharge(unit_price=unit),
                GraduatedCharge(tiers=tiers),
                VolumeCharge(tiers=tiers),
            ]
        )
    )
    free = draw(st.sampled_from([D(0), D(3)]))
    discounts = st.lists(
        st.builds(
            Discount,
            off=st.builds(PercentOff, percent=st.integers(1, 99).map(D))
            | st.builds(AmountOff, amount=AMOUNTS),
            duration=st.sampled_from([DiscountDuration.ONCE, FOREVER]),
        ),
        max_size=2,
    ).map(tuple)
    made = replace(
        component(
            ComponentKind.PER_UNIT,
            model,
            rule=draw(
                st.sampled_from(["FREQ=MONTHLY", FIRST_OF_MONTH, "FREQ=YEARLY", "FREQ=WEEKLY"])
            ),
        ),
        charge=Charge(model=model, free_units=free),
        discounts=draw(discounts),
    )
    currency = draw(st.sampled_from(["USD", "JPY", "KWD"]))
    return replace(price(made, currency=currency), discounts=draw(discounts))


ANCHORS = st.integers(0, 60 * 24).map(
    lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
)


def moment(cut: CutPeriod, share: Fraction) -> datetime:
    """An instant within the period, not its first."""
    seconds = int(cut.period.duration.total_seconds() * share)
    return cut.period.start_at + timedelta(seconds=max(seconds, 1))


SHARES = st.fractions(0, 1).filter(lambda share: share < 1)


@pytest.mark.spec("SEAT-1", "SUB-6")
@given(sold(), ANCHORS, st.integers(0, 2), ZONES, SEATS, SEATS, SHARES)
def test_law_change_and_its_undo_on_one_day__cost_nothing(
    one: Price,
    anchor: datetime,
    number: int,
    zone: str,
    before: Decimal,
    after: Decimal,
    at: Fraction,
) -> None:
    cut = CutPeriod(one, anchor, number, zone)
    cut.begin(before)
    cut.hold(moment(cut, at), after)
    cut.hold(moment(cut, at), before)

    assert cut.settle() == 0


@pytest.mark.spec("SEAT-1", "SUB-6")
@given(sold(), ANCHORS, st.integers(0, 2), ZONES, SEATS, SEATS, SHARES)
def test_law_undo_on_the_day_of_a_billed_change__gives_back_what_the_change_cost(
    one: Price,
    anchor: datetime,
    number: int,
    zone: str,
    before: Decimal,
    after: Decimal,
    at: Fraction,
) -> None:
    cut = CutPeriod(one, anchor, number, zone)
    cut.begin(before)
    cut.hold(moment(cut, at), after)
    cost = cut.settle()
    cut.hold(moment(cut, at), before)

    assert cut.settle() == -cost


@pytest.mark.spec("SEAT-1", "INV-8")
@given(sold(), ANCHORS, st.integers(0, 2), ZONES, SEATS, st.lists(SHARES, max_size=5))
def test_law_splitting_a_period_by_versions_that_hold_the_same__changes_nothing(
    one: Price, anchor: datetime, number: int, zone: str, held: Decimal, at: list[Fraction]
) -> None:
    cut = CutPeriod(one, anchor, number, zone)
    whole = cut.begin(held)
    for share in sorted(at):
        cut.hold(moment(cut, share), held)
    assert cut.settle() == 0

    # Let go and taken up on the same day, as often as one likes.
    for _ in at:
        cut.hold(moment(cut, max(at)), None)
        cut.hold(moment(cut, max(at)), held)
    assert cut.settle() == 0
    assert sum(line.amount for line in cut.billed) == whole


@pytest.mark.spec("SEAT-1", "SUB-6", "DSL-4")
@given(sold(), ANCHORS, st.integers(0, 2), ZONES, SEATS, SHARES)
def test_law_what_is_left_in_the_middle__cost_the_days_it_was_held_of_what_was_billed(
    one: Price, anchor: datetime, number: int, zone: str, held: Decimal, at: Fraction
) -> None:
    cut = CutPeriod(one, anchor, number, zone)
    billed = cut.begin(held)
    left_at = moment(cut, at)
    cut.hold(left_at, None)
    back = -cut.settle()

    days = civil_days(cut.period, zone)
    left = (local_date(cut.period.end_at, zone) - local_date(left_at, zone)).days
    if days:
        kept = Money(currency=one.currency, amount=billed).share(days - left, days).amount
        assert back == billed - kept
    assert 0 <= back <= billed


@pytest.mark.spec("SEAT-1", "SUB-6", "INV-8")
@given(
    sold(),
    ANCHORS,
    st.integers(0, 2),
    ZONES,
    SEATS,
    st.lists(st.tuples(SHARES, SEATS | st.none(), st.booleans()), max_size=6),
)
def test_law_any_changes_however_often_billed__come_to_what_billing_once_does(
    one: Price,
    anchor: datetime,
    number: int,
    zone: str,
    held: Decimal,
    changes: list[tuple[Fraction, Decimal | None, bool]],
) -> None:
    often, once = CutPeriod(one, anchor, number, zone), CutPeriod(one, anchor, number, zone)
    assume(civil_days(often.period, zone) > 0)
    often.begin(held)
    once.begin(held)
    for at, quantity, is_billed in sorted(changes, key=lambda change: change[0]):
        for cut in (often, once):
            cut.hold(moment(cut, at), quantity)
        if is_billed:
            often.settle()
    often.settle()
    once.settle()

    got, want = (sum((line.amount for line in cut.billed), D(0)) for cut in (often, once))
    assert got == want >= 0


@pytest.mark.spec("DSL-4")
def test_discount_that_took_less_than_it_might__counts_as_what_it_took() -> None:
    """Another component of the price had a part of the amount."""
    cut = CutPeriod(replace(price(seat()), discounts=(off("30"),)), april(1))
    cut.begin(D(10))
    cut.billed = [
        replace(
            cut.billed[0],
            amount=D("90.00"),
            discounts=(
                AppliedDiscount(name="", percent=None, amount=D(10), of_price=True, position=0),
            ),
        )
    ]
    cut.hold(april(16), D(20))

    # 15 of 30 days at 90.00 and 15 at 190.00
    assert cut.settle() == D("50.00")
