"""The life of a server process: what it starts, in which order, and how it drains."""

from __future__ import annotations

import asyncio
import contextlib
import gc

import structlog
import uvloop

from candela_server.config import Settings
from candela_server.edge.door import Door
from candela_server.edge.grpc_server import GrpcServer
from candela_server.edge.services import services_of
from candela_server.entitlement.reservation_wire import usage_events_to_proto
from candela_server.entitlement.servicer import EntitlementServicer
from candela_server.entitlement.settle_reservation import Settler
from candela_server.kernel.clock import SystemClock
from candela_server.merchant.authenticate import Authenticator
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.processes import configure_logging, stopping_on_signals, supervise

from .http import start_http
from .memory import remember
from .rooms import rooms_of
from .storage import open_storage

log = structlog.get_logger("candela.app")

NOTE_KEY_USE_EVERY_S = 60.0
# Young objects are collected in steps of a fifth of a millisecond: with rarer and longer ones, every call of that
# moment waits, which is what the slowest hundredth of checks waited for. All objects are looked at rarely.
_GC_THRESHOLDS = (2_000, 50, 1000)


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; with several workers, each is a process that shares the ports."""
    if settings.workers > 1:
        return supervise(settings)
    configure_logging(settings)
    gc.set_threshold(*_GC_THRESHOLDS)
    return uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> int:
    stopping = stopping_on_signals()
    clock = SystemClock()
    async with open_storage(settings, clock) as storage:
        directory = Directory(storage.db, clock)
        memory = remember(settings, storage, directory, clock)
        storage.counters.join(memory.changes.is_current, memory.changes.warn_of_counters)
        ingestor = Ingestor(storage.db, storage.events, directory, storage.counters, clock)
        await ingestor.start()
        authenticator = Authenticator(storage.db, clock)
        await memory.hub.start()
        await memory.changes.start()
        settler = Settler(storage.db, ingestor, clock, usage_events_to_proto, memory.changes)
        await settler.start()
        rooms = rooms_of(settings, storage, ingestor, directory, settler, memory, clock)
        server = GrpcServer(settings, Door(authenticator), services_of(rooms))
        http, http_task = start_http(settings, storage, authenticator, rooms)
        await server.start()
        # What the start made stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        log.info("serving", grpc=settings.grpc_address, http=settings.http_address)
        noting = asyncio.create_task(_note_key_use(authenticator))
        auditing = [
            asyncio.create_task(room.quick.audit_forever())
            for room in rooms
            if isinstance(room, EntitlementServicer)
        ]
        building = asyncio.create_task(memory.ahead.run_forever())
        await stopping.wait()
        log.info("draining", seconds=settings.drain_s)
        # Streams have no end of their own, which draining would wait for.
        await memory.hub.stop()
        await server.drain()
        http.should_exit = True
        await http_task
        for task in (noting, building, *auditing):
            task.cancel()
        await settler.stop()
        await ingestor.stop()
        await memory.changes.close()
        with contextlib.suppress(Exception):
            await authenticator.note_use()
    return 0


async def _note_key_use(authenticator: Authenticator) -> None:
    while True:
        await asyncio.sleep(NOTE_KEY_USE_EVERY_S)
        try:
            await authenticator.note_use()
        except Exception as error:  # the next minute tries again
            log.warning("key_use_not_noted", exc_info=error)
