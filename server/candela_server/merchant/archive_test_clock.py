"""Retires a test clock: time stands still for the customers on it (OPS-2).

Nothing of theirs is deleted or cancelled, because nothing with a history is: they can be read and asked about as they
stood at the clock's last instant, and nothing falls due for them any more. Nobody new comes onto the clock: a merchant
who stands on it returns to real time, as customers do who are created from now on.
"""

from __future__ import annotations

from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import TestClock, TestClockAdvancingError, TestClockId, TestClockStatus
from .update_merchant import merchant_trace


async def archive_test_clock(tx: Tx, clock: Clock, clock_id: TestClockId) -> TestClock:
    """The clock, archived; one that is archived already stays as it is.

    Raises TestClockNotFoundError, and TestClockAdvancingError while it moves: what is due on its way is done first.
    """
    before = await read.get_test_clock(tx, clock_id, lock=True)
    after = before
    if before.archived_at is None:
        if before.status is TestClockStatus.ADVANCING:
            raise TestClockAdvancingError(before.id)
        after = replace(before, archived_at=clock.now())
        await store.update_test_clock(tx, after)
        await _take_merchant_off(tx, clock_id)
    await tx.audit(
        "test_clock.archived",
        after.id,
        before={"archived_at": before.archived_at},
        after={"archived_at": after.archived_at, "now_at": after.now_at},
    )
    return after


async def _take_merchant_off(tx: Tx, clock_id: TestClockId) -> None:
    before = await read.get_merchant(tx, lock=True)
    if before.test_clock_id != clock_id:
        return
    after = replace(before, test_clock_id=None, version=before.version + 1)
    await store.update_merchant(tx, after)
    await tx.audit(
        "merchant.updated",
        after.id,
        before=merchant_trace(before),
        after=merchant_trace(after),
        reason=f"test clock {clock_id} was archived",
    )
    await tx.entitlements_changed(None)
