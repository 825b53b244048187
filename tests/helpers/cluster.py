"""Two server processes on stores of their own, for tests that take away what servers rely on.

The first server reaches its stores directly. The second one reaches them through proxies, so that a store can fail for
one server and work for the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import psycopg
from candela import Client, Failure, failure_of
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.entitlement.v1 import entitlement_service_pb2_grpc

from candela_server.storage.migrate import migrate

from tests.helpers.own_stores import OwnStores
from tests.helpers.proxy import Proxy
from tests.helpers.servers import (
    CandelaProcess,
    create_merchant_by_command,
    environment_for,
    wait_until_serving,
)

DATABASE: Final = "cluster"


class Node:
    """One server process, and calls to it that are never repeated behind the test's back."""

    def __init__(self, process: CandelaProcess, key: str) -> None:
        """Connects with the first call."""
        self.process = process
        self.address = process.environment["CANDELA_GRPC_ADDRESS"]
        self.client = Client(self.address, key)
        self._metadata = (("authorization", f"Bearer {key}"),)
        self._channel = grpc.insecure_channel(
            self.address,
            options=[("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 200)],
        )
        self._stub: Any = entitlement_service_pb2_grpc.EntitlementServiceStub(self._channel)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def check(self, request: pb.CheckRequest, timeout_s: float = 10.0) -> pb.CheckResponse:
        """One check. Raises grpc.RpcError."""
        return self._stub.Check(request, timeout=timeout_s, metadata=self._metadata)

    def begin_check(self, request: pb.CheckRequest, timeout_s: float = 10.0) -> Any:
        """The same; the answer is a future."""
        return self._stub.Check.future(request, timeout=timeout_s, metadata=self._metadata)

    def check_many(
        self, requests: list[pb.CheckRequest], timeout_s: float = 10.0
    ) -> list[pb.CheckManyResult]:
        """Many checks in one call. Raises grpc.RpcError."""
        request = pb.CheckManyRequest(checks=requests)
        return list(
            self._stub.CheckMany(request, timeout=timeout_s, metadata=self._metadata).results
        )

    def refusal(self, request: pb.CheckRequest, timeout_s: float = 10.0) -> Failure | None:
        """Why the check fails; None when it is answered."""
        try:
            self.check(request, timeout_s)
        except grpc.RpcError as error:
            return failure_of(error)
        return None

    def close(self) -> None:
        """Ends the connections."""
        self.client.close()
        self._channel.close()


@dataclass(slots=True, kw_only=True)
class Cluster:
    """The servers, their stores, and the proxies in front of the second server's stores."""

    stores: OwnStores
    database_url: str
    database_proxy: Proxy
    redis_proxy: Proxy
    first: Node
    second: Node
    merchant_id: str
    secret_key: str
    publishable_key: str

    def heal(self) -> None:
        """Brings back whatever a test took away, and waits until both servers are as new."""
        self.database_proxy.heal()
        self.redis_proxy.heal()
        self.stores.heal()


@contextmanager
def running_cluster(stores: OwnStores, folder: Path) -> Iterator[Cluster]:
    """Starts the servers on a new database of `stores`."""
    with psycopg.connect(stores.postgres_url, autocommit=True) as connection:
        # An earlier session's, perhaps with an earlier schema.
        connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {DATABASE}")
    database_url = f"{stores.postgres_url.rpartition('/')[0]}/{DATABASE}"
    migrate(database_url)
    with ExitStack() as stack:
        database_proxy = stack.enter_context(Proxy(stores.postgres_port))
        redis_proxy = stack.enter_context(Proxy(stores.redis_port))
        direct = environment_for(database_url, stores.redis_url)
        proxied = environment_for(
            database_proxy.url(database_url), redis_proxy.url(stores.redis_url)
        )
        processes = [
            CandelaProcess(name, ("serve",), environment, folder / f"{name}.log")
            for name, environment in (("first", direct), ("second", proxied))
        ]
        for process in processes:
            process.start()
            stack.callback(process.stop)
        merchant = create_merchant_by_command(direct, "Cluster")
        for process in processes:
            wait_until_serving(process.environment["CANDELA_GRPC_ADDRESS"], process)
        first, second = (Node(process, merchant["secret_key"]) for process in processes)
        stack.callback(first.close)
        stack.callback(second.close)
        yield Cluster(
            stores=stores,
            database_url=database_url,
            database_proxy=database_proxy,
            redis_proxy=redis_proxy,
            first=first,
            second=second,
            merchant_id=merchant["merchant_id"],
            secret_key=merchant["secret_key"],
            publishable_key=merchant["publishable_key"],
        )
