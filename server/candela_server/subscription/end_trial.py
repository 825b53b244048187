"""Begins and ends trials: from the first instant on, the move to the plan that a trial leads to is planned (TRL-2).

| at its end                                     | the subscription                                    |
|------------------------------------------------|-----------------------------------------------------|
| that plan is not sold any more                 | is canceled                                         |
| it is free, or the customer pays what is sent  | goes on with it                                     |
| else, as was said when the trial began: CANCEL | is canceled                                         |
| PAUSE                                          | moves to it, paused, until something is there to pay |
| DOWNGRADE_TO_FREE                              | goes on with the free plan; canceled if that is not |
|                                                | sold, or not free, any more                         |

A subscription that was paused before stays paused with whatever plan it moves to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import PlanNotFoundError, PlanNotSoldError
from candela_server.catalog.model import (
    Plan,
    PlanId,
    PlanVersion,
    TrialEndBehavior,
    TrialEnding,
    TrialTerms,
)
from candela_server.catalog.price import Price
from candela_server.catalog.refs import ById
from candela_server.catalog.rules.free_plan import is_free
from candela_server.kernel.ids import new_id
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import scheduled_store
from .cancel_subscription import cancel_now
from .change import ScheduledChange, ScheduledChangeId, ScheduledStatus, TrialEnd
from .model import Status, Subscription, SubscriptionVersion
from .payable import can_be_paid
from .rules.lifecycle import check_running
from .rules.quantities import carried_over
from .rules.trial import trial_end


async def plan_trial_end(
    tx: Tx,
    held: Subscription,
    trial: TrialTerms,
    ending: TrialEnding,
    test_clock_id: TestClockId | None,
) -> None:
    """Plans the move at the same time of day, after so many days, or what it ends in without a payment method.

    Raises PlanNotSoldError when a plan that it may end in could not be taken even now.
    """
    await _on_sale(tx, held, trial.parent_plan_id)
    if ending.free_plan_id is not None:
        await _on_sale(tx, held, ending.free_plan_id)
    await scheduled_store.insert_scheduled(
        tx,
        ScheduledChange(
            id=ScheduledChangeId(new_id("sch")),
            subscription_id=held.id,
            test_clock_id=test_clock_id,
            status=ScheduledStatus.PENDING,
            due_at=trial_end(trial, held.anchor_at, held.time_zone),
            change=TrialEnd(parent_plan_id=trial.parent_plan_id, ending=ending),
            proration=None,
            reason="the trial ends",
            actor=held.version.actor,
            outcome="",
            created_at=held.created_at,
        ),
    )


async def end_trial(
    tx: Tx, held: Subscription, change: TrialEnd, *, at: datetime
) -> SubscriptionVersion:
    """The version after the trial, whose periods are counted from the trial's end.

    Without a trial, because the plan was changed before, nothing changes.
    """
    check_running(held.version.status)
    trial = (await catalog.get_plan(tx, ById(held.version.plan_id))).trial
    if trial is None:
        return held.version
    status = Status.PAUSED if held.version.status is Status.PAUSED else Status.ACTIVE
    try:
        parent = await _on_sale(tx, held, trial.parent_plan_id)
        if can_be_paid(held.collection_method, parent.price):
            return await _moved(tx, held, parent, status, at)
        match change.ending.behavior:
            case TrialEndBehavior.CANCEL:
                return cancel_now(held)
            case TrialEndBehavior.PAUSE:
                return await _moved(tx, held, parent, Status.PAUSED, at)
            case TrialEndBehavior.DOWNGRADE_TO_FREE:
                assert change.ending.free_plan_id is not None, "endings are born so"
                free = await _on_sale(tx, held, change.ending.free_plan_id)
                if not is_free(free.price):
                    return cancel_now(held)
                return await _moved(tx, held, free, status, at)
            case _:
                assert_never(change.ending.behavior)
    except (PlanNotSoldError, PlanNotFoundError):
        return cancel_now(held)


async def after_the_trial(tx: Tx, held: Subscription, *, at: datetime) -> SubscriptionVersion:
    """The version on the plan that its trial leads to, for who takes up a trial that ended: it is not had twice.

    Raises PlanNotSoldError and PlanNotFoundError. A version whose plan is no trial stays as it is.
    """
    trial = (await catalog.get_plan(tx, ById(held.version.plan_id))).trial
    if trial is None:
        return held.version
    parent = await _on_sale(tx, held, trial.parent_plan_id)
    return await _moved(tx, held, parent, held.version.status, at)


@dataclass(frozen=True, slots=True)
class _Sold:
    """What would be taken now."""

    plan: Plan
    version: PlanVersion
    price: Price


async def _on_sale(tx: Tx, held: Subscription, plan_id: PlanId) -> _Sold:
    """The plan's current version and its price in the subscription's currency. Raises PlanNotSoldError."""
    return _Sold(
        *await catalog.resolve_price(
            tx,
            ById(plan_id),
            price_id=None,
            currency=held.currency,
            customer_id=held.customer_id,
        )
    )


async def _moved(
    tx: Tx, held: Subscription, to: _Sold, status: Status, at: datetime
) -> SubscriptionVersion:
    before = await catalog.get_price(tx, held.version.price_id)
    return replace(
        held.version,
        status=status,
        plan_id=to.plan.id,
        plan_version_id=to.version.id,
        price_id=to.price.id,
        quantities=carried_over(before, held.version.quantities, to.price, {}),
        anchor_at=at,
    )
