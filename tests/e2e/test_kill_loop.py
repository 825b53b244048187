"""kill -9 of servers and of PostgreSQL at random moments, while clients stream: each key counts once (EVT-2).

The moments are seeded, so that a run can be repeated as far as a machine repeats anything. Nothing is simulated: three
servers and a PostgreSQL of this test's own are really killed, 32 times in all, some of them while they are starting.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import psutil
import psycopg
import pytest
from candela import Client, Failure, failure_of
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.metering.v1 import event_pb2, usage_service_pb2

from candela_server.catalog import read as catalog
from candela_server.kernel.clock import SystemClock
from candela_server.kernel.interval import Interval
from candela_server.metering.cache import CounterCache
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.query_usage import aggregate
from candela_server.metering.read_counters import Counters
from candela_server.storage import embedded
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.helpers.databases import TestDatabases
from tests.helpers.forked_server import ForkedServer
from tests.helpers.own_folder import own_folder
from tests.helpers.ports import free_port
from tests.helpers.servers import create_merchant_by_command
from tests.helpers.waiting import until

pytestmark = pytest.mark.own_stores

_FOLDER = Path(__file__).parent.parent.parent / ".candela" / "kill-loop"
_SEED = 20260131
_SERVERS = 3
_SERVER_KILLS = 24
_POSTGRES_KILLS = 8
_CLIENTS = 4
_BATCH = 400
# Keys that were sent while all that was killed.
_LEAST = 20 * _BATCH
_CHUNK = 50
_START_TIMEOUT_S = 120.0


@dataclass(slots=True)
class Sent:
    """What one client has sent and had acknowledged, and how its streams broke."""

    keys: set[str] = field(default_factory=set)
    accepted: int = 0
    deduplicated: int = 0
    rejected: int = 0
    broken: list[Failure] = field(default_factory=list)


class Arena:
    """Servers and a PostgreSQL that may be killed at any moment."""

    def __init__(self, database_url: str, redis_url: str, stores: Path, folder: Path) -> None:
        """`stores` is the folder of the embedded servers; logs go to `folder`."""
        self.stores = stores
        self.environment = {
            "PATH": os.environ["PATH"],
            "CANDELA_DATABASE_URL": database_url,
            "CANDELA_REDIS_URL": redis_url,
        }
        self.merchant = create_merchant_by_command(self.environment, "Kill loop")
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(_SERVERS)]
        self.servers = [
            ForkedServer(
                address,
                {
                    **self.environment,
                    "CANDELA_GRPC_ADDRESS": address,
                    "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
                },
                folder / f"server-{number}.log",
            )
            for number, address in enumerate(self.addresses)
        ]
        self.kills: list[str] = []
        self.over = threading.Event()
        self.trouble: list[BaseException] = []

    def defects(self) -> str:
        """What the servers' logs say of calls that failed where they should have been refused."""
        return "\n".join(
            line
            for server in self.servers
            for line in server.log.read_text(errors="replace").splitlines()
            if "call_failed" in line
        )

    def thread(self, work: Callable[..., None], *arguments: object) -> threading.Thread:
        """A thread, running, whose failure ends the whole test and is told."""

        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self.trouble.append(error)
                self.over.set()
                raise

        started = threading.Thread(target=run)
        started.start()
        return started

    def kill_servers(self) -> None:
        """Kills one server after the other; most while they serve, some while they are still starting."""
        moments = random.Random(_SEED)
        while self.kills.count("server") < _SERVER_KILLS and not self.over.is_set():
            server = moments.choice(self.servers)
            if moments.random() < 0.8:
                server.wait_until_serving()
            time.sleep(moments.uniform(0, 0.6))
            if server.kill() is not None:
                self.kills.append("server")

    def kill_postgres(self, running: ExitStack) -> None:
        """Kills PostgreSQL with all its processes, and starts it again."""
        moments = random.Random(_SEED + 1)
        for _ in range(_POSTGRES_KILLS):
            time.sleep(moments.uniform(0.5, 2.5))
            if self.over.is_set():
                return
            found = running.enter_context(embedded.start(self.stores))
            postmaster = psutil.Process(found.postgres_pid)
            processes = [postmaster, *postmaster.children(recursive=True)]
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            # A process that is ending holds its port to the last; without it the next one would take another.
            psutil.wait_procs(processes, timeout=_START_TIMEOUT_S)
            self.kills.append("postgres")
            running.enter_context(embedded.start(self.stores))

    def send(self, client_number: int, sent: Sent) -> None:
        """Sends batch after batch until the killing is over; a broken one is sent again, to whichever server."""
        chosen = random.Random(_SEED + 100 + client_number)
        batch_number = 0
        while not self.over.is_set():
            # All clients share the keys of each third batch, and send them at about the same time.
            owner = "shared" if batch_number % 3 == 0 else str(client_number)
            batch = [event(f"{owner}-{batch_number}-{n}") for n in range(_BATCH)]
            while True:
                address = chosen.choice(self.addresses)
                try:
                    with Client(address, self.merchant["secret_key"]) as client:
                        got = client.stream_events(batch, chunk_events=_CHUNK)
                    break
                except grpc.RpcError as error:
                    if self.trouble:
                        return
                    sent.broken.append(failure_of(error))
                    time.sleep(0.02)
            sent.keys.update(one.idempotency_key for one in batch)
            sent.accepted += got.accepted
            sent.deduplicated += got.deduplicated
            sent.rejected += got.rejected
            batch_number += 1


def event(key: str) -> event_pb2.Event:
    return event_pb2.Event(
        idempotency_key=key, name="api-call", external_customer_id="acme", value="1.000000000001"
    )


@pytest.fixture
def arena(tmp_path: Path) -> Iterator[tuple[Arena, ExitStack, str]]:
    """The arena on a database of its own, in a PostgreSQL of its own; all of it is ended afterwards."""
    with ExitStack() as running:
        stores = running.enter_context(own_folder(_FOLDER))
        ports = {"postgres": free_port(), "valkey": free_port()}
        (stores / "ports.json").write_text(json.dumps(ports))
        servers = running.enter_context(embedded.start(stores))
        databases = TestDatabases(servers.database_url)
        url = databases.new_migrated()
        made = Arena(url, servers.redis_url, stores, tmp_path)
        try:
            for server in made.servers:
                server.wait_until_serving()
            yield made, running, url
        finally:
            made.over.set()
            for server in made.servers:
                server.end()
            databases.drop_all()


@pytest.mark.spec("EVT-1", "EVT-2", "EVT-7")
async def test_servers_and_postgres_killed_at_random__every_key_counts_once(
    arena: tuple[Arena, ExitStack, str],
) -> None:
    made, running, url = arena
    with Client(made.addresses[0], made.merchant["secret_key"]) as client:
        client.customers.CreateCustomer(
            customer_service_pb2.CreateCustomerRequest(name="Acme", external_id="acme")
        )
        client.metrics.CreateMetric(
            metric_service_pb2.CreateMetricRequest(
                metric=metric_pb2.NewMetric(
                    slug="calls",
                    name="Calls",
                    aggregation=metric_pb2.AGGREGATION_SUM,
                    event_names=["api-call"],
                )
            )
        )
    sent = [Sent() for _ in range(_CLIENTS)]
    senders = [made.thread(made.send, number, one) for number, one in enumerate(sent)]
    killers = [made.thread(made.kill_servers), made.thread(made.kill_postgres, running)]
    for thread in killers:
        thread.join()
    # However slow the machine is, enough is sent for the kills to have hit something.
    until(lambda: made.over.is_set() or sum(len(one.keys) for one in sent) > _CLIENTS * _LEAST)
    made.over.set()
    for thread in senders:
        thread.join()

    assert made.trouble == []
    assert len(made.kills) == _SERVER_KILLS + _POSTGRES_KILLS
    keys = set[str]().union(*(one.keys for one in sent))
    assert len(keys) > _LEAST
    assert [one.rejected for one in sent] == [0] * _CLIENTS
    # Where even the client's own resumption gave up, it was told to try again, and nothing else.
    told_otherwise = [
        str(failure)
        for one in sent
        for failure in one.broken
        if failure.code is not grpc.StatusCode.UNAVAILABLE
    ]
    assert told_otherwise == [], made.defects()
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT idempotency_key), sum(value) FROM event"
        ).fetchone()
    assert row is not None
    stored, distinct, total = row
    assert (stored, distinct) == (len(keys), len(keys))
    assert await _measured(url, made) == {total}


async def _measured(url: str, made: Arena) -> set[object]:
    """The usage in three ways: as invoices read it, as checks do from the live counters, and by the API."""
    clock = SystemClock()
    db, events = Postgres(url, clock), EventStore(url)
    redis = Redis(made.environment["CANDELA_REDIS_URL"])
    counters = Counters(CounterCache(redis), events, clock)
    await db.open()
    await events.open()
    await counters.start()
    try:
        merchant_id = made.merchant["merchant_id"]
        now = datetime.now(UTC)
        window = Interval(now - timedelta(days=1), now + timedelta(days=1))
        async with db.reading(merchant_id) as tx:
            [metric] = await catalog.list_metrics(tx)
            customer_id = await tx.fetchval(
                "SELECT id FROM customer WHERE merchant_id = $1", merchant_id
            )
        who = UsageOf(customer_id=customer_id)
        rolled_up = await aggregate(events, merchant_id, metric, who, window)
        [live] = await counters.read(merchant_id, [UsageAsk(metric=metric, who=who, window=window)])
    finally:
        await counters.stop()
        await redis.close()
        await events.close()
        await db.close()
    request = usage_service_pb2.GetUsageRequest(
        customer=customer_pb2.CustomerRef(external_id="acme")
    )
    request.window.start_at.FromDatetime(window.start_at)
    request.window.end_at.FromDatetime(window.end_at)
    with Client(made.addresses[0], made.merchant["secret_key"]) as client:
        answered = client.usage.GetUsage(request).usages[0].value
    return {rolled_up, live, type(rolled_up)(answered)}
