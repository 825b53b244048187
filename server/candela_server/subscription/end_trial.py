"""Ends a trial: the subscription moves to the plan that the trial leads to (TRL-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.catalog import read as catalog
from candela_server.catalog.refs import ById
from candela_server.storage.postgres import Tx

from .model import Status, Subscription, SubscriptionVersion
from .rules.lifecycle import check_running
from .rules.quantities import carried_over


async def end_trial(tx: Tx, held: Subscription, *, at: datetime) -> SubscriptionVersion:
    """The version on the parent plan, whose periods are counted from the trial's end.

    Without a trial, because the plan was changed before, nothing changes.
    """
    check_running(held.version.status)
    trial = (await catalog.get_plan(tx, ById(held.version.plan_id))).trial
    if trial is None:
        return held.version
    plan, version, price = await catalog.resolve_price(
        tx,
        ById(trial.parent_plan_id),
        price_id=None,
        currency=held.currency,
        customer_id=held.customer_id,
    )
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
