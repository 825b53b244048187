"""What can pay for the parts of periods whose usage no component bills, and which subscription draws it (CRD-8)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, MetricId, Offer
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.credits_held import counts_for
from candela_server.subscription.rules.reschedule import BILLED

from .billing_context import Context
from .lapsed_context import with_lapsed_grants
from .rules.unpriced_parts import EndedPart, HeldPart, offer_key, unpriced


def ended_parts(
    context: Context, parts: Iterable[HeldPart], offers: dict[catalog.OfferKey, Offer]
) -> list[EndedPart]:
    """Of each of these parts, every metric that costs nothing, with what can pay for it."""
    return [
        EndedPart(held, metric_id, period, paying_for(context, held, metric_id, period, offers))
        for held, period in parts
        for metric_id in unpriced(offers[offer_key(held)])
    ]


def paying_for(
    context: Context,
    held: Subscription,
    metric_id: MetricId,
    period: Interval,
    offers: dict[catalog.OfferKey, Offer],
) -> list[CreditGrant]:
    """The grants that can pay for a metric in a part of a period."""
    return [
        grant
        for grant in context.grants.get(held.customer_id, ())
        if grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == metric_id
        and counts_for(grant, held, offers[offer_key(held)])
        and grant.overlaps(period)
    ]


async def drawn_by_these(
    tx: Tx,
    context: Context,
    found: Sequence[EndedPart],
    offers: dict[catalog.OfferKey, Offer],
) -> list[EndedPart]:
    """Those that draw their customer's usage: of several subscriptions one that bills it does, else the oldest.

    One that is not billed any more leaves it to any that goes on and grants it: that draws its own period whole.
    """
    if not found:
        return []
    others: defaultdict[CustomerId, list[Subscription]] = defaultdict(list)
    for one in await subscription.list_of_customers(
        tx, sorted({e.held.customer_id for e in found})
    ):
        if one.version.status in BILLED:
            others[one.customer_id].append(one)
    offers = offers | await offers_of(
        tx, context, (one for some in others.values() for one in some)
    )
    goes_on: dict[SubscriptionId, bool] = {
        one.id: one.version.status in BILLED for one in context.subscriptions.values()
    }

    def draws(ended: EndedPart, other: Subscription) -> bool:
        offer = offers[offer_key(other)]
        if offer.component_for_metric(ended.metric_id) is not None:
            return True
        older = other.id < ended.held.id or not goes_on[ended.held.id]
        return older and ended.metric_id in unpriced(offer)

    return [
        one
        for one in found
        if not any(
            draws(one, other) for other in others[one.held.customer_id] if other.id != one.held.id
        )
    ]


async def with_lapsed(
    tx: Tx, context: Context, ended: Sequence[EndedPart], offers: dict[catalog.OfferKey, Offer]
) -> list[EndedPart]:
    """The same with those grants that ended within the periods: they paid for what was used in their time (CRD-8)."""
    if not ended:
        return []
    holders = sorted({one.held.customer_id for one in ended})
    since = min(one.period.start_at for one in ended)
    until = max(one.period.end_at for one in ended)
    wider, lapsed = await with_lapsed_grants(tx, context, holders, since=since, until=until)
    return [
        replace(
            one,
            grants=paying_for(wider, one.held, one.metric_id, one.period, offers),
            lapsed=lapsed,
        )
        for one in ended
    ]


async def offers_of(
    tx: Tx, context: Context, held: Iterable[Subscription]
) -> dict[catalog.OfferKey, Offer]:
    """What these versions bought; only what is not at hand is read."""
    offers = {
        offer_key(one): context.offers[one_id] for one_id, one in context.subscriptions.items()
    }
    if missing := {offer_key(one) for one in held} - offers.keys():
        offers |= await catalog.get_offers(tx, sorted(missing))
    return offers
