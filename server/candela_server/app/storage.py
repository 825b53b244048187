"""The connections of one process, opened together and closed in order."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from candela_server.config import Settings
from candela_server.kernel.clock import Clock
from candela_server.metering.cache import CounterCache
from candela_server.metering.quick_counters import PREAMBLE, QuickCounters
from candela_server.metering.read_counters import Counters
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis
from candela_server.storage.redis_lane import RedisLane


@dataclass(frozen=True, slots=True)
class Storage:
    """The connections of one process."""

    db: Postgres
    events: EventStore
    counters: Counters
    quick_counters: QuickCounters | None


@contextlib.asynccontextmanager
async def open_storage(settings: Settings, clock: Clock) -> AsyncIterator[Storage]:
    """Opens all; whatever happens then, all are closed."""
    url = settings.database_url.get_secret_value()
    db = Postgres(url, clock, pool_size=settings.pool_size)
    events = EventStore(url, readers=max(2, settings.pool_size - 2), outage=db.outage)
    redis_url = settings.redis_url.get_secret_value() if settings.redis_url else None
    redis = Redis(redis_url)
    counters = Counters(CounterCache(redis) if redis_url else None, events, clock)
    lane = RedisLane(redis_url, PREAMBLE) if redis_url else None
    await db.open()
    await events.open()
    await counters.start()
    try:
        yield Storage(db, events, counters, QuickCounters(lane, counters) if lane else None)
    finally:
        if lane is not None:
            await lane.close()
        await counters.stop()
        await redis.close()
        await events.close()
        await db.close()
