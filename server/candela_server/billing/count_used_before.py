"""Takes off a new plan's allowance what the period used under the plans before it (ENT-4, CRD-5).

So it is with a subscription that comes back after its end: what its periods that would be running had paid for stays
used, though new ones are counted from then on, until those would be over; from then on the new period has its whole
allowance, which is paid for. An end and a return bring nothing fresh before (`_came_back`), nor does another
subscription to the same plan that has ended (count_ended_before.py).

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
(`window_of`). What is told later than the change and was used before it, the plan of its time pays for, with what that
had left, and money the rest: it takes nothing off the plan in force, neither in checks nor on invoices (EVT-9).
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from candela_server.catalog.model import MetricId
from candela_server.credit import read as credit
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.change import Changed
from candela_server.subscription.grant_after_change import are_other_terms
from candela_server.subscription.model import Subscription
from candela_server.subscription.rules.reschedule import BILLED, ENDED

from .billing_context import read_context
from .count_ended_before import paid_by_ended
from .paid_by_plans import fresh_allowances, is_trial, paid_by_plans, shared_period, take_off


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
    fresh = fresh_allowances(own, after, offer)
    # Of the plan before by the periods of now; of what was held before an end by those that were counted then.
    # A trial's credits are the trial's (CRD-6): a plan that follows it brings all of its own.
    counted_from = [] if _came_back(before, after) else [(before, after)]
    counted_from += [
        (one, one)
        for one in earlier
        if one.anchor_at != after.anchor_at
        and one.version.status in BILLED
        and not is_trial(context, one)
    ]

    def period_of(
        metric_id: MetricId, terms: Subscription, anchored: Subscription
    ) -> Interval | None:
        return shared_period([context.offer_of(terms), offer], metric_id, anchored, at)

    def ends_at(metric_id: MetricId, one: Subscription) -> datetime | None:
        period = None if one.anchor_at == after.anchor_at else period_of(metric_id, one, one)
        return None if period is None else period.end_at

    elsewhere = await paid_by_ended(tx, events, context, after, fresh, now=changed.now)
    for metric_id, grants in sorted(fresh.items()):
        began = min(
            (
                period.start_at
                for terms, anchored in counted_from
                if (period := period_of(metric_id, terms, anchored))
            ),
            default=at,
        )
        counted = elsewhere[metric_id]
        if began < at:
            counted += await paid_by_plans(
                tx,
                events,
                context,
                own,
                metric_id,
                [Interval(began, at)],
                lambda one: not is_trial(context, one),
                partial(ends_at, metric_id),
            )
        await take_off(tx, grants, counted, own, under="another plan", at=changed.now)


def _came_back(before: Subscription, after: Subscription) -> bool:
    """Whether the subscription had ended. Its periods are counted from another instant then, so that of all that were
    ever counted the one that began first counts: a return each day is one from the same period."""
    return before.version.status in ENDED and after.version.status not in ENDED
