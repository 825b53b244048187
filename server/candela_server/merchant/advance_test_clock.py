"""Sends a test clock forward, and moves it step by step while due work is done.

`advance_test_clock` only says where to; the worker then alternates between `move_test_clock` to the next instant at
which something is due and doing what is due there, so that everything happens in the order of time (OPS-2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import read, store
from .model import (
    TestClock,
    TestClockAdvancingError,
    TestClockBackwardsError,
    TestClockId,
    TestClockStatus,
)

TEST_CLOCK_ADVANCING = "test_clock_advancing"
MAX_ADVANCE = timedelta(days=5 * 366)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceTestClock:
    """Which clock, and where to."""

    test_clock_id: TestClockId
    target_at: datetime


async def advance_test_clock(tx: Tx, clock: Clock, command: AdvanceTestClock) -> TestClock:
    """Sets a clock off and leaves the moving to the worker.

    Raises TestClockNotFoundError, TestClockArchivedError, TestClockAdvancingError and TestClockBackwardsError. A clock
    that failed may be sent off again.
    """
    before = await read.get_test_clock_in_use(tx, command.test_clock_id, lock=True)
    if before.status is TestClockStatus.ADVANCING:
        raise TestClockAdvancingError(before.id)
    if not before.now_at < command.target_at <= before.now_at + MAX_ADVANCE:
        raise TestClockBackwardsError(before.now_at, command.target_at)
    after = replace(
        before, target_at=command.target_at, status=TestClockStatus.ADVANCING, failure=""
    )
    await store.update_test_clock(tx, after)
    await tx.audit(
        "test_clock.advanced",
        after.id,
        before={"now_at": before.now_at.isoformat()},
        after={"target_at": command.target_at.isoformat()},
    )
    await tx.announce(TEST_CLOCK_ADVANCING, after.id, {"test_clock_id": after.id})
    return after


async def move_test_clock(tx: Tx, clock_id: TestClockId, to: datetime) -> TestClock:
    """Moves an advancing clock to an instant on its way; at its target it comes to rest.

    Moving to where the clock already is changes nothing but the rest at the target, so a repeated step is harmless.
    """
    before = await read.get_test_clock(tx, clock_id, lock=True)
    if before.status is not TestClockStatus.ADVANCING or before.target_at is None:
        return before
    if not before.now_at <= to <= before.target_at:
        raise TestClockBackwardsError(before.now_at, to)
    after = replace(before, now_at=to)
    await store.update_test_clock(tx, after)
    await tx.entitlements_changed(None)
    return after


async def rest_test_clock(tx: Tx, clock_id: TestClockId, *, failure: str = "") -> TestClock:
    """Brings an advancing clock to rest: arrived, or stopped by a failure."""
    before = await read.get_test_clock(tx, clock_id, lock=True)
    status = TestClockStatus.FAILED if failure else TestClockStatus.READY
    after = replace(before, target_at=None, status=status, failure=failure)
    await store.update_test_clock(tx, after)
    await tx.entitlements_changed(None)
    return after
