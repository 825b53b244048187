"""Makes a test clock."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import read, store
from .model import LiveModeError, TestClock, TestClockId, TestClockStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTestClock:
    """What the clock shows at first, and what it is for."""

    now_at: datetime
    name: str


async def create_test_clock(tx: Tx, clock: Clock, command: CreateTestClock) -> TestClock:
    """Makes a clock at rest (OPS-2). Raises LiveModeError in live mode."""
    merchant = await read.get_merchant(tx)
    if merchant.mode is not Mode.TEST:
        raise LiveModeError
    test_clock = TestClock(
        id=TestClockId(new_id("tck")),
        name=command.name,
        now_at=command.now_at,
        target_at=None,
        status=TestClockStatus.READY,
        failure="",
        created_at=clock.now(),
    )
    await store.insert_test_clock(tx, test_clock)
    await tx.audit(
        "test_clock.created", test_clock.id, after={"now_at": test_clock.now_at.isoformat()}
    )
    return test_clock
