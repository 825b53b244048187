"""Lines made by the rules alone, and what proves each of them: its PDF's text and its calculation (INV-1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.render_pdf import render_pdf
from candela_server.billing.rules.document_texts import invoice_texts
from candela_server.billing.rules.invoice_lines import BilledPeriod
from candela_server.billing.rules.late_usage import LatePeriod, adjustment_of
from candela_server.billing.rules.line_workings import workings_of
from candela_server.billing.rules.rate_invoice import InvoiceToRate, rate
from candela_server.catalog.price import (
    Charge,
    Component,
    ComponentKind,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    Price,
    Tier,
    VolumeCharge,
)
from candela_server.kernel.money import Money, exact

from tests.helpers.accountant import recompute
from tests.helpers.builders import EPOCH, component, grant, offer
from tests.helpers.invoices import invoice

D = Decimal
CENT = D("0.01")
NOTHING, SEVEN = D(0), D(7)
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


def calls(charge: Charge) -> Component:
    """A component of usage."""
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
    """The first component's period, in which so much was used or is held, and what credit covers of it."""
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


def steps(line: InvoiceLine) -> list[str]:
    """How a line says it is computed."""
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


def late_of(price: Price, before: Decimal, after: Decimal, covered: Decimal) -> InvoiceLine | None:
    """What late usage adds to a line of so much, when all of it is so much more; None where nothing was billed."""

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
