"""Stops granting and billing for a while, and goes on (SUB-6)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.catalog import read as catalog
from candela_server.catalog.refs import ById
from candela_server.storage.postgres import Tx

from . import version_store
from .model import Status, Subscription, SubscriptionVersion
from .rules.lifecycle import check_change_of_status


def pause(held: Subscription) -> SubscriptionVersion:
    """The paused version. Raises TransitionRefusedError."""
    check_change_of_status(held.version.status, Status.PAUSED)
    return replace(held.version, status=Status.PAUSED)


async def resume(tx: Tx, held: Subscription) -> SubscriptionVersion:
    """The version that goes on where the pause began: a trial as a trial, unless it ended meanwhile.

    Raises TransitionRefusedError.
    """
    check_change_of_status(held.version.status, Status.ACTIVE)
    if held.version.status is not Status.PAUSED:
        check_change_of_status(held.version.status, held.version.status)
    before = await version_store.status_before_pause(tx, held.id)
    plan = await catalog.get_plan(tx, ById(held.version.plan_id))
    tried = before is Status.TRIALING and plan.trial is not None
    return replace(held.version, status=Status.TRIALING if tried else Status.ACTIVE)
