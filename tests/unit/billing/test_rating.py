"""How a quantity becomes an amount (DSL-3): worked examples, and laws."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.rules.rating.pipeline import rate
from candela_server.catalog.price import (
    Charge,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    Tier,
    VolumeCharge,
)

D = Decimal
# The first 1,000 at 0.10, what is beyond at 0.05
TIERS = (Tier(up_to=D(1000), unit_price=D("0.10")), Tier(up_to=None, unit_price=D("0.05")))
WITH_FEES = (
    Tier(up_to=D(10), unit_price=D(1), flat_fee=D(5)),
    Tier(up_to=None, unit_price=D("0.5"), flat_fee=D(7)),
)
QUANTITIES = st.decimals(min_value=0, max_value=10**9, places=3)


@pytest.mark.spec("DSL-3")
@pytest.mark.parametrize(
    ("charge", "quantity", "want"),
    [
        (Charge(model=FlatCharge(unit_price=D("0.0004"))), "1000", "0.4"),  # not 1000 × 0.00
        (Charge(model=FlatCharge(unit_price=D("0.1"))), "1000", "100"),  # not 99.9999999999986
        (Charge(model=GraduatedCharge(tiers=TIERS)), "1000", "100"),  # the bound is in the tier
        (Charge(model=GraduatedCharge(tiers=TIERS)), "1500", "125"),  # 1000×0.10 + 500×0.05
        (Charge(model=VolumeCharge(tiers=TIERS)), "1000", "100"),
        (Charge(model=VolumeCharge(tiers=TIERS)), "1001", "50.05"),  # the bill falls
        (Charge(model=VolumeCharge(tiers=TIERS)), "0", "0"),
        (Charge(model=GraduatedCharge(tiers=WITH_FEES)), "0", "0"),  # an untouched fee is not due
        (Charge(model=GraduatedCharge(tiers=WITH_FEES)), "10", "15"),  # 10×1 + 5
        (Charge(model=GraduatedCharge(tiers=WITH_FEES)), "12", "23"),  # 15 + 2×0.5 + 7
        (Charge(model=PackageCharge(package_size=D(1000), package_price=D(3))), "1001", "6"),
        (Charge(model=PackageCharge(package_size=D(1000), package_price=D(3))), "1000", "3"),
        (Charge(model=PackageCharge(package_size=D(1000), package_price=D(3))), "0", "0"),
        (Charge(model=FlatCharge(unit_price=D(2)), free_units=D(10)), "12", "4"),  # (12−10)×2
        (Charge(model=FlatCharge(unit_price=D(2)), free_units=D(10)), "5", "0"),
        (Charge(model=FlatCharge(unit_price=D(2)), minimum=D(50)), "3", "50"),
        (Charge(model=FlatCharge(unit_price=D(2)), maximum=D(5)), "3", "5"),
    ],
)
def test_worked_examples(charge: Charge, quantity: str, want: str) -> None:
    assert rate(charge, D(quantity)) == D(want)


@pytest.mark.spec("DSL-3")
@given(QUANTITIES, QUANTITIES)
def test_graduated_amount__never_falls_as_quantity_grows(one: Decimal, other: Decimal) -> None:
    charge = Charge(model=GraduatedCharge(tiers=TIERS))
    less, more = sorted((one, other))

    assert rate(charge, less) <= rate(charge, more)


@pytest.mark.spec("DSL-3", "INV-8")
@given(QUANTITIES, QUANTITIES)
def test_quantity_split_in_two_at_a_flat_price__costs_the_same(
    one: Decimal, other: Decimal
) -> None:
    charge = Charge(model=FlatCharge(unit_price=D("0.000000000001")))

    assert rate(charge, one) + rate(charge, other) == rate(charge, one + other)


@pytest.mark.spec("DSL-3")
@given(QUANTITIES)
def test_amount__stays_between_minimum_and_maximum(quantity: Decimal) -> None:
    charge = Charge(model=VolumeCharge(tiers=TIERS), minimum=D(10), maximum=D(90))

    assert D(10) <= rate(charge, quantity) <= D(90)
