"""What subscriptions do while nobody waits: migrations go on, chunk after chunk (CAT-9)."""

from __future__ import annotations

import asyncio
from typing import Final

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Postgres

from . import move_store
from .migration import PendingWork
from .move_subscribers import CHUNK, move_chunk

_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""How long to wait for subscriptions that are being billed; afterwards the timetable comes back to them."""


async def list_pending_work(db: Postgres) -> list[PendingWork]:
    """The migrations of all merchants that are not through, by the clocks their subscriptions live on."""
    async with db.system() as tx:
        return await move_store.list_pending_work(tx)


async def move_subscribers(
    db: Postgres, clock: Clock, work: PendingWork, *, chunk: int = CHUNK
) -> int:
    """Goes on with a migration until nothing of this clock is pending; returns how many were decided about.

    May be run twice at once, or again after a crash: who is decided about is not pending any more.
    """
    count = 0
    pauses = iter(_PAUSES_S)
    while True:
        done = await move_chunk(
            db,
            clock,
            work.merchant_id,
            work.migration_id,
            test_clock_id=work.test_clock_id,
            limit=chunk,
        )
        count += done.decided
        if not done.more:
            return count
        if done.decided:
            pauses = iter(_PAUSES_S)
            continue
        pause_s = next(pauses, None)
        if pause_s is None:
            return count
        await asyncio.sleep(pause_s)
