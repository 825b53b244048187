"""The composition root: the only place that constructs pools, servicers and servers."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import structlog
import uvicorn
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from candela_server.billing.billing_run_servicer import BillingRunServicer
from candela_server.billing.credit_note_servicer import CreditNoteServicer
from candela_server.billing.credit_note_wire import credit_note_id_from_proto
from candela_server.billing.preview_servicer import PreviewServicer
from candela_server.billing.release_parked import release_parked
from candela_server.billing.servicer import InvoiceServicer
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
from candela_server.config import Settings
from candela_server.customer.model import CustomerId
from candela_server.customer.servicer import CustomerServicer, UserServicer
from candela_server.edge.door import Door
from candela_server.edge.grpc_server import GrpcServer
from candela_server.edge.http.app import RenderPdf, http_app
from candela_server.edge.http.pricing_tables import pricing_table_routes
from candela_server.edge.services import Room, services_of
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
from candela_server.importing.model import ImportOptions
from candela_server.importing.report import run_import
from candela_server.kernel.caller import Caller, Mode
from candela_server.kernel.clock import Clock, SystemClock
from candela_server.merchant import servicer as merchant
from candela_server.merchant.authenticate import Authenticator
from candela_server.merchant.create_merchant import CreateMerchant
from candela_server.merchant.create_merchant import create_merchant as add_merchant
from candela_server.metering.cache import CounterCache
from candela_server.metering.correction_servicer import CorrectionDesk
from candela_server.metering.directory import Directory
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.prepare_events import Preparer
from candela_server.metering.quick_counters import PREAMBLE, QuickCounters
from candela_server.metering.read_counters import Counters
from candela_server.metering.record_backfill import BackfillRecorder
from candela_server.metering.servicer import IngestionServicer, UsageServicer
from candela_server.storage.changes import Changes
from candela_server.storage.events import EventStore
from candela_server.storage.migrate import Phase
from candela_server.storage.migrate import migrate as run_migrations
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis
from candela_server.storage.redis_lane import RedisLane
from candela_server.subscription import read_schedule
from candela_server.subscription.migration_servicer import MigrationServicer
from candela_server.subscription.servicer import SubscriptionServicer
from candela_server.worker.runner import Worker

log = structlog.get_logger("candela.app")
_T = TypeVar("_T")
_Id = TypeVar("_Id", bound=str)

HEALTH_TIMEOUT_S = 3.0
NOTE_KEY_USE_EVERY_S = 60.0
# The collector looks at young objects too often for a server that makes millions of short-lived messages.
_GC_THRESHOLDS = (100_000, 50, 1000)


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


def serve(settings: Settings) -> int:
    """Serves until SIGTERM or SIGINT; with several workers, each is a process that shares the ports."""
    if settings.workers > 1:
        return _supervise(settings)
    _configure_logging(settings)
    gc.set_threshold(*_GC_THRESHOLDS)
    return uvloop.run(_serve(settings))


def work(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT."""
    _configure_logging(settings)
    return uvloop.run(_work(settings))


def migrate(settings: Settings, *, phase: str) -> list[str]:
    """Brings the database to this release and says what was done."""
    done = run_migrations(settings.database_url.get_secret_value(), phase=Phase(phase))
    return [f"applied {name}" for name in done.applied] or ["nothing to do"]


def create_merchant(
    settings: Settings, *, name: str, mode: str, time_zone: str, currency: str
) -> dict[str, str]:
    """Adds a merchant and returns its id and keys."""

    async def add(db: Postgres) -> dict[str, str]:
        made = await add_merchant(
            db,
            SystemClock(),
            CreateMerchant(
                name=name, mode=Mode(mode), time_zone=time_zone, default_currency=currency
            ),
        )
        return {
            "merchant_id": made.merchant.id,
            "secret_key": made.secret.text,
            "publishable_key": made.publishable.text,
        }

    return asyncio.run(_with_database(settings, add))


def list_parked(settings: Settings) -> list[dict[str, str]]:
    """The subscriptions of all merchants that a safety bound has parked."""

    async def find(db: Postgres) -> list[dict[str, str]]:
        return [
            {
                "merchant_id": one.merchant_id,
                "customer_id": one.customer_id,
                "subscription_id": one.subscription_id,
                "parked_at": one.parked_at.isoformat(),
                "due_at": one.due_at.isoformat(),
            }
            for one in await read_schedule.list_parked_everywhere(db)
        ]

    return asyncio.run(_with_database(settings, find))


def release(settings: Settings, *, merchant_id: str, customer_id: str, reason: str) -> list[str]:
    """Lets a parked customer be billed again and returns which subscriptions that were."""

    async def act(db: Postgres) -> list[str]:
        async with db.writing(merchant_id) as tx:
            found = await release_parked(tx, SystemClock(), CustomerId(customer_id), reason=reason)
            return [*found]

    return asyncio.run(_with_database(settings, act))


async def _with_database(settings: Settings, act: Callable[[Postgres], Awaitable[_T]]) -> _T:
    """What an operator's command does with the database, on connections of its own."""
    db = Postgres(settings.database_url.get_secret_value(), SystemClock(), pool_size=2)
    await db.open()
    try:
        return await act(db)
    finally:
        await db.close()


def import_events(
    *,
    server: str,
    api_key: str,
    tls: bool | None,
    options: ImportOptions,
    quiet: bool,
    as_json: bool,
) -> int:
    """Imports a usage file into a running server: 0 when every row is decided and none was rejected (EVT-1)."""
    return run_import(
        server=server, api_key=api_key, tls=tls, options=options, quiet=quiet, as_json=as_json
    )


def health(address: str) -> int:
    """Asks a server whether it serves: 0 when it does."""
    with grpc.insecure_channel(address) as channel:
        try:
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=HEALTH_TIMEOUT_S)
        except grpc.RpcError as error:
            print(f"candela: {address} does not answer: {error}", file=sys.stderr)
            return 1
    return int(answer.status != health_pb2.HealthCheckResponse.SERVING)


async def _serve(settings: Settings) -> int:
    stopping = _stopping_on_signals()
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
        log.info("serving", grpc=settings.grpc_address, http=settings.http_address)
        noting = asyncio.create_task(_note_key_use(authenticator))
        auditing = [
            asyncio.create_task(room.quick.audit_forever())
            for room in rooms
            if isinstance(room, EntitlementServicer)
        ]
        await stopping.wait()
        log.info("draining", seconds=settings.drain_s)
        # Streams have no end of their own, which draining would wait for.
        await memory.hub.stop()
        await server.drain()
        http.should_exit = True
        await http_task
        for task in (noting, *auditing):
            task.cancel()
        await settler.stop()
        await ingestor.stop()
        await memory.changes.close()
        with contextlib.suppress(Exception):
            await authenticator.note_use()
    return 0


async def _work(settings: Settings) -> int:
    stopping = _stopping_on_signals()
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
        rooms.append(ReservationServicer(db, events, mutations, clock, checker, settler))
    if settings.role in ("all", "ingest"):
        rooms.append(
            IngestionServicer(ingestor, _desk(storage, mutations, directory, clock), secret)
        )
    if settings.role == "all":
        rooms += [
            merchant.MerchantServicer(db, mutations, downgrade_plan_problem),
            merchant.ApiKeyServicer(*ordinary),
            merchant.TestClockServicer(*ordinary),
            merchant.AuditServicer(*ordinary),
            CustomerServicer(*ordinary),
            UserServicer(*ordinary),
            FeatureServicer(*ordinary),
            MetricServicer(*ordinary),
            PlanServicer(*ordinary),
            PriceServicer(*ordinary),
            CreditDefinitionServicer(*ordinary),
            PricingTableServicer(*ordinary),
            UsageServicer(db, events, clock, secret, mutations),
            TopUpServicer(*ordinary),
            SubscriptionServicer(*ordinary),
            MigrationServicer(*ordinary),
            InvoiceServicer(db, events, mutations, clock, secret),
            CreditNoteServicer(*ordinary),
            BillingRunServicer(*ordinary),
            PreviewServicer(db, events, clock),
            TaxServicer(*ordinary),
        ]
    return rooms


def _desk(
    storage: Storage, mutations: Mutations, directory: Directory, clock: Clock
) -> CorrectionDesk:
    """What corrections work with."""
    preparer = Preparer(directory, clock)
    return CorrectionDesk(
        db=storage.db,
        events=storage.events,
        mutations=mutations,
        counters=storage.counters,
        preparer=preparer,
        recorder=BackfillRecorder(storage.events, preparer, clock),
        clock=clock,
    )


def _memory(settings: Settings, storage: Storage, directory: Directory, clock: Clock) -> Memory:
    """What is remembered, and what hears that it has changed."""

    def changed(merchant_id: str, customer_id: str | None) -> None:
        snapshots.forget(merchant_id, customer_id)
        if customer_id is None:
            catalog.forget(merchant_id)
        directory.forget(merchant_id)
        hub.changed(merchant_id, customer_id)

    def missed() -> None:
        snapshots.doubt_all()
        catalog.forget_all()
        hub.missed()
        directory.forget_all()
        storage.counters.doubt()

    changes = Changes(storage.db, changed, missed, storage.counters.distrust)
    snapshots = SnapshotCache(changes.is_current, changes.catch_up)
    catalog = RememberedCatalog(changes.is_current)
    checker = Checker(storage.db, storage.counters, snapshots, clock, catalog)
    secret = settings.page_token_secret.get_secret_value().encode()
    hub = WatchHub(storage.db, checker, clock, secret, entitlement_to_proto)
    return Memory(changes, checker, hub)


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

    host, _, port = settings.http_address.rpartition(":")
    server = _HttpServer(
        uvicorn.Config(
            http_app(
                authenticator,
                documents,
                is_ready,
                pricing_table_routes(authenticator, tables.show) if tables else (),
            ),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=int(settings.drain_s),
        )
    )
    sockets = [_shared_socket(host.strip("[]"), int(port))]
    return server, asyncio.create_task(server.serve(sockets=sockets))


def _drawing(
    draw: Callable[[str, _Id], Awaitable[bytes]], read_id: Callable[[str], _Id]
) -> RenderPdf:
    """How HTTP gets a document of the caller's by the id in its path."""

    async def render_pdf(caller: Caller, document_id: str) -> bytes:
        return await draw(caller.merchant_id, read_id(document_id))

    return render_pdf


class _HttpServer(uvicorn.Server):
    """uvicorn, leaving the signals to the whole process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


def _shared_socket(host: str, port: int) -> socket.socket:
    """A listening socket on a port that several worker processes share; the kernel spreads connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    return listening


async def _note_key_use(authenticator: Authenticator) -> None:
    while True:
        await asyncio.sleep(NOTE_KEY_USE_EVERY_S)
        try:
            await authenticator.note_use()
        except Exception as error:  # the next minute tries again
            log.warning("key_use_not_noted", exc_info=error)


def _stopping_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def _configure_logging(settings: Settings) -> None:
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _supervise(settings: Settings) -> int:
    """Keeps the wished number of server processes alive, and passes the signal to stop on."""
    environment = {**os.environ, "CANDELA_WORKERS": "1"}
    for name in ("database_url", "redis_url", "page_token_secret"):
        secret = getattr(settings, name)
        if secret is not None:
            environment[f"CANDELA_{name.upper()}"] = secret.get_secret_value()
    for name in ("grpc_address", "http_address", "role", "log_level"):
        environment[f"CANDELA_{name.upper()}"] = str(getattr(settings, name))
    command = [sys.executable, "-m", "candela_server", "serve"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment)

    workers = [start() for _ in range(settings.workers)]
    stopped = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True
        for worker in workers:
            worker.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopped:
        pid, status = os.wait()
        for number, worker in enumerate(workers):
            if worker.pid == pid and not stopped:
                print(
                    f"candela: worker {pid} ended with {status}; starting another", file=sys.stderr
                )
                workers[number] = start()
    return max(abs(worker.wait()) for worker in workers)
