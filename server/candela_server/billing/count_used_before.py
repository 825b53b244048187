"""Takes off a new plan's allowance what the period used under the plans before it (ENT-4, CRD-5).

So it is with a subscription that comes back after its end: what its periods that would be running had paid for stays
used, though new ones are counted from then on. An end and a return bring nothing fresh either (`_came_back`).

A period has one allowance of a metric, however often the plan changes within it: what the plan in force grants for a
period, less what the subscription's plans have paid for since the period began. So a greater plan brings the
difference, and a way to another plan and back brings nothing. What was paid for with money is not taken off.

| within one period           | granted      | used and paid by it | counts for the next plan |
|-----------------------------|--------------|---------------------|--------------------------|
| A brings 100                | 100          | 70                  | 70                       |
| then B, which brings 1,000  | 1,000 − 70   | 30                  | 100                      |
| then A again                | 100 − 100    | none                | 100                      |

The grant is made whole and corrected at once, with the reason, so that its history says where the rest went. Checks and
invoices read the same balance. Where periods differ, the one that began last counts. A metric whose parts do not add up
(unique users, a maximum) has one reading for the period, which checks compare with the whole allowance instead
(`window_of`). Events that come later than the change are not counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditApplicationType, MetricId, Offer
from candela_server.credit import read as credit
from candela_server.credit.adjust_grant import correct_by
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans, in_order
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.metering.rules.aggregation import parts_add_up
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.change import Changed
from candela_server.subscription.grant_after_change import are_other_terms
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.credits_held import begins_anew, counts_for
from candela_server.subscription.rules.reschedule import BILLED, ENDED
from candela_server.subscription.rules.schedule import credit_component

from .billing_context import Context, read_context
from .measure_usage import Ask, measure
from .rules.terms_held import terms_held

_ZERO = Decimal(0)


async def count_used_before(tx: Tx, events: EventStore, changed: Changed) -> None:
    """Corrects what a change of plan has granted for a period that had begun; the subscription must be locked."""
    held, at = changed.subscription, changed.at
    if at is None or held.version.terms_since is None:
        return
    context = await read_context(tx, [held.id], until=changed.now)
    *earlier, before, after = context.histories[held.id]
    offer = context.offer_of(after)
    if not _came_back(before, after) and (
        before.anchor_at != after.anchor_at or not are_other_terms(context.offer_of(before), offer)
    ):
        return
    own = await credit.list_grants_of_subscription(tx, held.id)
    renewing = _renewing(offer)
    fresh: defaultdict[MetricId, list[CreditGrant]] = defaultdict(list)
    for grant in own:
        if grant.metric_id is None or not parts_add_up(offer.metrics[grant.metric_id]):
            continue
        if grant.definition_id in renewing and counts_for(grant, after, offer):
            fresh[grant.metric_id].append(grant)
    # Of the plan before by the periods of now; of what was held before an end by those that were counted then.
    # A trial's credits are the trial's (CRD-6): a plan that follows it brings all of its own.
    counted_from = [] if _came_back(before, after) else [(before, after)]
    counted_from += [
        (one, one)
        for one in earlier
        if one.anchor_at != after.anchor_at
        and one.version.status in BILLED
        and not _is_trial(context, one)
    ]
    for metric_id, grants in sorted(fresh.items()):
        began_at = min(
            (
                _began_at([context.offer_of(terms), offer], metric_id, anchored, at)
                for terms, anchored in counted_from
            ),
            default=at,
        )
        if began_at >= at:
            continue
        counted = await _paid_for(tx, events, context, own, metric_id, Interval(began_at, at))
        granted = await credit.sum_granted(tx, [grant.id for grant in grants])
        for grant in in_order(grants):
            share = min(counted, grant.amount)
            counted -= share
            # One that counts again at the instant at which it began was corrected then.
            taken = min(share - (grant.amount - granted.get(grant.id, _ZERO)), grant.balance)
            if taken > 0:
                reason = f"{format_decimal(taken)} used in the period under another plan"
                await correct_by(tx, grant, -taken, reason=reason, at=changed.now)


def _came_back(before: Subscription, after: Subscription) -> bool:
    """Whether the subscription had ended. Its periods are counted from another instant then, so that of all that were
    ever counted the one that began first counts: a return each day is one from the same period."""
    return before.version.status in ENDED and after.version.status not in ENDED


def _is_trial(context: Context, one: Subscription) -> bool:
    return context.offer_of(one).plan.trial is not None


def _renewing(offer: Offer) -> set[str]:
    return {one.id for one in offer.credit_definitions if begins_anew(one)}


def _began_at(
    offers: Sequence[Offer], metric_id: MetricId, held: Subscription, at: datetime
) -> datetime:
    """When the period began whose allowance is shared: the last of them, where the plans' periods differ."""
    return max(
        credit_component(offer, definition)
        .recurrence_in(held.time_zone)
        .period_containing(held.anchor_at, at)
        .start_at
        for offer in offers
        for definition in offer.credit_definitions
        if begins_anew(definition) and definition.metric_id == metric_id
    )


async def _paid_for(
    tx: Tx,
    events: EventStore,
    context: Context,
    own: Sequence[CreditGrant],
    metric_id: MetricId,
    span: Interval,
) -> Decimal:
    """What plans have paid for, or will as it is invoiced, of what the span used of a metric.

    Each plan's part of the span is drawn in the order of invoices from what was granted, as if nothing had been drawn:
    what is invoiced and what is not is told alike. What is no allowance of these plans pays with what it has left.
    """
    [(subscription_id, history)] = context.histories.items()
    holder = context.subscriptions[subscription_id].customer_id
    renewing = {one for offer in context.ever_held.values() for one in _renewing(offer)}
    known = {grant.id: grant for grant in (*context.grants.get(holder, ()), *own)}
    granted = await credit.sum_granted(tx, [grant.id for grant in own])
    has = {
        grant.id: granted.get(grant.id, _ZERO)
        if grant.definition_id in renewing and grant.subscription_id == subscription_id
        else grant.balance
        for grant in known.values()
    }
    asks = [
        Ask(
            customer_id=holder,
            metric=context.offer_of(held).metrics[metric_id],
            period=part,
            counts_events=False,
            grants=[
                grant
                for grant in known.values()
                if grant.application_type is CreditApplicationType.USAGE
                and grant.metric_id == metric_id
                and counts_for(grant, held, context.offer_of(held))
                and grant.overlaps(part)
            ],
        )
        for terms in terms_held(history)
        if terms.billed and terms.ended_at is not None and not _is_trial(context, terms.versions[0])
        for held, part in terms.held_in(span)
        if metric_id in context.offer_of(held).metrics
    ]
    paid: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    for ask, used in zip(asks, await measure(events, tx.merchant_id, asks), strict=True):
        grants = [replace(grant, balance=has[grant.id] - paid[grant.id]) for grant in ask.grants]
        spans = used.spans or (UsedSpan(ask.period, used.value),)
        for draw in draw_in_spans(grants, spans, used.value)[0].draws:
            paid[draw.grant_id] += draw.amount
    return sum(
        (
            amount
            for grant_id, amount in paid.items()
            if known[grant_id].definition_id in renewing
            and known[grant_id].subscription_id == subscription_id
        ),
        _ZERO,
    )
