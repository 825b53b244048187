"""Which credits of a subscription count under its terms, when these changed after the credits were granted."""

from __future__ import annotations

from candela_server.catalog.model import CreditScope, Offer
from candela_server.catalog.price import Price
from candela_server.credit.model import FURTHER_GRANTS, CreditGrant
from candela_server.subscription.model import Subscription

from .reschedule import ENDED


def counts_for(grant: CreditGrant, held: Subscription, offer: Offer) -> bool:
    """Whether a grant can pay for what is used under this version of the subscription, which `offer` is of.

    What was not granted by a plan counts for whom it was given to, and what another subscription brought only if it
    pays for everything (CRD-2). What a plan granted counts while its terms last, and
    so long as another plan has the same definition; never after the periods are counted anew, as after a trial (CRD-6)
    or a reactivation.
    """
    if grant.subscription_id not in (None, held.id):
        return grant.scope is CreditScope.MERCHANT
    if grant.definition_id is None or grant.subscription_id is None:
        return True
    began_at = grant.effective_at + FURTHER_GRANTS
    if began_at < held.anchor_at:
        return False
    since = held.version.terms_since
    return (
        since is None
        or began_at >= since
        or any(one.id == grant.definition_id for one in offer.credit_definitions)
    )


def is_over(grant: CreditGrant, after: Subscription, offer: Offer) -> bool:
    """Whether a grant came with terms that are not in force any more under this version, which `offer` is of."""
    ended = (
        after.version.status in ENDED
        or not counts_for(grant, after, offer)
        or _was_swapped_out(grant, offer.price)
    )
    return ended and grant.definition_id is not None


def _was_swapped_out(grant: CreditGrant, price: Price) -> bool:
    """Whether the component that it pays for went, and what came in its place charges something else (SUB-6)."""
    if grant.component_id is None or price.varies is None:
        return False
    standing = price.component_sold_as(grant.component_id)
    return standing is not None and grant.metric_id not in (None, standing.metric_id)
