"""What may be sold, what is free, what is shown (CAT-6, DSL-3, DSL-8)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.price import (
    Charge,
    ComponentKind,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    SeatTerms,
    Tier,
    VolumeCharge,
)
from candela_server.catalog.rules.display_amount import display_amounts
from candela_server.catalog.rules.free_plan import is_free, plan_is_free
from candela_server.catalog.rules.price_shape import check_tiers
from candela_server.catalog.terms_json import charge_from_json, charge_to_json

from tests.helpers.builders import component, price

D = Decimal
AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=12)


def tier(up_to: str | None, unit: str, fee: str = "0") -> Tier:
    return Tier(up_to=None if up_to is None else D(up_to), unit_price=D(unit), flat_fee=D(fee))


@pytest.mark.spec("CAT-6")
@pytest.mark.parametrize(
    ("model", "free"),
    [
        ("0", True),
        ("0.000000000001", False),
        (GraduatedCharge(tiers=(tier("10", "0"), tier(None, "0"))), True),
        (GraduatedCharge(tiers=(tier("10", "0"), tier(None, "0.01"))), False),
        (VolumeCharge(tiers=(tier(None, "0", "5"),)), False),
        (PackageCharge(package_size=D(10), package_price=D(0)), True),
    ],
)
def test_usage_component__is_free_only_if_nothing_can_ever_cost(model: object, free: bool) -> None:
    assert is_free(price(component(ComponentKind.USAGE, model))) is free  # type: ignore[arg-type]


@pytest.mark.spec("CAT-6")
def test_plan_without_a_price__is_not_free() -> None:
    assert not plan_is_free([])
    assert plan_is_free([price(component(ComponentKind.FIXED, "0"))])


@pytest.mark.spec("DSL-8")
def test_seats_and_a_yearly_fee__are_shown_by_what_they_are_for() -> None:
    shown = display_amounts(
        price(
            component(ComponentKind.PER_UNIT, "30", seats=SeatTerms()),
            component(ComponentKind.FIXED, "500", rule="FREQ=YEARLY", position=1),
            component(ComponentKind.FIXED, "20", position=2),
            component(ComponentKind.USAGE, "0.02", position=3),
        )
    )

    assert [(one.amount.amount, one.per) for one in shown] == [
        (D(30), "month per seat"),
        (D(500), "year"),
        (D(20), "month"),
    ]


@pytest.mark.spec("DSL-3")
@pytest.mark.parametrize(
    "tiers",
    [
        [],
        [tier("10", "1")],
        [tier(None, "1"), tier(None, "2")],
        [tier("10", "1"), tier("10", "2"), tier(None, "3")],
        [tier("10", "1"), tier("5", "2"), tier(None, "3")],
    ],
    ids=["none", "last not open", "two open", "empty tier", "overlap"],
)
def test_tiers_with_gaps_or_overlaps__are_refused(tiers: list[Tier]) -> None:
    with pytest.raises(ValueError, match="tier"):
        check_tiers(tiers)


@pytest.mark.spec("DSL-3")
@given(AMOUNTS, AMOUNTS, st.none() | AMOUNTS)
def test_charge_stored_and_read__is_the_same(unit: D, free: D, minimum: D | None) -> None:
    for model in (
        FlatCharge(unit_price=unit),
        VolumeCharge(tiers=(tier("1", str(free)), tier(None, str(unit)))),
        PackageCharge(package_size=D(7), package_price=unit),
    ):
        charge = Charge(model=model, free_units=free, minimum=minimum)
        assert charge_from_json(charge_to_json(charge)) == charge
