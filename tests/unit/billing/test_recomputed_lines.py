"""Each line of an invoice is recomputed from nothing but the text of its PDF, and by its calculation (INV-1, DSL-3)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from candela_server.billing.line_json import (
    calculation_from_json,
    calculation_text,
    draws_from_json,
    draws_to_json,
)
from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.render_pdf import render_pdf
from candela_server.billing.rules.document_texts import invoice_texts
from candela_server.billing.rules.invoice_lines import BilledPeriod
from candela_server.billing.rules.late_usage import LatePeriod, adjustment_of, within_total
from candela_server.billing.rules.line_workings import workings_of
from candela_server.billing.rules.rate_invoice import InvoiceToRate, rate
from candela_server.catalog.price import (
    Charge,
    Component,
    ComponentKind,
    Discount,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    Price,
    Tier,
    VolumeCharge,
)
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, exact

from tests.helpers.accountant import recompute
from tests.helpers.builders import EPOCH, component, grant, offer
from tests.helpers.builders import price as price_of
from tests.helpers.cutting import CutPeriod, rate_part
from tests.helpers.invoices import invoice
from tests.helpers.prices import discounts, prices

D = Decimal
# A document takes some tens of milliseconds: to shrink a failure would take minutes.
NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
# On a machine that does other things, too, drawing any price can take long enough to be taken for a fault.
UNHURRIED = [HealthCheck.too_slow]
CENT = D("0.01")
NOTHING, SEVEN = D(0), D(7)
QUANTITIES = st.decimals(min_value=0, max_value=10**5, places=2)
TIERS = (
    Tier(up_to=D(1000), unit_price=D("0.10")),
    Tier(up_to=None, unit_price=D("0.05"), flat_fee=D(2)),
)
MODELS = [
    FlatCharge(unit_price=D("0.125")),
    GraduatedCharge(tiers=TIERS),
    VolumeCharge(tiers=TIERS),
    PackageCharge(package_size=D(80), package_price=D("7.77")),
    PercentageCharge(percent=D("2.9"), fee_per_event=D("0.30")),
    PercentageCharge(percent=D("2.9")),
]


def april(day: int) -> datetime:
    return datetime(2026, 4, 1, tzinfo=UTC) + timedelta(days=day - 1)


def calls(charge: Charge) -> Component:
    return replace(component(ComponentKind.USAGE, charge.model), charge=charge)


def period_of(
    price: Price,
    used: Decimal,
    *,
    covered: Decimal = NOTHING,
    visible: bool = True,
    events: Decimal = SEVEN,
    number: int = 0,
) -> BilledPeriod:
    one = price.components[0]
    rule = one.recurrence_in("UTC")
    usage = one.kind is ComponentKind.USAGE
    paying = replace(grant("grant_1", balance=str(covered)), billing_visible=visible)
    return BilledPeriod(
        offer=offer(price),
        component=one,
        number=number,
        period=rule.period(EPOCH, number),
        time_zone="UTC",
        held=used,
        used=used if usage else D(0),
        event_count=events if usage else D(0),
        usage_seen_at=None,
        grants=(paying,) if usage and covered else (),
        line_id=LineId("line_usage"),
        credit_line_id=LineId("line_credit"),
        whole=rule.whole_period(EPOCH, number),
    )


def lines_of(
    charge: Charge, used: str, *, covered: str = "0", visible: bool = True, events: str = "7"
) -> list[InvoiceLine]:
    price = price_of(calls(charge))
    billed = period_of(price, D(used), covered=D(covered), visible=visible, events=D(events))
    return rate(
        InvoiceToRate(offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[billed])
    )


def steps(line: InvoiceLine) -> list[str]:
    return workings_of(line, "USD")


def check_by_text(lines: Sequence[InvoiceLine]) -> None:
    """What the PDF's text of each line comes to is what it asks for.

    Numbers that no column is wide enough for are broken, and cannot be put together again by reading.
    """
    for line in lines:
        shown = invoice_texts(invoice(line), from_account=NOTHING)["lines"][0]
        if any("\u200b" in text for text in [shown["unit_price"], *shown["details"]]):
            continue
        asked, computed = recompute(render_pdf(invoice(line)), minor_unit=CENT)
        assert asked == line.amount
        assert computed == asked, (line.description, steps(line))


def check_by_fields(line: InvoiceLine) -> None:
    """What the calculation's fields come to is the line's amount, as the contract says."""
    made = line.calculation
    assert made is not None
    with exact():
        paid = made.earlier_quantity + made.measured - made.covered
        assert made.quantity == max(paid - made.free_units, D(0))
        if made.percent is not None:
            model = made.quantity * made.percent / 100
            model += made.event_count * (made.fee_per_event or D(0))
        elif line.unit_amount is not None:
            model = made.quantity * line.unit_amount
        else:
            model = sum((part.amount for part in line.parts), D(0))
        assert model == made.model_amount
        cost = model if made.bound_amount is None else made.bound_amount
        cost -= made.earlier_amount
        money = Money(currency="USD", amount=cost)
        if line.kind is LineKind.RECURRING and made.days != made.whole_days:
            rounded = money.share(made.days, made.whole_days).amount
        else:
            rounded = money.rounded().amount
        taken = sum((one.amount for one in line.discounts), D(0))
        assert line.amount == rounded - made.billed_amount - made.left_amount - taken


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
    late = _late(price_of(calls(Charge(model=MODELS[1]))), D(900), D(1500), D(0))

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
    late = _late(price_of(calls(Charge(model=MODELS[0]))), D(1000), D(200), D(0))
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
    late = _late(price_of(calls(Charge(model=MODELS[0]))), D(1000), D(200), D(0))
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


@st.composite
def charges(draw: st.DrawFn) -> Charge:
    """Any charge of usage, with plain numbers."""
    bounds = st.none() | st.decimals(min_value=1, max_value=10**4, places=2)
    least, most = draw(bounds), draw(bounds)
    if least is not None and most is not None:
        least, most = min(least, most), max(least, most)
    return Charge(
        model=draw(st.sampled_from(MODELS)),
        free_units=draw(QUANTITIES),
        minimum=least,
        maximum=most,
    )


@pytest.mark.spec("INV-1", "CRD-7", "DSL-4")
@settings(max_examples=150, phases=NO_SHRINKING, deadline=None, suppress_health_check=UNHURRIED)
@given(charges(), QUANTITIES, QUANTITIES, st.booleans(), st.lists(discounts(), max_size=2))
def test_law_lines_of_plain_numbers__are_recomputed_from_the_text_of_their_pdf(
    charge: Charge, used: Decimal, covered: Decimal, visible: bool, off: list[Discount]
) -> None:
    price = price_of(replace(calls(charge), discounts=tuple(off)))
    billed = period_of(price, used, covered=covered, visible=visible)

    lines = rate(
        InvoiceToRate(offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[billed])
    )

    for line in lines:
        check_by_fields(line)
    check_by_text(lines)


@pytest.mark.spec("INV-1", "INV-8", "DSL-3", "DSL-4")
@settings(max_examples=150, phases=NO_SHRINKING, deadline=None, suppress_health_check=UNHURRIED)
@given(prices(), st.integers(0, 40), QUANTITIES, QUANTITIES, st.booleans())
def test_law_lines_of_any_price__are_recomputed_from_the_text_of_their_pdf(
    price: Price, number: int, quantity: Decimal, covered: Decimal, visible: bool
) -> None:
    price = replace(price, components=price.components[:1], minimum_commitment=None)
    billed = period_of(price, quantity, covered=covered, visible=visible, number=number)
    lines = rate(
        InvoiceToRate(offer=offer(price), anchor_at=EPOCH, time_zone="UTC", periods=[billed])
    )

    for line in lines:
        check_by_fields(line)
    check_by_text(lines)


@pytest.mark.spec("INV-1", "SUB-6")
@settings(max_examples=80, phases=NO_SHRINKING, deadline=None, suppress_health_check=UNHURRIED)
@given(charges(), st.lists(st.tuples(st.integers(1, 29), QUANTITIES), min_size=2, max_size=4))
def test_law_parts_of_a_period__are_recomputed_from_the_text_of_their_pdf(
    charge: Charge, parts: list[tuple[int, Decimal]]
) -> None:
    one = calls(charge)
    cut = CutPeriod(price_of(one), april(1))
    days = sorted({1, *(day for day, _ in parts)})
    made: list[InvoiceLine] = []
    for (start, end), (_, used) in zip(pairwise([*days, 31]), parts, strict=False):
        span = Interval(april(start), april(end))
        made += rate_part(cut.price, one, cut, span, used=used, events=D(3), earlier=tuple(made))

    for line in made:
        check_by_fields(line)
    check_by_text(made)


@pytest.mark.spec("INV-1", "EVT-9")
@settings(max_examples=150, phases=NO_SHRINKING, deadline=None, suppress_health_check=UNHURRIED)
@given(prices(), QUANTITIES, QUANTITIES, QUANTITIES)
def test_law_adjustments__are_recomputed_from_the_text_of_their_pdf(
    price: Price, before: Decimal, after: Decimal, covered: Decimal
) -> None:
    usage = [one for one in price.components if one.kind is ComponentKind.USAGE]
    if not usage:
        return
    price = replace(price, components=tuple(usage[:1]), minimum_commitment=None)
    late = _late(price, before, after, covered)

    if late is not None:
        check_by_fields(late)
        check_by_text([late])


@pytest.mark.spec("INV-1")
@given(prices(), QUANTITIES, QUANTITIES)
def test_law_calculation__is_stored_exactly(
    price: Price, quantity: Decimal, covered: Decimal
) -> None:
    for line in rate(
        InvoiceToRate(
            offer=offer(price),
            anchor_at=EPOCH,
            time_zone="UTC",
            periods=[period_of(price, quantity, covered=covered)],
        )
    ):
        stored = calculation_text(line.calculation)
        assert stored is not None
        assert calculation_from_json(json.loads(stored)) == line.calculation


def _late(price: Price, before: Decimal, after: Decimal, covered: Decimal) -> InvoiceLine | None:
    def invoiced(used: Decimal) -> InvoiceToRate:
        return InvoiceToRate(
            offer=offer(price),
            anchor_at=EPOCH,
            time_zone="UTC",
            periods=[period_of(price, used, covered=covered)],
        )

    billed = rate(invoiced(before))
    if not billed:
        return None
    return adjustment_of(
        LatePeriod(line_id=LineId("line_late"), invoice=invoiced(after), billed=billed)
    )
