"""Each line of an invoice says how it is computed: worked examples (INV-1, DSL-3)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from candela_server.billing.line_json import draws_from_json, draws_to_json
from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.rules.late_usage import LatePeriod, adjustment_of, within_total
from candela_server.billing.rules.rate_invoice import InvoiceToRate, rate
from candela_server.catalog.price import Charge, ComponentKind
from candela_server.kernel.money import Money

from tests.helpers.builders import EPOCH, component, grant, offer
from tests.helpers.builders import price as price_of
from tests.helpers.recomputing import (
    MODELS,
    calls,
    check_by_fields,
    check_by_text,
    late_of,
    period_of,
    steps,
)

D = Decimal


def lines_of(
    charge: Charge, used: str, *, covered: str = "0", visible: bool = True, events: str = "7"
) -> list[InvoiceLine]:
    price = price_of(calls(charge))
    billed = period_of(price, D(used), covered=D(covered), visible=visible, events=D(events))
    return rate(
        InvoiceToRate(offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[billed])
    )


@pytest.mark.spec("INV-1", "DSL-3")
@pytest.mark.parametrize(
    ("charge", "used", "want"),
    [
        (Charge(model=MODELS[0]), "1000", []),
        (
            Charge(model=MODELS[0], free_units=D(100)),
            "1000",
            ["1,000 − 100 of 100 free = 900", "900 × 0.125 = 112.50"],
        ),
        (
            Charge(model=MODELS[0], free_units=D(100)),
            "30",
            ["30 − 30 of 100 free = 0", "0 × 0.125 = 0.00"],
        ),
        (
            Charge(model=MODELS[0], minimum=D(45)),
            "100",
            ["100 × 0.125 = 12.50", "minimum 45.00, instead of 12.50"],
        ),
        (
            Charge(model=MODELS[0], maximum=D(45)),
            "1000",
            ["1,000 × 0.125 = 125.00", "maximum 45.00, instead of 125.00"],
        ),
        (
            Charge(model=MODELS[1]),
            "1500",
            [
                "up to 1,000: 1,000 × 0.10 = 100.00",
                "beyond: 500 × 0.05 + 2.00 = 27.00",
                "100.00 + 27.00 = 127.00",
            ],
        ),
        (Charge(model=MODELS[2]), "1500", ["beyond: 1,500 × 0.05 + 2.00 = 77.00"]),
        (Charge(model=MODELS[3]), "1500", ["blocks of 80: 19 × 7.77 = 147.63"]),
        (
            Charge(model=MODELS[4]),
            "1000",
            ["2.9 % of 1,000 = 29.00", "7 events × 0.30 = 2.10", "29.00 + 2.10 = 31.10"],
        ),
    ],
)
def test_line__says_how_it_is_computed(charge: Charge, used: str, want: list[str]) -> None:
    lines = lines_of(charge, used)

    assert [steps(line) for line in lines] == [want]
    check_by_text(lines)


@pytest.mark.spec("INV-1", "CRD-7")
def test_credits__show_what_they_leave_and_what_that_costs() -> None:
    usage, credit = lines_of(Charge(model=MODELS[1]), "1500", covered="600")

    assert steps(credit) == [
        "1,500 − 600 paid by credits = 900",
        "up to 1,000: 900 × 0.10 = 90.00",
        "90.00 − 127.00 billed with the usage = −37.00",
    ]
    check_by_text([usage, credit])


@pytest.mark.spec("INV-1", "CRD-7")
def test_credits_inside_of_a_line__are_taken_off_its_quantity() -> None:
    [line] = lines_of(Charge(model=MODELS[0], free_units=D(10)), "150", covered="50", visible=False)

    assert steps(line) == ["150 − 50 paid by credits − 10 of 10 free = 90", "90 × 0.125 = 11.25"]
    check_by_text([line])


@pytest.mark.spec("INV-1", "DSL-2")
def test_short_first_period__shows_its_share_of_days() -> None:
    one = replace(
        component(ComponentKind.FIXED, "28"), recurrence_rule="FREQ=MONTHLY;BYMONTHDAY=28"
    )
    price = price_of(one)
    lines = rate(
        InvoiceToRate(
            offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[period_of(price, D(1))]
        )
    )

    [line] = lines
    made = line.calculation
    assert made is not None
    assert made.days < made.whole_days
    assert steps(line)[-1].startswith(f"28.00 × {made.days} / {made.whole_days} days = ")
    check_by_text(lines)
    check_by_fields(line)


@pytest.mark.spec("INV-1", "EVT-9")
def test_late_usage__shows_what_all_of_the_period_costs_and_what_was_billed() -> None:
    late = late_of(price_of(calls(Charge(model=MODELS[1]))), D(900), D(1500), D(0))

    assert late is not None
    assert steps(late) == [
        "up to 1,000: 1,000 × 0.10 = 100.00",
        "beyond: 500 × 0.05 + 2.00 = 27.00",
        "100.00 + 27.00 = 127.00",
        "127.00 − 90.00 billed before = 37.00",
    ]
    check_by_text([late])


@pytest.mark.spec("INV-1", "EVT-9")
def test_what_an_invoice_cannot_give_back__is_said_on_its_line() -> None:
    late = late_of(price_of(calls(Charge(model=MODELS[0]))), D(1000), D(200), D(0))
    assert late is not None

    [kept] = within_total([replace(late, kind=LineKind.USAGE, amount=D(30))], [late])

    assert kept.amount == D(-30)
    assert steps(kept)[-2:] == [
        "25.00 − 125.00 billed before = −100.00",
        "−100.00 − −70.00 that comes back besides = −30.00",
    ]
    check_by_text([kept])
    check_by_fields(kept)


@pytest.mark.spec("INV-1", "INV-3", "EVT-9")
def test_draft_that_charges_less_as_it_is_finalized__says_all_that_it_leaves() -> None:
    late = late_of(price_of(calls(Charge(model=MODELS[0]))), D(1000), D(200), D(0))
    assert late is not None
    charged = replace(late, kind=LineKind.USAGE, amount=D(30))
    [drafted] = within_total([charged], [late])

    [kept] = within_total([replace(charged, amount=D(20))], [drafted])

    assert kept.amount == D(-20)
    assert steps(kept)[-1] == "−100.00 − −80.00 that comes back besides = −20.00"
    check_by_fields(kept)


@pytest.mark.spec("CRD-9", "EVT-9")
def test_credit_that_was_sold__says_what_its_part_was_sold_for_and_late_usage_the_rest() -> None:
    price = price_of(calls(Charge(model=MODELS[0])))
    pack = replace(grant("grant_1", balance="300"), cost_basis=Money(currency="USD", amount=D(100)))
    one, more = (
        InvoiceToRate(
            offer=offer(price),
            anchor_at=EPOCH,
            time_zone="UTC",
            periods=[replace(period_of(price, used), grants=(pack,))],
        )
        for used in (D(200), D(50))
    )

    billed = rate(one)
    late = adjustment_of(LatePeriod(line_id=LineId("late"), invoice=more, billed=billed))

    assert late is not None
    [first], [back] = billed[1].draws, late.draws
    # 200 of 300 for 100.00 are 66.67; all but 50 of them come back
    assert (first.amount, first.cost_basis) == (200, usd("66.666666666667"))
    assert (back.amount, back.cost_basis) == (-150, usd("-50"))
    assert draws_from_json(draws_to_json(billed[1].draws)) == billed[1].draws


def usd(amount: str) -> Money:
    return Money(currency="USD", amount=D(amount))
