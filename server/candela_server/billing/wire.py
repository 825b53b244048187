"""Invoices, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from candela.billing.v1 import invoice_line_pb2, invoice_pb2, invoice_service_pb2
from candela.customer.v1 import customer_pb2

from candela_server.contract.values import (
    interval_to_proto,
    money_to_proto,
    optional_timestamp_to_proto,
    states_from_proto,
    timestamp_to_proto,
)
from candela_server.credit.model import Draw
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import Money, exact, format_decimal
from candela_server.kernel.read_fields import instant, text, typed_id

from .calculation_wire import calculation_to_proto
from .mark_invoice_paid import MarkInvoicePaid
from .model import Invoice, InvoiceId, InvoiceLine, InvoiceStatus, LineKind, RatedPart
from .rules.tax_amount import tax_by_line
from .tax_wire import tax_to_proto

_MAX_REASON_LENGTH = 500
_MAX_REFERENCE_LENGTH = 200

_STATUSES = {
    InvoiceStatus.DRAFT: invoice_pb2.INVOICE_STATUS_DRAFT,
    InvoiceStatus.FINALIZED: invoice_pb2.INVOICE_STATUS_FINALIZED,
    InvoiceStatus.PAID: invoice_pb2.INVOICE_STATUS_PAID,
    InvoiceStatus.VOID: invoice_pb2.INVOICE_STATUS_VOID,
    InvoiceStatus.UNCOLLECTIBLE: invoice_pb2.INVOICE_STATUS_UNCOLLECTIBLE,
}
_KINDS = {
    LineKind.RECURRING: invoice_line_pb2.LINE_KIND_RECURRING,
    LineKind.USAGE: invoice_line_pb2.LINE_KIND_USAGE,
    LineKind.USAGE_CREDIT: invoice_line_pb2.LINE_KIND_USAGE_CREDIT,
    LineKind.PRORATION: invoice_line_pb2.LINE_KIND_PRORATION,
    LineKind.TRUE_UP: invoice_line_pb2.LINE_KIND_TRUE_UP,
    LineKind.ADJUSTMENT: invoice_line_pb2.LINE_KIND_ADJUSTMENT,
    LineKind.MONETARY_CREDIT: invoice_line_pb2.LINE_KIND_MONETARY_CREDIT,
    LineKind.TOP_UP: invoice_line_pb2.LINE_KIND_TOP_UP,
    LineKind.THRESHOLD: invoice_line_pb2.LINE_KIND_THRESHOLD,
}


def invoice_id_from_proto(value: str) -> InvoiceId:
    """An invoice's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return InvoiceId(fields.read("invoice_id", typed_id("inv"), value))


def statuses_from_proto(values: Sequence[int]) -> list[InvoiceStatus]:
    """The states that a list asks for. Raises InvalidInput."""
    return states_from_proto(values, _STATUSES)


def invoice_to_proto(invoice: Invoice) -> invoice_pb2.Invoice:
    """The invoice as the contract shows it."""

    def money(amount: Decimal) -> Any:
        return money_to_proto(Money(currency=invoice.currency, amount=amount))

    taxes = tax_by_line(invoice)
    return invoice_pb2.Invoice(
        id=invoice.id,
        number=invoice.number or "",
        customer_id=invoice.customer_id,
        subscription_id=invoice.subscription_id,
        status=_STATUSES[invoice.status],
        currency=invoice.currency,
        lines=[
            _line_to_proto(line, invoice.currency, taxes.get(line.id, Decimal(0)))
            for line in invoice.lines
        ],
        subtotal=money(invoice.subtotal),
        taxes=[tax_to_proto(invoice.tax, money(invoice.tax_base), money(invoice.tax_amount))],
        total=money(invoice.total),
        amount_due=money(invoice.amount_due),
        created_at=timestamp_to_proto(invoice.created_at),
        finalizes_at=optional_timestamp_to_proto(invoice.finalizes_at),
        finalized_at=optional_timestamp_to_proto(invoice.finalized_at),
        due_at=optional_timestamp_to_proto(invoice.due_at),
        ended_at=optional_timestamp_to_proto(invoice.ended_at),
        seller=_party_to_proto(invoice.seller),
        buyer=_party_to_proto(invoice.buyer),
        time_zone=invoice.time_zone,
    )


def preview_to_proto(invoice: Invoice) -> invoice_pb2.Invoice:
    """A draft that is not stored: without its ids, which nobody could use."""
    shown = invoice_to_proto(invoice)
    shown.ClearField("id")
    for line in shown.lines:
        line.ClearField("id")
        line.ClearField("source_line_id")
    return shown


def invoice_act_from_proto(request: Any) -> tuple[InvoiceId, str]:
    """Which invoice something is done with, and why. Raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return (
            InvoiceId(fields.read("invoice_id", typed_id("inv"), request.invoice_id)),
            fields.read("reason", text(0, _MAX_REASON_LENGTH), request.reason),
        )


def mark_paid_from_proto(request: invoice_service_pb2.MarkInvoicePaidRequest) -> MarkInvoicePaid:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return MarkInvoicePaid(
            invoice_id=InvoiceId(fields.read("invoice_id", typed_id("inv"), request.invoice_id)),
            paid_at=fields.read("paid_at", instant, request.paid_at)
            if request.HasField("paid_at")
            else None,
            reference=fields.read("reference", text(0, _MAX_REFERENCE_LENGTH), request.reference),
        )


def _line_to_proto(
    line: InvoiceLine, currency: str, tax_amount: Decimal
) -> invoice_line_pb2.InvoiceLine:
    return invoice_line_pb2.InvoiceLine(
        id=line.id,
        kind=_KINDS[line.kind],
        description=line.description,
        amount=money_to_proto(Money(currency=currency, amount=line.amount)),
        quantity=format_decimal(line.quantity),
        unit_name=line.unit_name,
        unit_amount=None if line.unit_amount is None else format_decimal(line.unit_amount),
        rated_amount=format_decimal(line.rated_amount),
        used_during=interval_to_proto(line.used_during or line.period),
        period=interval_to_proto(line.period),
        price_component_id=line.component_id or "",
        price_id=line.price_id,
        plan_version_id=line.plan_version_id,
        metric_id=line.metric_id or "",
        source_line_id=line.source_line_id or "",
        credit_applications=[_application_to_proto(line, draw, currency) for draw in line.draws],
        usage_seen_at=optional_timestamp_to_proto(line.usage_seen_at),
        event_count=None if line.event_count is None else format_decimal(line.event_count),
        parts=[_part_to_proto(part) for part in line.parts],
        discounts=[
            invoice_line_pb2.LineDiscount(
                name=one.name,
                percent=None if one.percent is None else format_decimal(one.percent),
                amount=money_to_proto(Money(currency=currency, amount=one.amount)),
                of_price=one.of_price,
            )
            for one in line.discounts
        ],
        tax_amount=money_to_proto(Money(currency=currency, amount=tax_amount)),
        calculation=calculation_to_proto(line.calculation),
    )


def _application_to_proto(
    line: InvoiceLine, draw: Draw, currency: str
) -> invoice_line_pb2.CreditApplication:
    cost_basis = money_to_proto(draw.cost_basis) if draw.cost_basis else None
    if line.kind is LineKind.MONETARY_CREDIT:
        money = Money(currency=currency, amount=draw.amount)
        return invoice_line_pb2.CreditApplication(
            grant_id=draw.grant_id, amount=money_to_proto(money), cost_basis=cost_basis
        )
    return invoice_line_pb2.CreditApplication(
        grant_id=draw.grant_id, quantity=format_decimal(draw.amount), cost_basis=cost_basis
    )


def _part_to_proto(part: RatedPart) -> invoice_line_pb2.RatedPart:
    with exact():
        amount = part.amount
    return invoice_line_pb2.RatedPart(
        quantity=format_decimal(part.quantity),
        unit_amount=format_decimal(part.unit_amount),
        flat_fee=format_decimal(part.flat_fee),
        up_to=None if part.up_to is None else format_decimal(part.up_to),
        amount=format_decimal(amount),
    )


def _party_to_proto(party: Mapping[str, Any] | None) -> invoice_pb2.InvoiceParty | None:
    if party is None:
        return None
    address = party.get("address")
    return invoice_pb2.InvoiceParty(
        name=party["name"],
        business_name=party.get("business_name") or "",
        tax_id=party.get("tax_id") or "",
        email=party.get("email") or "",
        address=customer_pb2.Address(**address) if address else None,
    )
