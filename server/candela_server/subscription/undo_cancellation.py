"""Calls off a cancellation that has not taken effect (SUB-6)."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from .append_without_change import append_without_change
from .cancel_subscription import call_off_cancellation
from .change import Changed, SubscriptionVersionMismatchError
from .change_subscription import take
from .model import Proration, SubscriptionId


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoCancellation:
    """Which subscription goes on, and why."""

    subscription_id: SubscriptionId
    expected_version: int | None
    reason: str
    preview_token: str = ""


async def undo_cancellation(tx: Tx, clock: Clock, command: UndoCancellation) -> Changed:
    """The subscription without an end, as a new version that changes nothing else.

    Raises SubscriptionNotFoundError, SubscriptionVersionMismatchError, and TransitionRefusedError when none is under
    way, or when it has taken effect: then it can be reactivated.
    """
    held, test_clock_id, now = await take(tx, clock, command.subscription_id)
    if command.expected_version not in (None, held.version.number):
        raise SubscriptionVersionMismatchError(command.expected_version or 0, held.version.number)
    version = await call_off_cancellation(tx, held, outcome="the cancellation was undone")
    after = await append_without_change(tx, held, version, at=now, reason=command.reason)
    await tx.audit(
        "subscription.cancellation_undone",
        held.id,
        before={"version": held.version.number, "cancel_at": held.version.cancel_at},
        after={"version": after.version.number, "cancel_at": None},
        reason=command.reason or None,
    )
    return Changed(
        subscription=after,
        at=None,
        now=now,
        proration=Proration.NEXT_INVOICE,
        test_clock_id=test_clock_id,
        terms=after.version,
    )
