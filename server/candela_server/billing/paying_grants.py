"""Which grants can pay for the usage of a period (CRD-2)."""

from __future__ import annotations

from candela_server.catalog.model import Offer
from candela_server.credit.model import CreditGrant
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.credits_held import pays_for_component

from .billing_context import Context
from .wanted_invoice import PeriodToBill


def pays_for(grant: CreditGrant, one: PeriodToBill, offer: Offer, held: Subscription) -> bool:
    """Whether a grant can pay for a component's usage, of a part of the period at least, that began under a version."""
    component = offer.price.component(one.component_id)
    return pays_for_component(grant, component, one.period, held, offer)


def paying(context: Context, one: PeriodToBill, offer: Offer) -> list[CreditGrant]:
    """The grants that can pay for a component's usage of a period, or of a part of it."""
    then = context.held_at(one.subscription_id, one.period.start_at)
    return [
        grant
        for grant in context.grants.get(then.customer_id, ())
        if pays_for(grant, one, offer, then)
    ]
