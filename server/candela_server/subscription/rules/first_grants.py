"""What a subscription is granted as it begins (CRD-3, CRD-5)."""

from __future__ import annotations

from datetime import datetime

from candela_server.catalog.model import CreditDefinition, Offer
from candela_server.credit.model import PeriodGrant
from candela_server.credit.rules.renewal import period_amount
from candela_server.subscription.model import Subscription

from .schedule import credit_period
from .seats import seats_held


def first_grants(held: Subscription, offer: Offer) -> list[PeriodGrant]:
    """The first grant of each definition that comes with the offer."""
    seats = seats_held(offer.price, held.version.quantities)
    return [
        PeriodGrant(
            customer_id=held.customer_id,
            subscription_id=held.id,
            definition=definition,
            amount=period_amount(definition, first=True, seats=seats),
            effective_at=held.anchor_at,
            expires_at=_end(held, offer, definition),
        )
        for definition in offer.credit_definitions
    ]


def _end(held: Subscription, offer: Offer, definition: CreditDefinition) -> datetime | None:
    if definition.renew_on_billing:
        period = credit_period(
            offer, definition, 0, anchor_at=held.anchor_at, time_zone=held.time_zone
        )
        return period.end_at
    return end_of_own(definition, held.anchor_at)


def end_of_own(definition: CreditDefinition, effective_at: datetime) -> datetime | None:
    """When a grant ends that does not follow a billing period: after its own time, or never."""
    if definition.expires_after is None:
        return None
    return effective_at + definition.expires_after
