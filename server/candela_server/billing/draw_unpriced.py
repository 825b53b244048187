"""Draws usage that no component bills from grants that outlast its period, so that packs are used up (CRD-8, CRD-9).

Where a feature is limited by credit and its usage costs nothing, no invoice line draws. What came with the period
lapses with it and needs no draw. But a gift or a pack that goes on would be whole again with each period, and what is
carried over would be more than what was left. So the period's usage is drawn as it ends, or as a change, a pause or the
end of the subscription cuts it, in the same order as on invoices; a number that the plan includes is used up first.
Events that come later than that are not drawn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, MetricId, Offer
from candela_server.catalog.price import BillingTiming
from candela_server.credit.draw_credits import draw_without_line
from candela_server.credit.lapse_grants import lapse_grants
from candela_server.credit.model import CreditGrant, Draw, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.change import Changed
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.model import ScheduledPeriod, Subscription, SubscriptionId
from candela_server.subscription.note_drawn_usage import note_drawn_usage
from candela_server.subscription.rules.credits_held import counts_for, is_over
from candela_server.subscription.rules.reschedule import BILLED

from .billing_context import Context, read_context
from .included_left import Included, included_left
from .lapsed_context import with_lapsed_grants
from .measure_usage import Ask, measure
from .rules.included_first import less_included
from .rules.terms_held import Terms, cut_off, terms_held

_ZERO = Decimal(0)
_Part = tuple[Subscription, Interval]
"""A version of a subscription, and a part of a period in which it was in force."""


@dataclass(frozen=True, slots=True)
class _Ended:
    """A period that ends, of a metric that costs nothing, and the grants that can pay for it.

    `lapsed` are those that the ledger has let expire; they come with what they had at their ends.
    """

    held: Subscription
    metric_id: MetricId
    period: Interval
    grants: Sequence[CreditGrant]
    lapsed: Collection[GrantId] = ()

    @property
    def outlasted(self) -> bool:
        """Whether something that can pay for it goes on when it is over."""
        return any(
            grant.balance > 0
            and (grant.expires_at is None or self.period.end_at < grant.expires_at)
            for grant in self.grants
        )

    def carried_over(self, rolling: Collection[str]) -> bool:
        """Whether some of what can pay for it goes into the next period; `rolling` are the definitions of such."""
        return any(grant.balance > 0 and grant.definition_id in rolling for grant in self.grants)

    def drawn(self, draws: Mapping[str, Decimal]) -> DrawnPart:
        """The same once it is drawn."""
        return DrawnPart(
            subscription_id=self.held.id,
            metric_id=self.metric_id,
            part=self.period,
            draws=draws,
        )


async def draw_unpriced(
    tx: Tx, events: EventStore, context: Context, due: Sequence[ScheduledPeriod], *, now: datetime
) -> Context:
    """Posts the draws of what ends as these periods fall due; the context comes back with what the grants have left."""
    histories = {one.subscription_id: context.histories[one.subscription_id] for one in due}
    offers = await _offers_of(tx, context, (held for some in histories.values() for held in some))
    in_force = {one_id: terms_held(some)[-1] for one_id, some in histories.items()}
    parts = [part for one in due for part in _parts_of(in_force[one.subscription_id], one, offers)]
    rolling = {
        one.id
        for offer in offers.values()
        for one in offer.credit_definitions
        if one.rollover_cap > 0
    }
    found = [
        one
        for one in _ended_of(context, parts, offers)
        if one.outlasted or one.carried_over(rolling)
    ]
    ended = await _drawn_by_these(tx, context, found, offers)
    ended = await _with_lapsed(tx, context, ended, offers)
    return (await _draw(tx, events, context, ended, offers, now=now))[0]


async def draw_cut_off(tx: Tx, events: EventStore, changed: Changed) -> None:
    """Posts the draws of the part of a period that a change has cut off; then what came with ended terms lapses.

    What was drawn is noted, so that no check counts it again (ENT-4). The subscription must be locked. What an invoice
    draws from, because its usage has a price, waits for that.
    """
    assert changed.at is not None, "something changed"
    context = await read_context(tx, [changed.subscription.id], until=changed.now)
    history = context.histories[changed.subscription.id]
    offers = await _offers_of(tx, context, history)
    *_, before, after = history
    price = offers[_key(before)].price
    parts = [
        part
        for gone in changed.gone
        if gone.component_id == price.components[0].id and gone.last_terms is None
        for terms in terms_held(history)
        if terms.ended_at is not None and terms.versions[-1] is before
        for part in cut_off(terms, price, gone)
    ]
    ended = await _drawn_by_these(tx, context, _ended_of(context, parts, offers), offers)
    outlasted = [one for one in ended if one.outlasted]
    outlasted = await _with_lapsed(tx, context, outlasted, offers)
    left, drawn = await _draw(tx, events, context, outlasted, offers, now=changed.now)
    drawn += [one.drawn({}) for one in ended if not one.outlasted]
    await note_drawn_usage(tx, [*drawn, *await _of_a_pause(tx, history, changed.at)])
    await lapse_grants(
        tx,
        [
            grant
            for grant in left.grants.get(after.customer_id, ())
            if grant.subscription_id == after.id
            and grant.metric_id is not None
            and offers[_key(before)].component_for_metric(grant.metric_id) is None
            and grant.counts_at(changed.at)
            # What was over before this change waits for the invoice of the period that an earlier one cut.
            and not is_over(grant, before, offers[_key(before)])
            and is_over(grant, after, offers[_key(after)])
        ],
        at=changed.now,
    )


async def _of_a_pause(tx: Tx, history: Sequence[Subscription], at: datetime) -> list[DrawnPart]:
    """The pause that ends now, of the metrics that its beginning has drawn: nothing pays for what is used in it."""
    _, *following = terms_held(history)
    if len(following) < 2 or following[-2].billed or following[-2].began_at == at:
        return []
    pause = Interval(following[-2].began_at, at)
    held = history[-1]
    return [
        replace(one, part=pause, draws={})
        for one in (await subscription.list_drawn_parts(tx, [held]))[held.id]
        if one.part.end_at == pause.start_at
    ]


async def _draw(
    tx: Tx,
    events: EventStore,
    context: Context,
    ended: Sequence[_Ended],
    offers: dict[catalog.OfferKey, Offer],
    *,
    now: datetime,
) -> tuple[Context, list[DrawnPart]]:
    """Posts the draws of what ended; what the grants have left, and what each part has drawn."""
    if not ended:
        return context, []
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
    included = await included_left(
        tx,
        events,
        [
            Included(
                held=one.held,
                offer=offers[_key(one.held)],
                metric=metrics[one.metric_id],
                part=one.period,
                grants=one.grants,
            )
            for one in ended
        ],
    )
    drawn: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    gone: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    posted: defaultdict[str, list[Draw]] = defaultdict(list)
    parts = []
    for one, used, number in zip(ended, measured, included, strict=True):
        grants = [replace(grant, balance=grant.balance - drawn[grant.id]) for grant in one.grants]
        spans = used.spans or (UsedSpan(one.period, used.value),)
        draws, _ = draw_in_spans(grants, *less_included(spans, used.value, number))
        for draw in draws.draws:
            drawn[draw.grant_id] += draw.amount
        # What a grant paid for before it lapsed has left the ledger with the rest of it.
        to_post = [draw for draw in draws.draws if draw.grant_id not in one.lapsed]
        for draw in to_post:
            gone[draw.grant_id] += draw.amount
        posted[_reason(one.period)] += to_post
        parts.append(one.drawn({draw.grant_id: draw.amount for draw in to_post}))
    await draw_without_line(tx, posted, at=now)
    left = replace(
        context,
        grants={
            holder: [
                replace(grant, balance=grant.balance - gone.get(grant.id, _ZERO))
                for grant in grants
            ]
            for holder, grants in context.grants.items()
        },
    )
    return left, parts


def _reason(period: Interval) -> str:
    return f"used from {period.start_at:%Y-%m-%dT%H:%M:%SZ} to {period.end_at:%Y-%m-%dT%H:%M:%SZ}"


def _parts_of(
    terms: Terms, one: ScheduledPeriod, offers: dict[catalog.OfferKey, Offer]
) -> list[_Part]:
    """What was held, of the terms in force, in the period of the price's first component that ends as this falls due.

    What is billed a last time was drawn when it was cut off.
    """
    held = terms.versions[-1]
    first = offers[_key(held)].price.components[0]
    if one.component_id != first.id or one.last_terms is not None:
        return []
    period = one.period
    if first.timing is BillingTiming.IN_ADVANCE:
        if one.period_number == 0:
            return []
        rule = first.recurrence_in(held.time_zone)
        period = rule.period(held.anchor_at, one.period_number - 1)
    return terms.held_in(period)


def _ended_of(
    context: Context, parts: Iterable[_Part], offers: dict[catalog.OfferKey, Offer]
) -> list[_Ended]:
    return [
        _Ended(held, metric_id, period, _paying(context, held, metric_id, period, offers))
        for held, period in parts
        for metric_id in _unpriced(offers[_key(held)])
    ]


def _paying(
    context: Context,
    held: Subscription,
    metric_id: MetricId,
    period: Interval,
    offers: dict[catalog.OfferKey, Offer],
) -> list[CreditGrant]:
    return [
        grant
        for grant in context.grants.get(held.customer_id, ())
        if grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == metric_id
        and counts_for(grant, held, offers[_key(held)])
        and grant.overlaps(period)
    ]


async def _with_lapsed(
    tx: Tx, context: Context, ended: Sequence[_Ended], offers: dict[catalog.OfferKey, Offer]
) -> list[_Ended]:
    """The same with those grants that ended within the periods: they paid for what was used in their time (CRD-8)."""
    if not ended:
        return []
    holders = sorted({one.held.customer_id for one in ended})
    since = min(one.period.start_at for one in ended)
    until = max(one.period.end_at for one in ended)
    wider, lapsed = await with_lapsed_grants(tx, context, holders, since=since, until=until)
    return [
        replace(
            one, grants=_paying(wider, one.held, one.metric_id, one.period, offers), lapsed=lapsed
        )
        for one in ended
    ]


def _key(held: Subscription) -> catalog.OfferKey:
    return held.version.plan_version_id, held.version.price_id


async def _offers_of(
    tx: Tx, context: Context, held: Iterable[Subscription]
) -> dict[catalog.OfferKey, Offer]:
    """What these versions bought; only what is not at hand is read."""
    offers = {_key(one): context.offers[one_id] for one_id, one in context.subscriptions.items()}
    if missing := {_key(one) for one in held} - offers.keys():
        offers |= await catalog.get_offers(tx, sorted(missing))
    return offers


def _unpriced(offer: Offer) -> list[MetricId]:
    """The metrics of the plan's features that none of its components bills."""
    metrics = {
        metric_id
        for granted in offer.version.features
        if (metric_id := offer.features[granted.feature_id].metric_id) is not None
        and offer.component_for_metric(metric_id) is None
    }
    return sorted(metrics)


async def _drawn_by_these(
    tx: Tx,
    context: Context,
    found: Sequence[_Ended],
    offers: dict[catalog.OfferKey, Offer],
) -> list[_Ended]:
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
    offers = offers | await _offers_of(
        tx, context, (one for some in others.values() for one in some)
    )
    goes_on: dict[SubscriptionId, bool] = {
        one.id: one.version.status in BILLED for one in context.subscriptions.values()
    }

    def draws(ended: _Ended, other: Subscription) -> bool:
        offer = offers[_key(other)]
        if offer.component_for_metric(ended.metric_id) is not None:
            return True
        older = other.id < ended.held.id or not goes_on[ended.held.id]
        return older and ended.metric_id in _unpriced(offer)

    return [
        one
        for one in found
        if not any(
            draws(one, other) for other in others[one.held.customer_id] if other.id != one.held.id
        )
    ]
