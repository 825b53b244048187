"""The life of a worker process."""

from __future__ import annotations

import structlog
import uvloop

from candela_server.config import Settings
from candela_server.kernel.clock import SystemClock
from candela_server.processes import configure_logging, stopping_on_signals
from candela_server.worker.runner import Worker

from .storage import open_storage

log = structlog.get_logger("candela.app")


def work(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT."""
    configure_logging(settings)
    return uvloop.run(_work(settings))


async def _work(settings: Settings) -> int:
    stopping = stopping_on_signals()
    clock = SystemClock()
    async with open_storage(settings, clock) as storage:
        log.info("working")
        await Worker(
            storage.db,
            storage.events,
            storage.counters,
            clock,
            event_retention=settings.event_retention,
        ).run(stopping)
    return 0
