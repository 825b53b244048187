"""Streaming usage: chunks go out, cumulative acknowledgements come back, and a broken stream resumes by itself.

Every event has an idempotency key, so that sending the unacknowledged part again counts nothing twice.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import grpc
from candela.metering.v1 import event_pb2, ingestion_service_pb2, ingestion_service_pb2_grpc
from candela.type.v1 import item_error_pb2

from ._errors import failure_of

CHUNK_EVENTS = 500
MAX_CHUNKS_IN_FLIGHT = 16
MAX_ATTEMPTS = 8
_FIRST_PAUSE_S = 0.2
_MAX_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far a stream has come: events that are committed or refused for good."""

    sent: int
    accepted: int
    deduplicated: int
    rejected: int


@dataclass(slots=True)
class StreamResult:
    """What became of all events; `errors` pairs the position of each refused event with why."""

    accepted: int = 0
    deduplicated: int = 0
    rejected: int = 0
    errors: list[tuple[int, item_error_pb2.ItemError]] = field(default_factory=list)

    @property
    def decided(self) -> int:
        """How many events have an answer."""
        return self.accepted + self.deduplicated + self.rejected


@dataclass(slots=True)
class _Chunk:
    first: int
    events: list[event_pb2.Event]


class _Supply:
    """The chunks of one iterable by number, each kept until it is acknowledged.

    Every attempt at a stream asks from a thread of gRPC's own, and the thread of an attempt that broke may still wait
    for the iterable: whoever reads it, the chunk is there for the attempt that goes on.
    """

    def __init__(self, chunks: Iterator[_Chunk]) -> None:
        self._chunks = chunks
        self._reading = threading.Lock()
        self._keeping = threading.Lock()
        self._kept: deque[_Chunk] = deque()
        self._trouble: Exception | None = None
        self.acknowledged = 0

    def get(self, number: int) -> _Chunk | None:
        """The chunk of a number, the first being 1; None behind the last. Raises what the iterable raises."""
        with self._reading:
            known = self._known(number)
            if known is not None:
                return known
            self.check()
            if number <= self.acknowledged:
                return None  # Asked for by a stream whose place another has taken.
            try:
                chunk = next(self._chunks, None)
            except Exception as error:
                self._trouble = error
                raise
            if chunk is not None:
                with self._keeping:
                    self._kept.append(chunk)
            return chunk

    def acknowledge(self) -> _Chunk:
        """The next chunk, which need not be kept any more."""
        with self._keeping:
            self.acknowledged += 1
            return self._kept.popleft()

    def check(self) -> None:
        """Raises again what the iterable raised: gRPC tells only that something was."""
        if self._trouble is not None:
            raise self._trouble

    def _known(self, number: int) -> _Chunk | None:
        with self._keeping:
            index = number - self.acknowledged - 1
            return self._kept[index] if 0 <= index < len(self._kept) else None


class EventStream:
    """Sends one iterable of events to its end."""

    def __init__(
        self,
        stub: ingestion_service_pb2_grpc.IngestionServiceStub,
        events: Iterable[event_pb2.Event],
        on_progress: Callable[[StreamProgress], None] | None,
        chunk_events: int,
    ) -> None:
        """Takes what to send; nothing is sent before `run`."""
        self._stub = stub
        self._supply = _Supply(_chunks(events, chunk_events))
        self._on_progress = on_progress
        self._result = StreamResult()

    def run(self) -> StreamResult:
        """Sends everything; after a broken stream, what was not acknowledged is sent again.

        Raises grpc.RpcError when the server refuses the stream or stays away for too long, and whatever the iterable
        raises.
        """
        attempts = 0
        pause_s = _FIRST_PAUSE_S
        while True:
            decided_before = self._result.decided
            try:
                self._stream_once()
                return self._result
            except grpc.RpcError as error:
                self._supply.check()
                failure = failure_of(error)
                if failure.code is not grpc.StatusCode.UNAVAILABLE and failure.retry_after is None:
                    raise
                if self._result.decided > decided_before:
                    attempts, pause_s = 0, _FIRST_PAUSE_S
                attempts += 1
                if attempts >= MAX_ATTEMPTS:
                    raise
                # A server with more events than it can hold says when there may be room.
                asked_s = failure.retry_after.total_seconds() if failure.retry_after else 0.0
                time.sleep(max(pause_s, asked_s))
                pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    def _stream_once(self) -> None:
        permits = threading.Semaphore(MAX_CHUNKS_IN_FLIGHT)
        ended = threading.Event()
        done = self._supply.acknowledged

        def requests() -> Iterator[ingestion_service_pb2.StreamEventsRequest]:
            number = 0
            while not ended.is_set():
                if not permits.acquire(timeout=0.5):
                    continue
                number += 1
                chunk = self._supply.get(done + number)
                if chunk is None:
                    return
                yield ingestion_service_pb2.StreamEventsRequest(
                    chunk_number=number, events=chunk.events
                )

        try:
            for response in self._stub.StreamEvents(requests()):
                exceptions = {outcome.chunk_number: outcome for outcome in response.exceptions}
                for number in range(
                    self._supply.acknowledged - done + 1, response.acknowledged_chunk_number + 1
                ):
                    self._count(self._supply.acknowledge(), exceptions.get(number))
                    permits.release()
                if self._on_progress is not None:
                    result = self._result
                    self._on_progress(
                        StreamProgress(
                            sent=result.decided,
                            accepted=result.accepted,
                            deduplicated=result.deduplicated,
                            rejected=result.rejected,
                        )
                    )
        finally:
            ended.set()

    def _count(self, chunk: _Chunk, outcome: ingestion_service_pb2.ChunkOutcome | None) -> None:
        if outcome is None:
            self._result.accepted += len(chunk.events)
            return
        for decided in outcome.outcomes:
            if decided == event_pb2.EVENT_OUTCOME_ACCEPTED:
                self._result.accepted += 1
            elif decided == event_pb2.EVENT_OUTCOME_DEDUPLICATED:
                self._result.deduplicated += 1
            else:
                self._result.rejected += 1
        self._result.errors += [(chunk.first + error.index, error) for error in outcome.errors]


def new_event_key() -> str:
    """A key for an event that was given none."""
    return str(uuid.uuid4())


def _chunks(events: Iterable[event_pb2.Event], size: int) -> Iterator[_Chunk]:
    iterator = iter(events)
    first = 0
    while chunk := list(islice(iterator, size)):
        for event in chunk:
            if not event.idempotency_key:
                event.idempotency_key = new_event_key()
        yield _Chunk(first, chunk)
        first += len(chunk)
