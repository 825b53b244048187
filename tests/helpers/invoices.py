"""Invoices for tests of rules and of documents; each names only what a test is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from candela_server.billing.model import (
    Invoice,
    InvoiceId,
    InvoiceLine,
    InvoiceStatus,
    LineId,
    LineKind,
    TaxTerms,
)
from candela_server.catalog.model import PlanVersionId
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.subscription.model import SubscriptionId

FEBRUARY = Interval(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
FINALIZED_AT = datetime(2026, 3, 1, 1, tzinfo=UTC)


def line(
    name: str,
    amount: str,
    *,
    source: str | None = None,
    description: str = "Seat × 1, 1 Feb – 28 Feb 2026",
    quantity: str = "1",
    unit_name: str = "",
    unit_amount: str | None = None,
) -> InvoiceLine:
    """A line of February."""
    offsets = Decimal(amount) < 0
    return InvoiceLine(
        id=LineId(f"line_{name}"),
        kind=LineKind.USAGE_CREDIT if offsets else LineKind.RECURRING,
        description=description,
        quantity=Decimal(quantity),
        unit_name=unit_name,
        unit_amount=Decimal(unit_amount) if unit_amount else None,
        rated_amount=Decimal(amount),
        amount=Decimal(amount),
        component_id=ComponentId("comp_1"),
        price_id=PriceId("price_1"),
        plan_version_id=PlanVersionId("plv_1"),
        metric_id=None,
        period_number=0,
        period=FEBRUARY,
        source_line_id=LineId(f"line_{source}") if source else None,
        draws=(),
        usage_seen_at=None,
    )


def invoice(
    *lines: InvoiceLine,
    status: InvoiceStatus = InvoiceStatus.FINALIZED,
    currency: str = "USD",
    tax_percent: str = "0",
    tax_amount: str = "0",
    tax_reason: str = "",
    tax: TaxTerms | None = None,
    due: str | None = None,
    seller: Mapping[str, Any] | None = None,
    buyer: Mapping[str, Any] | None = None,
) -> Invoice:
    """An invoice with these lines, whose total is due unless said otherwise."""
    shown: Sequence[InvoiceLine] = lines or (line("a", "100.00"),)
    total = sum((one.amount for one in shown), Decimal(0))
    total += Decimal(0) if tax and tax.inclusive else Decimal(tax_amount)
    is_draft = status is InvoiceStatus.DRAFT
    return Invoice(
        id=InvoiceId("inv_1"),
        number=None if is_draft else "INV-000042",
        customer_id=CustomerId("cus_1"),
        subscription_id=SubscriptionId("sub_1"),
        test_clock_id=None,
        status=status,
        currency=currency,
        time_zone="UTC",
        lines=tuple(shown),
        tax=tax or TaxTerms(percent=Decimal(tax_percent), reason=tax_reason),
        tax_amount=Decimal(tax_amount),
        amount_due=total if due is None else Decimal(due),
        created_at=FEBRUARY.end_at,
        finalizes_at=FINALIZED_AT if is_draft else None,
        finalized_at=None if is_draft else FINALIZED_AT,
        due_at=None if is_draft else FINALIZED_AT + timedelta(days=30),
        ended_at=None,
        seller=seller or {"name": "Tests"},
        buyer=buyer or {"name": "Acme"},
    )
