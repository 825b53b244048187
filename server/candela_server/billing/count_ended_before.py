"""Takes off an allowance what other subscriptions to the plan, that have ended, used in a running period (ENT-4).

An end and a new subscription to the same plan bring nothing fresh, just as an end and a return do not: of the period
that would be running of each that ended, what its allowance has paid for counts against that of the new one. It does
until that period would be over: from then on the new one is whole again, for what is used later.

| before                                             | a new subscription, or one that comes back, has      |
|----------------------------------------------------|------------------------------------------------------|
| one to the plan has ended, its period would run on | what the plan brings, less what that one's paid for; |
|                                                    | as that period would have ended: all of it           |
| the period in which it ended is over               | all that the plan brings                             |
| its allowance was revoked, or had not been used    | all that the plan brings                             |
| one to the plan runs, and both are meant (SUB-9)   | all that the plan brings: both are paid for          |
| a trial of the plan has ended                      | all that the plan brings (CRD-6)                     |
| a trial has ended, and the same trial begins anew  | what the trial brings, less what that one's paid for |

What was paid for with money, by gifts or packs is not taken off. Of instants at which several of them ran, each counts
once. A metric whose parts do not add up is measured from the beginning of the new one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial

from candela_server.catalog.model import MetricId
from candela_server.credit import read as credit
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.reschedule import BILLED, ENDED

from .billed_before import LOOKS_BACK
from .billing_context import Context, read_context
from .paid_by_plans import fresh_allowances, is_trial, paid_by_plans, shared_period, take_off
from .rules.counted_before import CountedBefore
from .rules.outside import outside
from .rules.terms_held import terms_held


async def count_ended_before(
    tx: Tx, events: EventStore, begun: Subscription, *, now: datetime
) -> None:
    """Corrects what a subscription was granted that has just begun; its customer must be locked."""
    if begun.version.status not in BILLED:
        return
    ended = await _ended_to(tx, begun)
    if not ended:
        return
    context = await read_context(tx, [begun.id], until=now)
    own = await credit.list_grants_of_subscription(tx, begun.id)
    fresh = fresh_allowances(own, begun, context.offer_of(begun))
    counted = await _paid_by(tx, events, ended, context, begun, fresh, now)
    for metric_id, grants in sorted(fresh.items()):
        await take_off(tx, grants, counted[metric_id], own, under="one that ended", at=now)


async def paid_by_ended(
    tx: Tx,
    events: EventStore,
    context: Context,
    held: Subscription,
    metrics: Collection[MetricId],
    *,
    now: datetime,
) -> dict[MetricId, CountedBefore]:
    """By metric, what others to the plan of `held` paid for that have ended; `context` is of `held`."""
    ended = await _ended_to(tx, held)
    return await _paid_by(tx, events, ended, context, held, metrics, now)


async def _ended_to(tx: Tx, held: Subscription) -> list[Subscription]:
    """The customer's others that have ended and were to this plan once, oldest first."""
    ended = [
        one
        for one in await subscription.list_of_customer(tx, held.customer_id)
        if one.id != held.id
        and one.version.status in ENDED
        and one.version.valid_from > held.version.valid_from - LOOKS_BACK
    ]
    if not ended:
        return []
    histories = await subscription.list_histories(tx, ended)
    plan_id = held.version.plan_id
    return [
        one
        for one in ended
        if any(version.version.plan_id == plan_id for version in histories[one.id])
    ]


async def _paid_by(
    tx: Tx,
    events: EventStore,
    ended: Sequence[Subscription],
    context: Context,
    held: Subscription,
    metrics: Collection[MetricId],
    now: datetime,
) -> dict[MetricId, CountedBefore]:
    counted = dict.fromkeys(metrics, CountedBefore())
    if not counted:
        return counted
    at, of_trial = held.version.valid_from, is_trial(context, held)
    seen: list[Interval] = []
    for one in ended:
        # One by one: rarely there is more than one, and each is read with its own history.
        before = await read_context(tx, [one.id], until=now)
        own = await credit.list_grants_of_subscription(tx, one.id)
        history = before.histories[one.id]
        for metric_id in counted:
            began = min(
                (
                    period.start_at
                    for version in history
                    if version.version.status in BILLED
                    and _is_of_trial(before, of_trial, version)
                    and (period := _period_of(before, metric_id, at, version))
                ),
                default=at,
            )
            if began < at:
                counted[metric_id] += await paid_by_plans(
                    tx,
                    events,
                    before,
                    own,
                    metric_id,
                    outside(Interval(began, at), seen),
                    partial(_is_of_trial, before, of_trial),
                    partial(_end_of_period, before, metric_id, at),
                )
        seen += [
            Interval(terms.began_at, terms.ended_at)
            for terms in terms_held(history)
            if terms.billed and terms.ended_at is not None and terms.began_at < terms.ended_at
        ]
    return counted


def _period_of(
    context: Context, metric_id: MetricId, at: datetime, version: Subscription
) -> Interval | None:
    """The period of what a version of one that ended brought, that would be running."""
    return shared_period([context.offer_of(version)], metric_id, version, at)


def _end_of_period(
    context: Context, metric_id: MetricId, at: datetime, version: Subscription
) -> datetime | None:
    period = _period_of(context, metric_id, at, version)
    return None if period is None else period.end_at


def _is_of_trial(context: Context, of_trial: bool, one: Subscription) -> bool:
    return is_trial(context, one) is of_trial
