"""What the plans of a subscription have paid for, of what was used in a period, from the allowances they brought."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditApplicationType, MetricId, Offer
from candela_server.credit import read as credit
from candela_server.credit.adjust_grant import correct_by
from candela_server.credit.grant_again import grant_again
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans, in_order
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.metering.rules.aggregation import parts_add_up
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.credits_held import begins_anew, counts_for
from candela_server.subscription.rules.schedule import credit_component

from .billing_context import Context
from .measure_usage import Ask, measure
from .rules.counted_before import CountedBefore, share_out
from .rules.terms_held import terms_held

_ZERO = Decimal(0)

Counts = Callable[[Subscription], bool]
"""Whether what was used under a version counts."""

Until = Callable[[Subscription], datetime | None]
"""Until when what was used under a version counts; None: as long as the allowance that it counts against."""


def is_trial(context: Context, one: Subscription) -> bool:
    """Whether it was a trial's version."""
    return context.offer_of(one).plan.trial is not None


def fresh_allowances(
    own: Sequence[CreditGrant], held: Subscription, offer: Offer
) -> dict[MetricId, list[CreditGrant]]:
    """By metric whose parts add up, what of a subscription's grants is an allowance of the period that a version begins
    in."""
    renewing = _renewing(offer)
    fresh: defaultdict[MetricId, list[CreditGrant]] = defaultdict(list)
    for grant in own:
        if grant.metric_id is None or not parts_add_up(offer.metrics[grant.metric_id]):
            continue
        began = grant.effective_at <= held.version.valid_from
        if began and grant.definition_id in renewing and counts_for(grant, held, offer):
            fresh[grant.metric_id].append(grant)
    return fresh


def shared_period(
    offers: Sequence[Offer], metric_id: MetricId, held: Subscription, at: datetime
) -> Interval | None:
    """The period whose allowance is shared: the one that began last, where the plans' periods differ; None where none
    of them brings one."""
    return max(
        (
            credit_component(offer, definition)
            .recurrence_in(held.time_zone)
            .period_containing(held.anchor_at, at)
            for offer in offers
            for definition in offer.credit_definitions
            if begins_anew(definition) and definition.metric_id == metric_id
        ),
        key=lambda period: period.start_at,
        default=None,
    )


async def take_off(
    tx: Tx,
    grants: Sequence[CreditGrant],
    before: CountedBefore,
    own: Sequence[CreditGrant],
    *,
    under: str,
    at: datetime,
) -> None:
    """Corrects allowances by what was used in their period before they came, under something else; what counts only
    until an earlier end is granted again from then on. `own` are all grants of the subscription."""
    granted = await credit.sum_granted(tx, [grant.id for grant in grants])
    ordered = in_order(grants)
    for grant, share in zip(ordered, share_out(ordered, before), strict=True):
        # One that counts again at the instant at which it began was corrected then.
        taken = min(share.taken - (grant.amount - granted.get(grant.id, _ZERO)), grant.balance)
        if taken > 0:
            reason = f"{format_decimal(taken)} used in the period under {under}"
            await correct_by(tx, grant, -taken, reason=reason, at=at)
        for since, amount in share.again.items():
            reason = f"{format_decimal(amount)} used under {under}, whose period would be over"
            again = await grant_again(tx, grant, amount, since=since, own=own, reason=reason, at=at)
            own = [*own, again]


async def paid_by_plans(
    tx: Tx,
    events: EventStore,
    context: Context,
    own: Sequence[CreditGrant],
    metric_id: MetricId,
    spans: Sequence[Interval],
    counts: Counts,
    until: Until,
) -> CountedBefore:
    """What plans have paid for, or will as it is invoiced, of what these spans used of a metric.

    The context is of one subscription, and `own` are all grants that ever came with it. Each plan's part of a span is
    drawn in the order of invoices from what was granted, as if nothing had been drawn: what is invoiced and what is not
    is told alike. What is no allowance of these plans pays with what it has left. `until` says of a version how long
    what was used under it counts.
    """
    [(subscription_id, history)] = context.histories.items()
    holder = context.subscriptions[subscription_id].customer_id
    renewing = {one for offer in context.ever_held.values() for one in _renewing(offer)}
    known = {grant.id: grant for grant in (*context.grants.get(holder, ()), *own)}
    granted = await credit.sum_granted(tx, [grant.id for grant in own])
    allowances = {
        grant.id
        for grant in known.values()
        if grant.definition_id in renewing and grant.subscription_id == subscription_id
    }
    has = {
        grant.id: granted.get(grant.id, _ZERO) if grant.id in allowances else grant.balance
        for grant in known.values()
    }
    parts = [
        (held, part)
        for terms in terms_held(history)
        if terms.billed and terms.ended_at is not None and counts(terms.versions[0])
        for span in spans
        for held, part in terms.held_in(span)
        if metric_id in context.offer_of(held).metrics
    ]
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
        for held, part in parts
    ]
    paid: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    counted: defaultdict[datetime | None, Decimal] = defaultdict(Decimal)
    measured = await measure(events, tx.merchant_id, asks)
    for (held, _), ask, used in zip(parts, asks, measured, strict=True):
        grants = [replace(grant, balance=has[grant.id] - paid[grant.id]) for grant in ask.grants]
        used_spans = used.spans or (UsedSpan(ask.period, used.value),)
        for draw in draw_in_spans(grants, used_spans, used.value)[0].draws:
            paid[draw.grant_id] += draw.amount
            if draw.grant_id in allowances:
                counted[until(held)] += draw.amount
    return CountedBefore(counted)


def _renewing(offer: Offer) -> set[str]:
    return {one.id for one in offer.credit_definitions if begins_anew(one)}
