"""What is wanted of an invoice: which periods of one subscription, rated by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentId
from candela_server.kernel.interval import Interval
from candela_server.subscription.model import SubscriptionId

from .billing_context import Context
from .model import InvoiceId


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodToBill:
    """One component's period of one subscription.

    `held` is the quantity that an earlier draft charged for; None means what the subscription holds now.
    """

    subscription_id: SubscriptionId
    component_id: ComponentId
    number: int
    period: Interval
    held: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInvoice:
    """What falls due for one subscription at one instant.

    `id` is that of the draft that is rated again, and `offer` what it was made by, when that is not in force any more.
    `true_up_at` is when the commitment's period ended that its true-up is for: needed when it bills nothing besides.
    """

    subscription_id: SubscriptionId
    periods: Sequence[PeriodToBill]
    id: InvoiceId | None = None
    offer: Offer | None = None
    true_up_at: datetime | None = None

    def offer_in(self, context: Context) -> Offer:
        """What it is rated by."""
        return self.offer or context.offers[self.subscription_id]
