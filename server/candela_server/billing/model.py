"""What exists here: invoices and their lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NewType

from candela_server.catalog.model import MetricId, PlanVersionId
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.credit.model import Draw
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import NotFound, Reason, Refused
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.subscription.model import SubscriptionId

from .calculation import Calculation

InvoiceId = NewType("InvoiceId", str)
LineId = NewType("LineId", str)


class InvoiceStatus(StrEnum):
    """An invoice's life."""

    DRAFT = "draft"
    FINALIZED = "finalized"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


class LineKind(StrEnum):
    """Why a line exists."""

    RECURRING = "recurring"
    USAGE = "usage"
    USAGE_CREDIT = "usage_credit"
    PRORATION = "proration"
    TRUE_UP = "true_up"
    ADJUSTMENT = "adjustment"
    MONETARY_CREDIT = "monetary_credit"
    TOP_UP = "top_up"
    THRESHOLD = "threshold"


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedPart:
    """What one tier or a number of blocks comes to; `up_to` None means that nothing bounds it."""

    quantity: Decimal
    unit_amount: Decimal
    flat_fee: Decimal
    up_to: Decimal | None

    @property
    def amount(self) -> Decimal:
        """What it costs, exactly, in an exact() block."""
        return self.quantity * self.unit_amount + self.flat_fee


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDiscount:
    """What one discount took off a line: `amount` is shown, in whole minor units, and 0 or more (DSL-4).

    On an adjustment it is the difference to what was taken off before, and may be negative. `position` is its place in
    the discounts of the component, or of the price when `of_price`.
    """

    name: str
    percent: Decimal | None
    amount: Decimal
    of_price: bool
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceLine:
    """One line: a quantity of one component over one period. `rated_amount` is exact, `amount` rounded once.

    `amount` is net of `discounts`; what these took off was part of `rated_amount`. `component_id` is None for the
    true-up of a price's commitment. `used_during` is the part of the period that the line is for; None for all of it.
    `event_count` is given where each event has a fee. `calculation` is None of what was not rated from a quantity.
    """

    id: LineId
    kind: LineKind
    description: str
    quantity: Decimal
    unit_name: str
    unit_amount: Decimal | None
    rated_amount: Decimal
    amount: Decimal
    component_id: ComponentId | None
    price_id: PriceId | None
    plan_version_id: PlanVersionId | None
    metric_id: MetricId | None
    period_number: int
    period: Interval
    source_line_id: LineId | None
    draws: tuple[Draw, ...]
    usage_seen_at: datetime | None
    used_during: Interval | None = None
    event_count: Decimal | None = None
    parts: tuple[RatedPart, ...] = ()
    discounts: tuple[AppliedDiscount, ...] = ()
    calculation: Calculation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxTerms:
    """At which rate an invoice is taxed, and why; not how much it is (TAX-1, TAX-2).

    `country` and `region` say whose tax it is. An `inclusive` tax is contained in the lines.
    """

    percent: Decimal
    reason: str
    name: str = ""
    country: str = ""
    region: str = ""
    inclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """What a customer owes for some periods of one subscription, in one currency.

    `subscription_id` is None where a pack of credits is sold, and so are the price and plan version of its line.
    """

    id: InvoiceId
    number: str | None
    customer_id: CustomerId
    subscription_id: SubscriptionId | None
    test_clock_id: TestClockId | None
    status: InvoiceStatus
    currency: str
    time_zone: str
    lines: tuple[InvoiceLine, ...]
    tax: TaxTerms
    tax_amount: Decimal
    amount_due: Decimal
    created_at: datetime
    finalizes_at: datetime | None
    finalized_at: datetime | None
    due_at: datetime | None
    ended_at: datetime | None
    seller: Mapping[str, Any] | None
    buyer: Mapping[str, Any] | None

    @property
    def of_subscription(self) -> SubscriptionId:
        """The subscription that it bills, where it can be nothing but such an invoice: drafts always are."""
        assert self.subscription_id is not None, f"invoice {self.id} bills no subscription"
        return self.subscription_id

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines: before tax, or with it when it is inclusive."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """The sum of what is shown (INV-8)."""
        return self.subtotal if self.tax.inclusive else self.subtotal + self.tax_amount

    @property
    def tax_base(self) -> Decimal:
        """What the tax is a share of."""
        return self.total - self.tax_amount

    @property
    def has_usage(self) -> bool:
        """Whether late events can still change it, so that it waits as a draft (INV-3)."""
        return any(line.kind is LineKind.USAGE for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledLine:
    """A line of some invoice of a subscription; on a draft it may still change."""

    subscription_id: SubscriptionId
    invoice_id: InvoiceId
    is_draft: bool
    line: InvoiceLine


class InvoiceNotFoundError(NotFound):
    """No invoice of this merchant has the id."""

    reason = Reason.INVOICE_NOT_FOUND

    def __init__(self, invoice_id: str) -> None:
        super().__init__(
            f"no invoice {invoice_id}; ListInvoices shows what exists", invoice_id=invoice_id
        )


class InvoiceFinalizedError(Refused):
    """A finalized invoice never changes (INV-6)."""

    reason = Reason.INVOICE_FINALIZED

    def __init__(self, invoice: Invoice) -> None:
        super().__init__(
            f"invoice {invoice.id} was finalized at {invoice.finalized_at:%Y-%m-%dT%H:%M:%SZ}; "
            "void it or add a credit note",
            invoice_id=invoice.id,
            finalized_at=invoice.finalized_at,
        )


class InvoiceTransitionRefusedError(Refused):
    """The invoice's state does not allow what was asked; `advice` says what to do instead."""

    reason = Reason.INVOICE_TRANSITION_REFUSED

    def __init__(
        self, invoice_id: InvoiceId, status: InvoiceStatus, wanted: str, advice: str
    ) -> None:
        # The contract's own words, one of which Python keeps for itself.
        change: dict[str, Any] = {"from": status, "to": wanted}
        super().__init__(
            f"invoice {invoice_id} is {status} and cannot be {wanted}; {advice}",
            invoice_id=invoice_id,
            **change,
        )
