"""The composition root: the only place that constructs pools, servicers and servers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import structlog
import uvicorn
import uvloop

from candela_server.billing.billing_run_servicer import BillingRunServicer
from candela_server.billing.count_ended_before import count_ended_before
from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.billing.credit_note_wire import credit_note_id_from_proto
from candela_server.billing.number_documents import start_numbering
from candela_server.billing.preview_servicer import PreviewServicer
from candela_server.billing.run_changes import settle
from candela_server.billing.servicer import InvoiceServicer
from candela_server.billing.settle_creation import settle_creation
from candela_server.billing.tax_servicer import TaxServicer
from candela_server.billing.top_up_servicer import TopUpServicer
from candela_server.billing.wire import invoice_id_from_proto
from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.catalog.credit_definition_servicer import CreditDefinitionServicer
from candela_server.catalog.feature_servicer import FeatureServicer
from candela_server.catalog.metric_servicer import MetricServicer
from candela_server.catalog.plan_servicer import PlanServicer
from candela_server.catalog.price_servicer import PriceServicer
from candela_server.catalog.pricing_table_servicer import PricingTableServicer
from candela_server.catalog.terms_json import value_from_text
from candela_server.config import Settings
from candela_server.customer.servicer import CustomerServicer, UserServicer
from candela_server.edge.door import Door
from candela_server.edge.grpc_server import GrpcServer
from candela_server.edge.http.alerts import alerts
from candela_server.edge.http.app import RenderPdf, http_app
from candela_server.edge.http.counter_drift import counter_drift
from candela_server.edge.http.pricing_tables import pricing_table_routes
from candela_server.edge.services import Room, services_of
from candela_server.entitlement.build_ahead import BuildAhead
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.quick_check import QuickChecks
from candela_server.entitlement.remembered_catalog import RememberedCatalog
from candela_server.entitlement.reservation_servicer import ReservationServicer
from candela_server.entitlement.reservation_wire import usage_events_to_proto
from candela_server.entitlement.servicer import EntitlementServicer
from candela_server.entitlement.settle_reservation import Settler
from candela_server.entitlement.watch_hub import WatchHub
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.kernel.caller import Caller
from candela_server.kernel.clock import Clock, SystemClock
from candela_server.merchant import servicer as merchant
from candela_server.merchant.authenticate import Authenticator
from candela_server.metering.admit_events import Admission
from candela_server.metering.cache import CounterCache
from candela_server.metering.correction_servicer import CorrectionDesk
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.prepare_events import Preparer
from candela_server.metering.quick_counters import PREAMBLE, QuickCounters
from candela_server.metering.read_counters import Counters
from candela_server.metering.record_backfill import BackfillRecorder
from candela_server.metering.servicer import IngestionServicer, UsageServicer
from candela_server.processes import (
    HttpServer,
    configure_logging,
    shared_socket,
    stopping_on_signals,
    supervise,
)
from candela_server.storage.changes import Changes
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx
from candela_server.storage.redis import Redis
from candela_server.storage.redis_lane import RedisLane
from candela_server.storage.shared_mutation import SharedMutations
from candela_server.subscription.change import Changed
from candela_server.subscription.check_nothing_runs import check_nothing_runs
from candela_server.subscription.migration_servicer import MigrationServicer
from candela_server.subscription.model import Subscription
from candela_server.subscription.seat_servicer import SeatServicer
from candela_server.subscription.servicer import SubscriptionServicer
from candela_server.worker.runner import Worker

log = structlog.get_logger("candela.app")
_T = TypeVar("_T")
_Id = TypeVar("_Id", bound=str)

HEALTH_TIMEOUT_S = 3.0
NOTE_KEY_USE_EVERY_S = 60.0
# Young objects are collected in steps of a fifth of a millisecond: with rarer and longer ones, every call of that
# moment waits, which is what the slowest hundredth of checks waited for. All objects are looked at rarely.
_GC_THRESHOLDS = (2_000, 50, 1000)


@dataclass(frozen=True, slots=True)
class Storage:
    """The connections of one process."""

    db: Postgres
    events: EventStore
    counters: Counters
    quick_counters: QuickCounters | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Who answers from what one server process remembers, who tells watchers, and the ear for changes of both."""

    changes: Changes
    checker: Checker
    hub: WatchHub
    ahead: BuildAhead


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; with several workers, each is a process that shares the ports."""
    if settings.workers > 1:
        return supervise(settings)
    configure_logging(settings)
    gc.set_threshold(*_GC_THRESHOLDS)
    return uvloop.run(_serve(settings))


def work(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT."""
    configure_logging(settings)
    return uvloop.run(_work(settings))


async def _serve(settings: Settings) -> int:
    stopping = stopping_on_signals()
    clock = SystemClock()
    async with _storage(settings, clock) as storage:
        directory = Directory(storage.db, clock)
        memory = _memory(settings, storage, directory, clock)
        storage.counters.join(memory.changes.is_current, memory.changes.warn_of_counters)
        ingestor = Ingestor(storage.db, storage.events, directory, storage.counters, clock)
        await ingestor.start()
        authenticator = Authenticator(storage.db, clock)
        await memory.hub.start()
        await memory.changes.start()
        settler = Settler(storage.db, ingestor, clock, usage_events_to_proto, memory.changes)
        await settler.start()
        rooms = _rooms(settings, storage, ingestor, directory, settler, memory, clock)
        server = GrpcServer(settings, Door(authenticator), services_of(rooms))
        http, http_task = _http(settings, storage, authenticator, rooms)
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


async def _work(settings: Settings) -> int:
    stopping = stopping_on_signals()
    clock = SystemClock()
    async with _storage(settings, clock) as storage:
        log.info("working")
        await Worker(
            storage.db,
            storage.events,
            storage.counters,
            clock,
            event_retention=settings.event_retention,
        ).run(stopping)
    return 0


@contextlib.asynccontextmanager
async def _storage(settings: Settings, clock: Clock) -> AsyncIterator[Storage]:
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


def _rooms(
    settings: Settings,
    storage: Storage,
    ingestor: Ingestor,
    directory: Directory,
    settler: Settler,
    memory: Memory,
    clock: Clock,
) -> list[Room]:
    """Every servicer of this process, by its role."""
    db, events = storage.db, storage.events
    mutations = Mutations(db, clock, memory.changes)
    secret = settings.page_token_secret.get_secret_value().encode()
    ordinary = (db, mutations, clock, secret)
    rooms: list[Room] = []
    if settings.role in ("all", "check"):
        checker, is_current = memory.checker, memory.changes.is_current
        quick = QuickChecks(checker, storage.quick_counters, clock, is_current)
        rooms.append(EntitlementServicer(checker, quick, memory.hub))
        shared = SharedMutations(db, clock, memory.changes)
        rooms.append(ReservationServicer(db, events, shared, clock, checker, settler))
    if settings.role in ("all", "ingest"):
        rooms.append(
            IngestionServicer(
                ingestor, _desk(storage, mutations, directory, clock, ingestor.admission), secret
            )
        )
    if settings.role == "all":
        rooms += [
            merchant.MerchantServicer(
                db, mutations, downgrade_plan_problem, partial(start_numbering, clock)
            ),
            merchant.ApiKeyServicer(*ordinary),
            merchant.TestClockServicer(*ordinary),
            merchant.AuditServicer(*ordinary),
            CustomerServicer(*ordinary, check_nothing_runs),
            UserServicer(*ordinary),
            FeatureServicer(*ordinary),
            MetricServicer(*ordinary),
            PlanServicer(*ordinary),
            PriceServicer(*ordinary),
            CreditDefinitionServicer(*ordinary),
            PricingTableServicer(*ordinary),
            UsageServicer(db, events, clock, secret, mutations),
            TopUpServicer(*ordinary),
            SubscriptionServicer(
                *ordinary,
                partial(_settle, events),
                partial(_settle_creation, events),
                partial(_count_ended, events),
            ),
            MigrationServicer(*ordinary),
            SeatServicer(*ordinary),
            InvoiceServicer(db, events, mutations, clock, secret),
            CreditNoteServicer(*ordinary),
            BillingRunServicer(*ordinary),
            PreviewServicer(db, events, clock, secret),
            TaxServicer(*ordinary),
        ]
    return rooms


async def _settle(events: EventStore, tx: Tx, changed: Changed) -> list[str]:
    """Bills a change at once where it asks for that: billing's part of a change of a subscription."""
    return await settle(tx, events, changed)


async def _settle_creation(events: EventStore, tx: Tx, made: Subscription) -> list[str]:
    """Bills what is due first of a subscription, where it must come to what a preview showed."""
    return await settle_creation(tx, events, made)


async def _count_ended(events: EventStore, tx: Tx, made: Subscription) -> None:
    """Takes off a new subscription's allowance what one that ended has used of the running period."""
    await count_ended_before(tx, events, made, now=made.created_at)


def _desk(
    storage: Storage,
    mutations: Mutations,
    directory: Directory,
    clock: Clock,
    admission: Admission,
) -> CorrectionDesk:
    """What corrections work with."""
    preparer = Preparer(directory, clock)
    return CorrectionDesk(
        db=storage.db,
        events=storage.events,
        mutations=mutations,
        counters=storage.counters,
        preparer=preparer,
        recorder=BackfillRecorder(storage.events, directory, preparer, clock, admission),
        clock=clock,
    )


def _memory(settings: Settings, storage: Storage, directory: Directory, clock: Clock) -> Memory:
    """What is remembered, and what hears that it has changed."""

    def changed(merchant_id: str, customer_id: str | None) -> None:
        snapshots.forget(merchant_id, customer_id)
        if customer_id is None:
            catalog.forget(merchant_id)
        directory.forget(merchant_id, customer_id)
        hub.changed(merchant_id, customer_id)

    def missed() -> None:
        snapshots.doubt_all()
        catalog.forget_all()
        hub.missed()
        directory.forget_all()
        storage.counters.doubt()

    def grown(merchant_id: str) -> None:
        snapshots.grow(merchant_id)
        catalog.forget(merchant_id)
        directory.forget(merchant_id)
        hub.changed(merchant_id, None)

    def switched(merchant_id: str, slug: str, on: bool) -> None:
        snapshots.switch(merchant_id, slug, on)
        catalog.forget(merchant_id)
        hub.changed(merchant_id, None)

    def defaulted(merchant_id: str, slug: str, default: str) -> None:
        snapshots.set_default(merchant_id, slug, value_from_text(default))
        catalog.forget(merchant_id)
        hub.changed(merchant_id, None)

    changes = Changes(
        storage.db, changed, missed, storage.counters.distrust, grown, switched, defaulted
    )
    snapshots = SnapshotCache(changes.is_current, changes.catch_up)
    catalog = RememberedCatalog(changes.is_current)
    checker = Checker(storage.db, storage.counters, snapshots, clock, catalog)
    secret = settings.page_token_secret.get_secret_value().encode()
    hub = WatchHub(storage.db, checker, clock, secret, entitlement_to_proto)
    ahead = BuildAhead(storage.db, snapshots, clock, catalog)
    return Memory(changes, checker, hub, ahead)


def _http(
    settings: Settings, storage: Storage, authenticator: Authenticator, rooms: list[Room]
) -> tuple[uvicorn.Server, asyncio.Task[None]]:
    documents: dict[str, RenderPdf] = {}
    for room in rooms:
        if isinstance(room, InvoiceServicer):
            documents["invoices"] = _drawing(room.pdf_of, invoice_id_from_proto)
        if isinstance(room, CreditNoteServicer):
            documents["credit-notes"] = _drawing(room.pdf_of, credit_note_id_from_proto)
    tables = next((room for room in rooms if isinstance(room, PricingTableServicer)), None)

    async def is_ready() -> bool:
        try:
            async with storage.db.system() as tx:
                return bool(await tx.fetchval("SELECT true"))
        except Exception:
            return False

    async def all_alerts() -> bytes:
        return await alerts(storage.db) + await counter_drift(storage.counters)

    host, _, port = settings.http_address.rpartition(":")
    server = HttpServer(
        uvicorn.Config(
            http_app(
                authenticator,
                documents,
                is_ready,
                all_alerts,
                pricing_table_routes(authenticator, tables.show) if tables else (),
            ),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(settings.drain_s),
        )
    )
    sockets = [shared_socket(host.strip("[]"), int(port))]
    return server, asyncio.create_task(server.serve(sockets=sockets))


def _drawing(
    draw: Callable[[str, _Id], Awaitable[bytes]], read_id: Callable[[str], _Id]
) -> RenderPdf:
    """How HTTP gets a document of the caller's by the id in its path."""

    async def render_pdf(caller: Caller, document_id: str) -> bytes:
        return await draw(caller.merchant_id, read_id(document_id))

    return render_pdf


async def _note_key_use(authenticator: Authenticator) -> None:
    while True:
        await asyncio.sleep(NOTE_KEY_USE_EVERY_S)
        try:
            await authenticator.note_use()
        except Exception as error:  # the next minute tries again
            log.warning("key_use_not_noted", exc_info=error)
