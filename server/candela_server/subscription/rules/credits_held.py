"""Which credits of a subscription count under its terms, when these changed after the credits were granted."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from candela_server.catalog.model import Offer
from candela_server.credit.model import CreditGrant
from candela_server.subscription.model import Subscription

FURTHER_GRANTS: Final = timedelta(milliseconds=1)
"""Further grants of a period begin so much earlier at most, a microsecond each; see grant_after_change."""


def counts_for(grant: CreditGrant, held: Subscription, offer: Offer) -> bool:
    """Whether a grant can pay for what is used under this version of the subscription, which `offer` is of.

    What was not granted by a plan counts for whom it was given to. What a plan granted counts while its terms last, and
    so long as another plan has the same definition; never after the periods are counted anew, as after a trial (CRD-6)
    or a reactivation.
    """
    if grant.subscription_id not in (None, held.id):
        return False
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
