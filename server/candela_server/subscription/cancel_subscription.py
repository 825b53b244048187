"""Ends a subscription: now, or at an instant until which it can be undone (SUB-6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from candela_server.storage.postgres import Tx

from . import scheduled_store
from .change import Cancellation, ScheduledChange
from .model import Status, Subscription, SubscriptionVersion, TransitionRefusedError
from .rules.lifecycle import check_change_of_status


def cancel_now(held: Subscription) -> SubscriptionVersion:
    """The last version. Raises TransitionRefusedError when it has ended."""
    check_change_of_status(held.version.status, Status.CANCELED)
    return replace(held.version, status=Status.CANCELED, cancel_at=None)


def cancel_later(held: Subscription, at: datetime) -> SubscriptionVersion:
    """The version that says when it will end. Raises TransitionRefusedError when it has ended."""
    check_change_of_status(held.version.status, Status.CANCELED)
    return replace(held.version, cancel_at=at)


async def call_off_cancellation(tx: Tx, held: Subscription, *, outcome: str) -> SubscriptionVersion:
    """The version without an end; what was planned is called off. Raises TransitionRefusedError when nothing was."""
    if held.version.cancel_at is None:
        raise TransitionRefusedError(held.version.status, Status.ACTIVE)
    planned = await scheduled_store.list_pending(tx, held.id)
    await scheduled_store.call_off(tx, [one.id for one in planned if is_end(one)], outcome)
    return replace(held.version, cancel_at=None)


def is_end(planned: ScheduledChange) -> bool:
    """Whether a scheduled change ends the subscription."""
    return isinstance(planned.change, Cancellation)
