"""The lines of a period, as an accountant would write them (DSL-7, DSL-9, CRD-7, INV-8)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.billing.rules.invoice_lines import BilledPeriod, charge_of
from candela_server.catalog.price import (
    ComponentKind,
    GraduatedCharge,
    PackageCharge,
    SeatTerms,
    Tier,
)

from tests.helpers.builders import billed, component, grant

D = Decimal
SEAT = component(ComponentKind.PER_UNIT, "30", name="Seat", seats=SeatTerms(minimum_seats=1))
PREMIUM = component(ComponentKind.USAGE, "0.20", name="Premium messages")


def lines_of(period: BilledPeriod) -> list[InvoiceLine]:
    charged = charge_of(period)
    assert charged is not None
    return charged.lines


@pytest.mark.spec("DSL-9", "DSL-6")
def test_five_seats__cost_five_times_the_price() -> None:
    [got] = lines_of(billed(SEAT, held="5"))

    assert (got.kind, got.quantity, got.amount) == (LineKind.RECURRING, D(5), D("150.00"))
    assert got.description == "Seat × 5, 31 Jan – 28 Feb 2026"


@pytest.mark.spec("DSL-6")
def test_included_seats__cost_nothing() -> None:
    seats = component(ComponentKind.PER_UNIT, "30", seats=SeatTerms(included_seats=3))

    assert lines_of(billed(seats, held="5"))[0].amount == D("60.00")  # (5 − 3) × 30.00
    assert lines_of(billed(seats, held="2"))[0].amount == 0


@pytest.mark.spec("DSL-9", "DSL-7", "CRD-7")
def test_usage_beyond_credits__is_charged_gross_with_a_negative_line() -> None:
    usage, credit = lines_of(billed(PREMIUM, used="1365", grants=(grant("g", balance="500"),)))

    assert (usage.kind, usage.amount) == (LineKind.USAGE, D("273.00"))  # 1365 × 0.20
    assert (credit.kind, credit.amount) == (LineKind.USAGE_CREDIT, D("-100.00"))  # −500 × 0.20
    assert credit.source_line_id == usage.id
    assert [(one.grant_id, one.amount) for one in credit.draws] == [("g", D(500))]


@pytest.mark.spec("CRD-7")
def test_usage_within_credits__costs_nothing_and_draws_what_was_used() -> None:
    usage, credit = lines_of(billed(PREMIUM, used="200", grants=(grant("g", balance="500"),)))

    assert usage.amount + credit.amount == 0
    assert [one.amount for one in credit.draws] == [D(200)]


@pytest.mark.spec("CRD-7")
def test_credit_that_is_not_billing_visible__is_taken_off_inside_the_usage_line() -> None:
    hidden = grant("g", balance="500", billing_visible=False)
    [got] = lines_of(billed(PREMIUM, used="1365", grants=(hidden,)))

    assert got.amount == D("173.00")  # (1365 − 500) × 0.20
    assert [one.amount for one in got.draws] == [D(500)]


@pytest.mark.spec("CRD-7", "DSL-3")
def test_tiered_usage_with_credits__costs_what_the_rest_costs() -> None:
    tiers = (Tier(up_to=D(1000), unit_price=D("0.10")), Tier(up_to=None, unit_price=D("0.05")))
    tiered = component(ComponentKind.USAGE, GraduatedCharge(tiers=tiers))
    usage, credit = lines_of(billed(tiered, used="1500", grants=(grant("g", balance="600"),)))

    assert usage.amount == D("125.00")  # 1000 × 0.10 + 500 × 0.05
    assert usage.amount + credit.amount == D("90.00")  # 900 × 0.10


@pytest.mark.spec("CRD-7", "INV-8")
def test_credits_that_leave_part_of_a_cent__cost_with_their_usage_what_the_rest_costs() -> None:
    fine = component(ComponentKind.USAGE, "0.0123")
    usage, credit = lines_of(billed(fine, used="401", grants=(grant("g", balance="333"),)))

    assert usage.amount == D("4.93")  # 401 × 0.0123 = 4.9323
    # 68 × 0.0123 = 0.8364 is left. −333 × 0.0123 = −4.0959 rounded by itself would leave 0.83.
    assert credit.amount == D("-4.09")
    assert usage.amount + credit.amount == D("0.84")


@pytest.mark.spec("CRD-7", "DSL-3")
def test_package_with_credits__rounds_up_what_the_credits_leave() -> None:
    blocks = component(ComponentKind.USAGE, PackageCharge(package_size=D(100), package_price=D(7)))
    lines = lines_of(billed(blocks, used="250", grants=(grant("g", balance="60"),)))

    assert sum(line.amount for line in lines) == D("14.00")  # 190 left: two blocks


@pytest.mark.spec("INV-8")
@pytest.mark.parametrize(
    ("currency", "want"),
    [("JPY", "334"), ("USD", "333.50"), ("KWD", "333.500")],
)
def test_line__is_rounded_once_to_the_currencys_minor_unit(currency: str, want: str) -> None:
    calls = component(ComponentKind.USAGE, "0.667")
    [got] = lines_of(billed(calls, used="500", currency=currency))  # 500 × 0.667 = 333.5

    assert got.rated_amount == D("333.5")
    assert str(got.amount) == want or got.amount == D(want)


@pytest.mark.spec("INV-8", "CRD-7")
@given(
    st.decimals(min_value=0, max_value=10**6, places=2),
    st.decimals(min_value=0, max_value=10**6, places=2),
)
def test_lines__add_up_to_the_rated_rest_and_are_never_negative_in_sum(
    used: Decimal, credits: Decimal
) -> None:
    lines = lines_of(billed(PREMIUM, used=str(used), grants=(grant("g", balance=str(credits)),)))

    exact = sum((line.rated_amount for line in lines), D(0))
    assert exact == max(used - credits, D(0)) * D("0.20")
    assert sum(line.amount for line in lines) >= 0
