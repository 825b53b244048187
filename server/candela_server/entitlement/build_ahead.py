"""Builds what follows the snapshots that end soon, so that a period end common to many customers is no herd (ENT-5).

What a customer has from an instant on can be resolved before it: as of that instant, from what is known now. Such a
snapshot waits beside the one in force, is dropped by every change as that one is, and takes its place as time comes to
it. Only who was asked about more than once is looked after; others are read when they are asked about again.

It takes one connection at a time, and lets PostgreSQL be for as long as each reading took. The order is drawn anew each
time, so that many servers do not read the same customers in the same moment.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Unavailable
from candela_server.storage.postgres import Postgres

from .cache import Ahead, SnapshotCache
from .cold_reader import BATCH, ColdReader
from .remembered_catalog import RememberedCatalog
from .snapshot_facts import Who

log = structlog.get_logger()

HORIZON: Final = timedelta(seconds=90)
"""How long before the end the next one is built: time enough for some ten thousand, too short for most changes."""

EVERY_S: Final = 10.0
_AT_A_STRETCH: Final = 500
"""So many are looked at before other tasks get to run: a fifth of a millisecond."""


class Ending(NamedTuple):
    """A snapshot in use that ends soon."""

    merchant_id: str
    who: Who
    at: datetime


class BuildAhead:
    """Builds ahead of time; one per process."""

    def __init__(
        self,
        db: Postgres,
        snapshots: SnapshotCache,
        clock: Clock,
        catalog: RememberedCatalog | None = None,
    ) -> None:
        """Takes where to read, what is remembered, and what time it is."""
        self._db = db
        self._snapshots = snapshots
        self._clock = clock
        self._reader = ColdReader(db, clock, catalog, readers=1)

    async def run_forever(self) -> None:
        """Looks again and again, at uneven times, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S * random.uniform(0.5, 1.5))
            await self.run_once()

    async def run_once(self) -> int:
        """Builds what follows all that end soon; returns how many it built. What cannot be read now is left alone."""
        ending = await self._ending()
        random.shuffle(ending)
        built = 0
        for start in range(0, len(ending), BATCH):
            if self._db.outage.active or not self._snapshots.is_current():
                break
            began_s = time.monotonic()
            built += await self._build(ending[start : start + BATCH])
            await asyncio.sleep(time.monotonic() - began_s)
        return built

    async def _ending(self) -> list[Ending]:
        now = self._clock.now()
        until = now + HORIZON
        found = []
        for number, (key, snapshot) in enumerate(self._snapshots.all_now(), start=1):
            if number % _AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            end = snapshot.valid_until
            if end is None or not now < end <= until or not snapshot.asked:
                continue
            merchant_id, who = key
            if (
                snapshot.alive
                and snapshot.frozen_now is None
                and not isinstance(who, Ahead)
                and not self._is_built(merchant_id, who, end)
            ):
                found.append(Ending(merchant_id, who, end))
        return found

    def _is_built(self, merchant_id: str, who: Who, at: datetime) -> bool:
        ahead = self._snapshots.get(merchant_id, Ahead(who))
        # One of an earlier end may be left, if nobody asked then.
        return ahead is not None and ahead.valid_from == at

    async def _build(self, some: Sequence[Ending]) -> int:
        now = self._clock.now()
        made = await asyncio.gather(
            *[self._build_one(one) for one in some if now < one.at], return_exceptions=True
        )
        failed = [one for one in made if isinstance(one, BaseException)]
        for error in failed:
            if not isinstance(error, Unavailable):
                # Whoever asks hears of it.
                log.warning("snapshot_not_built_ahead", error=repr(error))
        return len(made) - len(failed)

    async def _build_one(self, one: Ending) -> None:
        await self._snapshots.build(
            one.merchant_id,
            Ahead(one.who),
            lambda begin: self._reader.read(one.merchant_id, one.who, begin, as_of=one.at),
        )
