"""Which credits of a subscription count under its terms, when these changed after the credits were granted, and what
use their balances are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import (
    CreditApplicationType,
    CreditDefinition,
    CreditScope,
    Offer,
)
from candela_server.catalog.price import Component, Price
from candela_server.credit.model import SINCE_AT_MOST, CreditGrant
from candela_server.kernel.interval import Interval
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.model import Subscription

from .reschedule import ENDED


def counts_for(grant: CreditGrant, held: Subscription, offer: Offer) -> bool:
    """Whether a grant can pay for what is used under this version of the subscription, which `offer` is of.

    What was not granted by a plan counts for whom it was given to, and what another subscription brought only if it
    pays for everything (CRD-2). What a plan granted counts while its terms last, and again when they come back; but an
    allowance of a period then begins anew, less what the period used (`begins_anew`). Nothing counts after the periods
    are counted anew, as after a trial (CRD-6) or a reactivation.
    """
    if grant.subscription_id not in (None, held.id):
        return grant.scope is CreditScope.MERCHANT
    if grant.definition_id is None or grant.subscription_id is None:
        return True
    if grant.effective_at < held.anchor_at:
        return False
    since = held.version.terms_since
    return (
        since is None
        or grant.effective_at >= since
        or any(
            one.id == grant.definition_id
            and (not begins_anew(one) or grant.effective_at + SINCE_AT_MOST >= since)
            for one in offer.credit_definitions
        )
    )


def pays_for_component(
    grant: CreditGrant, component: Component, period: Interval, held: Subscription, offer: Offer
) -> bool:
    """Whether a grant can pay for a component's usage, of a part of the period at least, that began under this version,
    which `offer` is of.

    Usage credits of a plan belong to the subscription they came with, while its terms last, unless they pay for
    everything (CRD-2).
    """
    metric_id = component.metric_id
    return (
        metric_id is not None
        and grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == metric_id
        and grant.component_id in (None, component.id, component.sold_as)
        and counts_for(grant, held, offer)
        and grant.overlaps(period)
    )


def begins_anew(definition: CreditDefinition) -> bool:
    """Whether it is an allowance of each period, which a plan that takes another's place brings less what the period
    used already (ENT-4)."""
    usage = definition.application_type is CreditApplicationType.USAGE
    return usage and definition.renew_on_billing


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


def window_of(paying: Sequence[CreditGrant], fallback: Interval) -> Interval:
    """The window of the grant that renews soonest: usage before it was covered by grants that are over.

    What was given by hand or bought lasts as long as it lasts, and has no window of its own.
    """
    renewing = [
        grant
        for grant in paying
        if grant.subscription_id is not None and grant.expires_at is not None
    ]
    if not renewing:
        return fallback
    latest = max(renewing, key=lambda grant: grant.effective_at)
    assert latest.expires_at is not None, "selected above"
    return Interval(latest.effective_at, latest.expires_at)


def of_period(found: Interval, period: Interval) -> Interval:
    """The window that was found, without the periods before the running one: what lasts longer was drawn for these."""
    if not found.contains(period.start_at):
        return found
    return Interval(period.start_at, found.end_at)


def not_drawn_yet(window: Interval, drawn: Sequence[DrawnPart]) -> Interval:
    """The part of a window that balances are compared with: from where the last part of it that was drawn ended.

    What is told later of a part that was drawn, or taken back from it, is neither drawn nor counted.
    """
    ends = [one.part.end_at for one in drawn if window.start_at < one.part.end_at < window.end_at]
    return Interval(max(ends), window.end_at) if ends else window


def counted_since(window: Interval, period: Interval, undrawn_since: datetime) -> datetime:
    """From when usage of the running period is compared with balances: that of the window, and that before it which is
    not drawn yet, where credits reach back so far (`parts_over`)."""
    return max(min(window.start_at, undrawn_since), period.start_at)


def drawn_within(
    window: Interval, drawn: Sequence[DrawnPart], paying: Sequence[CreditGrant]
) -> Decimal:
    """What these grants have paid for in parts of a window: compared with all of it, they have that more."""
    ids = {grant.id for grant in paying}
    return sum(
        (
            amount
            for one in drawn
            if window.start_at <= one.part.start_at < window.end_at
            for grant_id, amount in one.draws.items()
            if grant_id in ids
        ),
        Decimal(0),
    )
