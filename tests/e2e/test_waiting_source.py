"""Streams from a source that waits, as a queue does: no event is lost with the connection (EVT-1, EVT-3)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from candela import Client
from candela._events import EventStream
from candela.customer.v1 import customer_service_pb2
from candela.metering.v1 import event_pb2

from tests.helpers.names import fresh
from tests.helpers.proxy import Proxy
from tests.helpers.servers import LiveServer
from tests.helpers.waiting import PATIENCE_S


class Attempts:
    """The stub of a client; `begun` is set when a stream asks for its first chunk a second time."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub
        self._count = 0
        self.begun = threading.Event()

    def StreamEvents(self, requests: Iterator[Any]) -> Any:
        """The stub's own call."""
        return self._stub.StreamEvents(self._watched(requests))

    def _watched(self, requests: Iterator[Any]) -> Iterator[Any]:
        self._count += 1
        if self._count == 2:
            self.begun.set()
        yield from requests


@pytest.fixture
def customer_id(candela: Client) -> str:
    request = customer_service_pb2.CreateCustomerRequest(name="Streams")
    return candela.customers.CreateCustomer(request).customer.id


@pytest.mark.spec("EVT-1", "EVT-3", "SDK-1")
def test_source_that_waits_while_the_stream_breaks__is_sent_whole(
    live_server: LiveServer, customer_id: str
) -> None:
    key = fresh("key")
    acknowledged = threading.Event()

    def event(number: int) -> event_pb2.Event:
        return event_pb2.Event(
            idempotency_key=f"{key} {number}", name="waited-for", customer_id=customer_id
        )

    with (
        Proxy(int(live_server.address.rpartition(":")[2])) as network,
        Client(f"127.0.0.1:{network.port}", live_server.secret_key) as client,
    ):
        attempts = Attempts(client.ingestion)

        def source() -> Iterator[event_pb2.Event]:
            yield event(1)
            assert acknowledged.wait(PATIENCE_S)
            network.cut()
            # The next stream asks for the same chunk while this one's thread still waits for it.
            assert attempts.begun.wait(PATIENCE_S)
            yield event(2)
            yield event(3)

        stream = EventStream(
            attempts,  # type: ignore[arg-type]
            source(),
            on_progress=lambda _: acknowledged.set(),
            chunk_events=1,
        )
        result = stream.run()

    assert (result.accepted, result.deduplicated, result.rejected) == (3, 0, 0)


@pytest.mark.spec("EVT-3", "SDK-1")
def test_source_that_fails__raises_its_own_error(candela: Client, customer_id: str) -> None:
    def source() -> Iterator[event_pb2.Event]:
        yield event_pb2.Event(name="waited-for", customer_id=customer_id)
        raise KeyError("the queue is gone")

    with pytest.raises(KeyError, match="the queue is gone"):
        candela.stream_events(source(), chunk_events=1)
