"""Begins a subscription whose start lies ahead: until then it is INCOMPLETE, and has nothing (SUB-5).

What was agreed is kept as it was: plan version, price and quantities are those of the day of the agreement. The start
is listed as a scheduled change; calling it off ends the subscription, and ending the subscription calls it off.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.model import TrialEnding
from candela_server.catalog.refs import ById
from candela_server.kernel.ids import new_id
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import scheduled_store
from .change import ScheduledChange, ScheduledChangeId, ScheduledStatus, Start
from .end_trial import plan_trial_end
from .model import Status, Subscription, SubscriptionVersion
from .rules.lifecycle import check_change_of_status


async def plan_start(
    tx: Tx,
    held: Subscription,
    ending: TrialEnding | None,
    test_clock_id: TestClockId | None,
    *,
    now: datetime,
) -> None:
    """Plans the beginning for the instant that its periods are counted from; `ending` is that of a trial."""
    await scheduled_store.insert_scheduled(
        tx,
        ScheduledChange(
            id=ScheduledChangeId(new_id("sch")),
            subscription_id=held.id,
            test_clock_id=test_clock_id,
            status=ScheduledStatus.PENDING,
            due_at=held.anchor_at,
            change=Start(
                plan_version_id=held.version.plan_version_id,
                price_id=held.version.price_id,
                ending=ending,
            ),
            proration=None,
            reason=held.version.reason,
            actor=held.version.actor,
            outcome="",
            created_at=now,
        ),
    )


def start(held: Subscription, change: Start) -> SubscriptionVersion:
    """The version that begins. Raises TransitionRefusedError when it has begun or ended before."""
    status = Status.ACTIVE if change.ending is None else Status.TRIALING
    check_change_of_status(held.version.status, status)
    return replace(held.version, status=status)


async def after_start(
    tx: Tx, held: Subscription, change: Start, test_clock_id: TestClockId | None
) -> None:
    """Plans the end of the trial that has begun, if it is one. Raises PlanNotSoldError as plan_trial_end does."""
    if change.ending is None:
        return
    trial = (await catalog.get_plan(tx, ById(held.version.plan_id))).trial
    assert trial is not None, "only a trial has an ending"
    await plan_trial_end(tx, held, trial, change.ending, test_clock_id)


def is_start(planned: ScheduledChange) -> bool:
    """Whether a scheduled change begins the subscription."""
    return isinstance(planned.change, Start)
