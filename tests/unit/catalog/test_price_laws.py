"""Laws of prices with all their terms (CAT-6, DSL-3, DSL-4, DSL-8, DSL-10)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from candela.catalog.v1 import plan_pb2
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.rules.rating.pipeline import rate
from candela_server.catalog.price import (
    AmountOff,
    Charge,
    ChargeSwitch,
    ComponentKind,
    Discount,
    DiscountDuration,
    FlatCharge,
    MinimumCommitment,
    PercentageCharge,
    PercentOff,
    Price,
    SeatTerms,
    Tier,
    TimeRule,
    VolumeCharge,
)
from candela_server.catalog.price_terms_json import (
    commitment_from_json,
    commitment_to_json,
    discounts_from_json,
    discounts_to_json,
    time_rules_from_json,
    time_rules_to_json,
)
from candela_server.catalog.price_wire import price_from_proto, price_to_proto
from candela_server.catalog.rules.display_amount import display_amounts
from candela_server.catalog.rules.falling_bill import warnings
from candela_server.catalog.rules.free_plan import is_free
from candela_server.catalog.terms_json import charge_from_json, charge_to_json
from candela_server.kernel.money import exact

from tests.helpers.builders import component, price
from tests.helpers.prices import POSITIVE, prices, tiers

D = Decimal
SMALL = st.none() | st.decimals(min_value=0, max_value=1000, places=2)


def volume(*steps: tuple[str | None, str, str]) -> VolumeCharge:
    return VolumeCharge(
        tiers=tuple(
            Tier(up_to=None if up_to is None else D(up_to), unit_price=D(unit), flat_fee=D(fee))
            for up_to, unit, fee in steps
        )
    )


def usage(charge: Charge) -> Price:
    return price(replace(component(ComponentKind.USAGE, "0"), charge=charge))


def off(
    what: PercentOff | AmountOff, duration: DiscountDuration = DiscountDuration.FOREVER
) -> Discount:
    return Discount(off=what, duration=duration)


@pytest.mark.spec("DSL-1", "DSL-3", "DSL-4", "DSL-10")
@given(prices())
def test_price_shown_and_described_again__is_the_same(any_price: Price) -> None:
    shown = price_to_proto(any_price)
    read = price_from_proto(
        plan_pb2.NewPrice(
            name=shown.name,
            currency=shown.currency,
            components=shown.components,
            discounts=shown.discounts,
            minimum_commitment=shown.minimum_commitment
            if shown.HasField("minimum_commitment")
            else None,
        )
    )

    assert (read.discounts, read.minimum_commitment) == (
        any_price.discounts,
        any_price.minimum_commitment,
    )
    for got, want in zip(read.components, any_price.components, strict=True):
        assert got.metric_slug == want.metric_id
        for name in (
            "name",
            "kind",
            "recurrence_rule",
            "own_time_zone",
            "timing",
            "charge",
            "seats",
            "discounts",
            "time_rules",
        ):
            assert getattr(got, name) == getattr(want, name)


@pytest.mark.spec("DSL-4", "DSL-10")
@given(prices())
def test_terms_stored_and_read__are_the_same(any_price: Price) -> None:
    assert discounts_from_json(discounts_to_json(any_price.discounts)) == any_price.discounts
    assert (
        commitment_from_json(commitment_to_json(any_price.minimum_commitment))
        == any_price.minimum_commitment
    )
    for one in any_price.components:
        assert charge_from_json(charge_to_json(one.charge)) == one.charge
        assert discounts_from_json(discounts_to_json(one.discounts)) == one.discounts
        assert time_rules_from_json(time_rules_to_json(one.time_rules)) == one.time_rules


@pytest.mark.spec("DSL-3")
def test_bill_that_falls__is_told_with_both_amounts() -> None:
    # 1000 x 0.10 = 100.00, 1001 x 0.05 = 50.05
    falling = usage(Charge(model=volume(("1000", "0.10", "0"), (None, "0.05", "0"))))

    assert warnings(falling) == [
        "Calls: 1000 units cost 100.00 USD, 1001 only 50.05 USD; graduated tiers never let a bill "
        "fall as usage rises"
    ]


@pytest.mark.spec("DSL-3", "DSL-4")
def test_bill_that_would_fall_from_the_fourth_period_on__is_told_too() -> None:
    falling = Charge(model=volume(("1000", "0.10", "0"), (None, "0.05", "0")))
    calls = replace(
        component(ComponentKind.USAGE, "0.10"), time_rules=(TimeRule(since=3, change=falling),)
    )

    assert len(warnings(price(calls))) == 1


@pytest.mark.spec("DSL-3")
@given(tiers(), st.decimals(min_value=0, max_value=50, places=2), SMALL, SMALL, st.data())
def test_bill_falls_somewhere__exactly_when_it_is_told(
    steps: tuple[Tier, ...], free: D, least: D | None, most: D | None, data: st.DataObject
) -> None:
    charge = Charge(
        model=VolumeCharge(tiers=steps),
        free_units=free,
        minimum=least,
        maximum=None if most is None else max(most, least or D(0)),
    )
    ends = [free + tier.up_to for tier in steps if tier.up_to is not None]
    anywhere = data.draw(st.lists(POSITIVE, max_size=5))
    with exact():
        # Just beyond an end is where a fall shows, if there is one; elsewhere none is found that is not there.
        beyond = [end + D("1e-30") for end in ends]
        bills = [rate(charge, quantity) for quantity in sorted([*ends, *beyond, *anywhere])]
    falls = any(later < earlier for earlier, later in pairwise(bills))

    assert falls == bool(warnings(usage(charge)))


@pytest.mark.spec("DSL-3")
@given(prices())
def test_only_volume_tables__ever_let_a_bill_fall(any_price: Price) -> None:
    told = bool(warnings(any_price))

    assert not told or any(
        isinstance(charge.model, VolumeCharge)
        for one in any_price.components
        for charge in one.charges
    )


@pytest.mark.spec("CAT-6")
@pytest.mark.parametrize(
    ("change", "free"),
    [
        ({}, True),
        (
            {"minimum_commitment": MinimumCommitment(amount=D(1), recurrence_rule="FREQ=YEARLY")},
            False,
        ),
        ({"charge": Charge(model=FlatCharge(unit_price=D(0)), minimum=D(1))}, False),
        ({"charge": Charge(model=PercentageCharge(percent=D(0)))}, True),
        ({"charge": Charge(model=PercentageCharge(percent=D("0.1")))}, False),
        ({"charge": Charge(model=PercentageCharge(percent=D(0), fee_per_event=D("0.1")))}, False),
        ({"charge": Charge(model=volume((None, "0", "5")))}, False),
        (
            {"time_rules": (TimeRule(since=3, change=Charge(model=FlatCharge(unit_price=D(9)))),)},
            False,
        ),
        ({"time_rules": (TimeRule(since=3, change=ChargeSwitch.STOP),)}, True),
        (
            {
                "charge": Charge(model=FlatCharge(unit_price=D(9))),
                "discounts": (off(PercentOff(percent=D(100))),),
            },
            False,
        ),
    ],
    ids=[
        "nothing costs",
        "commitment",
        "minimum",
        "0 percent",
        "some percent",
        "fee per event",
        "flat fee of a tier",
        "costs from the fourth period on",
        "ends",
        "costs, but is given away",
    ],
)
def test_price__is_free_only_if_nothing_ever_costs(change: dict[str, object], free: bool) -> None:
    calls = component(ComponentKind.USAGE, "0")
    whole = {name: value for name, value in change.items() if name == "minimum_commitment"}
    own = {name: value for name, value in change.items() if name not in whole}

    assert is_free(replace(price(replace(calls, **own)), **whole)) is free  # type: ignore[arg-type]


@pytest.mark.spec("CAT-6", "DSL-8")
@given(prices())
def test_free_price__shows_nothing_but_zero(any_price: Price) -> None:
    if is_free(any_price):
        assert all(shown.amount.is_zero for shown in display_amounts(any_price))


@pytest.mark.spec("DSL-8", "DSL-4", "DSL-10")
def test_discounts_for_ever_and_a_commitment__are_shown() -> None:
    fee = replace(
        component(ComponentKind.FIXED, "100"),
        discounts=(
            off(PercentOff(percent=D(10))),  # 90
            off(AmountOff(amount=D(40))),  # 50
            off(PercentOff(percent=D(50)), DiscountDuration.ONCE),  # ends, so not shown
        ),
    )
    seat = replace(
        component(ComponentKind.PER_UNIT, "30", seats=SeatTerms(), position=1),
        discounts=(off(AmountOff(amount=D(5))),),  # off the period, not off a seat
    )
    sold = replace(
        price(fee, seat),
        discounts=(off(PercentOff(percent=D(20))),),
        minimum_commitment=MinimumCommitment(amount=D(500), recurrence_rule="FREQ=YEARLY"),
    )

    assert [(one.amount.amount, one.per) for one in display_amounts(sold)] == [
        (D(40), "month"),  # 50 - 20 %
        (D(24), "month per seat"),  # 30 - 20 %
        (D(500), "year at least"),
    ]


@pytest.mark.spec("DSL-8", "DSL-3")
def test_bounds_of_a_fixed_charge__are_shown_and_thirds_are_cut_to_12_places() -> None:
    fee = replace(
        component(ComponentKind.FIXED, "1"),
        charge=Charge(model=FlatCharge(unit_price=D(1)), minimum=D(2)),
        discounts=(off(PercentOff(percent=D("33.333333333333"))),),
    )

    # 2 x 66.666666666667 %, half-up
    assert [one.amount.amount for one in display_amounts(price(fee))] == [D("1.333333333333")]


@pytest.mark.spec("DSL-8")
@given(prices())
def test_amount_shown__has_at_most_12_places_and_is_never_negative(any_price: Price) -> None:
    for shown in display_amounts(any_price):
        exponent = shown.amount.amount.as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -12
        assert shown.amount.amount >= 0
