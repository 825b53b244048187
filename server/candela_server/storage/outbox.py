"""What must happen after a commit: written in the mutation's own transaction, relayed at least once (design: outbox).

Rows of one key go in the order they were committed; a row whose handler fails backs off, visibly, and holds back only
its own key.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from .postgres import Postgres, Tx

BATCH = 100
_FIRST_PAUSE = timedelta(seconds=1)
_MAX_PAUSE = timedelta(minutes=10)
_MAX_FAILURE_LENGTH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """One row of the outbox."""

    id: int
    merchant_id: str
    topic: str
    key: str
    payload: dict[str, Any]
    attempts: int


Handler = Callable[[Announcement], Awaitable[None]]


async def relay(db: Postgres, handlers: Mapping[str, Handler], now: datetime) -> int:
    """Hands one batch of announcements to their handlers and returns how many were taken up.

    Each row is locked while its handler runs, so that two relays never work on the same one; a handler must bear being
    called again after a crash between its effect and the commit here. A topic nobody handles is a defect and fails.
    """
    async with db.system() as tx:
        taken = await _claim(tx, now)
        for announcement in taken:
            try:
                await handlers[announcement.topic](announcement)
            except Exception as error:  # a failing handler must not stop its neighbours
                await _note_failure(tx, announcement, error, now)
            else:
                # tenant-scope: the row was claimed by its id above
                await tx.execute("DELETE FROM outbox WHERE id = $1", announcement.id)
    return len(taken)


async def _claim(tx: Tx, now: datetime) -> list[Announcement]:
    # tenant-scope: a relay serves all merchants
    rows = await tx.fetch(
        """
        SELECT o.id, o.merchant_id, o.topic, o.key, o.payload, o.attempts
        FROM outbox o
        WHERE o.not_before <= $1
          AND NOT EXISTS (
              SELECT FROM outbox earlier
              WHERE earlier.merchant_id = o.merchant_id AND earlier.key = o.key
                AND earlier.id < o.id
          )
        ORDER BY o.id
        LIMIT $2
        FOR UPDATE OF o SKIP LOCKED
        """,
        now,
        BATCH,
    )
    return [Announcement(**dict(row)) for row in rows]


async def _note_failure(
    tx: Tx, announcement: Announcement, error: Exception, now: datetime
) -> None:
    pause = min(_FIRST_PAUSE * 2 ** min(announcement.attempts, 20), _MAX_PAUSE)
    # tenant-scope: the row was claimed by its id above
    await tx.execute(
        "UPDATE outbox SET attempts = attempts + 1, not_before = $2, failure = $3 WHERE id = $1",
        announcement.id,
        now + pause,
        f"{type(error).__name__}: {error}"[:_MAX_FAILURE_LENGTH],
    )
