"""What a customer has left to use now, of money or of a metered feature's credits (CRD-9)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, Feature, MetricId, Offer
from candela_server.catalog.refs import ById
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant
from candela_server.customer.model import Customer
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.credits_compared import compared, waiting_parts
from candela_server.subscription.rules.lifecycle import RUNNING

from .measure_usage import Ask, measure
from .rules.included_first import included_number

_ZERO = Decimal(0)


class _Running(NamedTuple):
    """The period that runs of what a customer holds, and whose it is."""

    held: Subscription
    offer: Offer
    period: Interval


async def money_left(tx: Tx, holder: Customer, currency: str, now: datetime) -> Decimal:
    """What is left of money in a currency, as posted."""
    spendable = (await credit.list_spendable_grants(tx, {holder.id: now}))[holder.id]
    return sum((one.balance for one in spendable if one.currency == currency), _ZERO)


async def usage_left(
    tx: Tx, events: EventStore, holder: Customer, feature: Feature, now: datetime
) -> Decimal:
    """What is left of a metered feature's credits, less what drafts draw and what was used since; and of a number that
    the plan includes or an override sets, which is used up before credits.

    Compared as a check compares it (ENT-4): usage in its window, with credits of its own time. What came before was
    paid for by credits that are over, or is on a draft, which takes its credits only as it is finalized.
    """
    assert feature.metric_id is not None, "it is metered"
    held = await subscription.list_of_customer(tx, holder.id)
    running = await _running(tx, held, feature.metric_id, now)
    waiting = (await subscription.list_waiting_usage(tx, [holder.id]))[holder.id] if running else []
    started = [running.period.start_at] if running else []
    since = {holder.id: min([*started, *(one.part.start_at for one in waiting)], default=now)}
    grants = [
        grant
        for grant in (await credit.list_paying_grants(tx, since, {holder.id: now}))[holder.id]
        if grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == feature.metric_id
    ]
    if running is None:
        return sum((grant.balance for grant in grants if grant.counts_at(now)), _ZERO)
    metric = await catalog.get_metric(tx, ById(feature.metric_id))
    waits = waiting_parts(waiting, metric, grants)
    number = await _included(tx, running, feature.metric_id, grants, now)
    if number:
        # It stands for all that the plan includes.
        grants = [one for one in grants if not _is_of_plan(one, running.held)]
    drawn = await subscription.list_drawn_parts(tx, held)
    terms = [one.version.terms_since for one in held if one.version.terms_since is not None]
    found = compared(
        metric,
        grants,
        running.period,
        now,
        drawn=[one for some in drawn.values() for one in some if one.metric_id == metric.id],
        terms_since=max(terms, default=None),
        included=number or None,
        pauses=(await subscription.list_pauses(tx, [running.held]))[running.held.id],
        waiting=waits,
    )
    measured = await measure(
        events,
        tx.merchant_id,
        [
            Ask(customer_id=holder.id, metric=metric, period=one, counts_events=False, grants=())
            for one in (found.window, *(found.past.parts if found.past else ()))
        ],
    )
    used, *past = [one.value for one in measured]
    return found.left(used, past)


async def _running(
    tx: Tx, held: Sequence[Subscription], metric_id: MetricId, now: datetime
) -> _Running | None:
    """The running period of the component that bills the metric; where none does, of the first one that runs."""
    fallback = None
    for one in held:
        if one.version.status not in RUNNING or now < one.anchor_at:
            continue
        key = (one.version.plan_version_id, one.version.price_id)
        offer = (await catalog.get_offers(tx, [key]))[key]
        billing = offer.component_for_metric(metric_id)
        component = offer.price.component(billing or offer.price.components[0].id)
        rule = component.recurrence_in(one.time_zone)
        found = _Running(one, offer, rule.period_containing(one.anchor_at, now))
        if billing is not None:
            return found
        fallback = fallback or found
    return fallback


async def _included(
    tx: Tx, running: _Running, metric_id: MetricId, grants: Sequence[CreditGrant], now: datetime
) -> Decimal:
    overrides = await subscription.list_overrides(tx, [running.held.id])
    return included_number(
        running.offer, metric_id, {one.feature_id: one for one in overrides}, grants, now
    )


def _is_of_plan(grant: CreditGrant, held: Subscription) -> bool:
    return grant.definition_id is not None and grant.subscription_id == held.id
