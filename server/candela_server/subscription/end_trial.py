"""Begins and ends trials: from the first instant on, the move to the plan that a trial leads to is planned (TRL-2).

The rule of the end: whoever pays what is sent can be billed, and the subscription goes on. What cannot be billed,
because the plan is not sold any more, is canceled; other ways out need payment methods to be known.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import PlanNotFoundError, PlanNotSoldError
from candela_server.catalog.model import TrialTerms
from candela_server.catalog.refs import ById
from candela_server.kernel.ids import new_id
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import scheduled_store
from .cancel_subscription import cancel_now
from .change import ScheduledChange, ScheduledChangeId, ScheduledStatus, TrialEnd
from .model import Status, Subscription, SubscriptionVersion
from .rules.lifecycle import check_running
from .rules.quantities import carried_over
from .rules.trial import trial_end


async def plan_trial_end(
    tx: Tx, held: Subscription, trial: TrialTerms, test_clock_id: TestClockId | None
) -> None:
    """Plans the move at the same time of day, so many days after it began.

    Raises PlanNotSoldError when the plan could not be taken even now.
    """
    await catalog.resolve_price(
        tx,
        ById(trial.parent_plan_id),
        price_id=None,
        currency=held.currency,
        customer_id=held.customer_id,
    )
    await scheduled_store.insert_scheduled(
        tx,
        ScheduledChange(
            id=ScheduledChangeId(new_id("sch")),
            subscription_id=held.id,
            test_clock_id=test_clock_id,
            status=ScheduledStatus.PENDING,
            due_at=trial_end(trial, held.anchor_at, held.time_zone),
            change=TrialEnd(parent_plan_id=trial.parent_plan_id),
            proration=None,
            reason="the trial ends",
            actor=held.version.actor,
            outcome="",
            created_at=held.created_at,
        ),
    )


async def end_trial(tx: Tx, held: Subscription, *, at: datetime) -> SubscriptionVersion:
    """The version on the parent plan, whose periods are counted from the trial's end; a paused one stays paused.

    Without a trial, because the plan was changed before, nothing changes.
    """
    check_running(held.version.status)
    trial = (await catalog.get_plan(tx, ById(held.version.plan_id))).trial
    if trial is None:
        return held.version
    try:
        plan, version, price = await catalog.resolve_price(
            tx,
            ById(trial.parent_plan_id),
            price_id=None,
            currency=held.currency,
            customer_id=held.customer_id,
        )
    except (PlanNotSoldError, PlanNotFoundError):
        return cancel_now(held)
    before = await catalog.get_price(tx, held.version.price_id)
    paused = held.version.status is Status.PAUSED
    return replace(
        held.version,
        status=Status.PAUSED if paused else Status.ACTIVE,
        plan_id=plan.id,
        plan_version_id=version.id,
        price_id=price.id,
        quantities=carried_over(before, held.version.quantities, price, {}),
        anchor_at=at,
    )
