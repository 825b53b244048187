"""What exists of bought credits: packs, and when packs are bought by themselves (CRD-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from candela_server.catalog.model import Feature, FeatureId
from candela_server.credit.model import GrantId
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import Reason, Refused
from candela_server.kernel.money import Money

from .model import InvoiceId

TopUpId = NewType("TopUpId", str)


class TopUpStatus(StrEnum):
    """A pack's life: it waits for its payment, and then it counts, or it never will."""

    PENDING = "pending"
    PAID = "paid"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """A pack that was ordered; `feature_id` None for money."""

    id: TopUpId
    customer_id: CustomerId
    invoice_id: InvoiceId
    grant_id: GrantId
    feature_id: FeatureId | None
    automatic: bool
    status: TopUpStatus
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTopUp:
    """When packs are bought by themselves; `feature` None for money. `stopped_reason` is empty while it runs."""

    customer_id: CustomerId
    feature: Feature | None
    enabled: bool
    threshold: Decimal
    amount: Decimal
    price: Money
    monthly_cap_count: int
    stopped_reason: str


class TopUpPendingError(Refused):
    """A customer owes one pack at most, so that packs never pile up while nobody pays."""

    reason = Reason.TOP_UP_PENDING

    def __init__(self, invoice_id: InvoiceId) -> None:
        super().__init__(
            f"the customer's pack of invoice {invoice_id} is not paid yet; have it paid, or void it",
            invoice_id=invoice_id,
        )
