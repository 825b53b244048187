"""Draws usage that no component bills from grants that outlast its period, so that packs are used up (CRD-8, CRD-9).

Where a feature is limited by credit and its usage costs nothing, no invoice line draws. What came with the period
lapses with it and needs no draw. But a gift or a pack that goes on would be whole again with each period. So the
period's usage is drawn as it ends, in the same order as on invoices. Events that come later than that are not drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, MetricId, Offer
from candela_server.catalog.price import BillingTiming
from candela_server.credit.draw_credits import draw_without_line
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import ScheduledPeriod, Subscription
from candela_server.subscription.rules.credits_held import counts_for
from candela_server.subscription.rules.lifecycle import RUNNING

from .bill_periods import Context
from .measure_usage import Ask, measure

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Ended:
    """A period that ends, of a metric that costs nothing, and the grants that can pay for it."""

    held: Subscription
    metric_id: MetricId
    period: Interval
    grants: Sequence[CreditGrant]


async def draw_unpriced(
    tx: Tx, events: EventStore, context: Context, due: Sequence[ScheduledPeriod], *, now: datetime
) -> Context:
    """Posts the draws of what ends as these periods fall due; the context comes back with what the grants have left."""
    held_in = [found for one in due for found in _held_in(context, one)]
    offers = {_key(held): context.offers[one_id] for one_id, held in context.subscriptions.items()}
    if before := {_key(held) for held, _ in held_in} - offers.keys():
        offers |= await catalog.get_offers(tx, sorted(before))
    ended = [
        found
        for held, period in held_in
        for found in _ended(context, held, offers[_key(held)], period)
        if await _is_the_only_one(tx, found.held, found.metric_id)
    ]
    if not ended:
        return context
    metrics = next(iter(context.offers.values())).metrics
    measured = await measure(
        events,
        tx.merchant_id,
        [
            Ask(
                customer_id=one.held.customer_id,
                metric=metrics[one.metric_id],
                period=one.period,
                counts_events=False,
                grants=one.grants,
            )
            for one in ended
        ],
    )
    drawn: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    for one, used in zip(ended, measured, strict=True):
        grants = [replace(grant, balance=grant.balance - drawn[grant.id]) for grant in one.grants]
        spans = used.spans or (UsedSpan(one.period, used.value),)
        draws, _ = draw_in_spans(grants, spans, used.value)
        for draw in draws.draws:
            drawn[draw.grant_id] += draw.amount
        await draw_without_line(tx, draws.draws, reason=_reason(one.period), at=now)
    return replace(
        context,
        grants={
            holder: [
                replace(grant, balance=grant.balance - drawn.get(grant.id, _ZERO))
                for grant in grants
            ]
            for holder, grants in context.grants.items()
        },
    )


def _reason(period: Interval) -> str:
    return f"used from {period.start_at:%Y-%m-%dT%H:%M:%SZ} to {period.end_at:%Y-%m-%dT%H:%M:%SZ}"


def _held_in(context: Context, one: ScheduledPeriod) -> list[tuple[Subscription, Interval]]:
    """The versions of a subscription in the period that ends, each with its part: another may have priced the usage."""
    held, offer = context.subscriptions[one.subscription_id], context.offers[one.subscription_id]
    first = offer.price.components[0]
    if one.component_id != first.id:
        return []
    period = one.period
    if first.timing is BillingTiming.IN_ADVANCE:
        if one.period_number == 0:
            return []
        rule = first.recurrence_in(held.time_zone)
        period = rule.period(held.anchor_at, one.period_number - 1)
    history = context.histories[held.id]
    # Each price once: what a metric comes to in a period is not always the sum of what it comes to in parts.
    changes = [
        later
        for earlier, later in pairwise(history)
        if _key(earlier) != _key(later) and later.version.valid_from < period.end_at
    ]
    starts = [period.start_at, *(one.version.valid_from for one in changes)]
    ends = [*starts[1:], period.end_at]
    return [
        (version, Interval(max(start_at, period.start_at), end_at))
        for version, start_at, end_at in zip((history[0], *changes), starts, ends, strict=True)
        # What was held before the period has no part in it.
        if end_at > period.start_at and start_at < end_at
    ]


def _ended(context: Context, held: Subscription, offer: Offer, period: Interval) -> list[_Ended]:
    found = []
    for metric_id in _unpriced(offer):
        grants = [
            grant
            for grant in context.grants.get(held.customer_id, ())
            if grant.application_type is CreditApplicationType.USAGE
            and grant.metric_id == metric_id
            and counts_for(grant, held, offer)
            and grant.overlaps(period)
        ]
        if any(
            grant.balance > 0 and (grant.expires_at is None or period.end_at < grant.expires_at)
            for grant in grants
        ):
            found.append(_Ended(held, metric_id, period, grants))
    return found


def _key(held: Subscription) -> catalog.OfferKey:
    return held.version.plan_version_id, held.version.price_id


def _unpriced(offer: Offer) -> list[MetricId]:
    """The metrics of the plan's features that none of its components bills."""
    metrics = {
        metric_id
        for granted in offer.version.features
        if (metric_id := offer.features[granted.feature_id].metric_id) is not None
        and offer.component_for_metric(metric_id) is None
    }
    return sorted(metrics)


async def _is_the_only_one(tx: Tx, held: Subscription, metric_id: MetricId) -> bool:
    """Whether this subscription draws the customer's usage: one that bills it does, else the oldest that grants it."""
    others = [
        one
        for one in await subscription.list_of_customer(tx, held.customer_id)
        if one.id != held.id and one.version.status in RUNNING
    ]
    keys = [_key(one) for one in others]
    offers = await catalog.get_offers(tx, keys) if keys else {}
    for one, key in zip(others, keys, strict=True):
        offer = offers[key]
        if offer.component_for_metric(metric_id) is not None:
            return False
        if one.id < held.id and metric_id in _unpriced(offer):
            return False
    return True
