"""Whether PostgreSQL failed a moment ago: one caller finds out the slow way, and all others are spared the wait.

While it lasts, one probe at a time finds out when it is over, so that nobody has to risk a call of their own. Checks
live on this: they are answered from memory at once instead of waiting for a database that does not answer.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog

log = structlog.get_logger("candela.outage")

PROBE_EVERY_S: Final = 0.2
PROBE_TIMEOUT_S: Final = 1.0


class Outage:
    """The state of one database, as one process knows it."""

    def __init__(self, url: str) -> None:
        """Begins with nothing wrong."""
        self._url = url
        self._probing: asyncio.Task[None] | None = None

    @property
    def active(self) -> bool:
        """Whether the database failed and has not answered since."""
        return self._probing is not None

    def begin(self) -> None:
        """The database failed just now. If only this one call did, that is found out within milliseconds."""
        if self._probing is None:
            log.warning("database_failed")
            self._probing = asyncio.create_task(self._probe())

    async def close(self) -> None:
        """Stops probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)

    async def _probe(self) -> None:
        try:
            while not await self._answers():
                await asyncio.sleep(PROBE_EVERY_S)
            log.info("database_answers")
        finally:
            self._probing = None

    async def _answers(self) -> bool:
        """Whether a new connection can be made and used; the old ones may be dead without knowing."""
        connection = None
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                connection = await asyncpg.connect(self._url, timeout=PROBE_TIMEOUT_S)
                await connection.fetchval("SELECT 1")
        except Exception:
            # Whatever it is: there is no answer yet.
            return False
        finally:
            if connection is not None:
                connection.terminate()
        return True
