"""Streams rows to a server and hears what became of them; a broken stream goes on where it was acknowledged.

What is not acknowledged is not kept in memory but read from the file again: its keys are the same, so that what had
been committed is deduplicated.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from candela import Client, failure_of
from candela.metering.v1 import event_pb2, ingestion_service_pb2

from . import wire
from .model import ImportOptions, Progress, Rejected, Row, RowError
from .read_rows import read_rows
from .rules.row_event import event_of_row

_CHUNK_ROWS: Final = 500
_CHUNK_BYTES: Final = 262_144
_CHUNKS_IN_FLIGHT: Final = 16
"""Some megabytes at most: what an import needs of memory, however large the file is."""

_FIRST_PAUSE_S: Final = 0.2
_MAX_PAUSE_S: Final = 5.0
_POLL_S: Final = 0.1


class ImportInterruptedError(Exception):
    """The server refuses the stream, or stays away for too long; what was acknowledged stays."""


@dataclass(slots=True)
class _Chunk:
    """Some rows in file order: those that are sent, and those that cannot be."""

    rows: list[Row] = field(default_factory=list)
    events: list[event_pb2.Event] = field(default_factory=list)
    bad: list[Rejected] = field(default_factory=list)
    end: int = 0
    line: int = 0
    size: int = 0


class Sender:
    """Sends one file; `progress` is always what is decided for good."""

    def __init__(
        self,
        client: Client,
        options: ImportOptions,
        progress: Progress,
        digest_of_file: Callable[[], bytes],
        on_decided: Callable[[Progress, list[Rejected]], None],
        *,
        patience_s: float,
    ) -> None:
        self._client = client
        self._options = options
        self._progress = progress
        self._digest_of_file = digest_of_file
        self._on_decided = on_decided
        self._patience_s = patience_s
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends `run` soon, with ImportInterruptedError; for a signal's handler."""
        self._stopping.set()

    def run(self) -> None:
        """Sends the rest of the file. Raises ImportFileError and ImportInterruptedError."""
        pause_s = _FIRST_PAUSE_S
        moved_at = time.monotonic()
        while not self._stopping.is_set():
            offset = self._progress.offset
            try:
                _Attempt(self._client, self._chunks, self._progress, self._on_decided).run(
                    self._stopping
                )
                return
            except grpc.RpcError as error:
                failure = failure_of(error)
                if self._progress.offset > offset:
                    pause_s, moved_at = _FIRST_PAUSE_S, time.monotonic()
                if self._stopping.is_set():
                    break
                if failure.code is not grpc.StatusCode.UNAVAILABLE and failure.retry_after is None:
                    raise ImportInterruptedError(str(failure)) from error
                if time.monotonic() - moved_at > self._patience_s:
                    raise ImportInterruptedError(
                        f"the server took nothing in for {self._patience_s:.0f} s: {failure}"
                    ) from error
                # A server with more events than it can hold says when there may be room.
                asked_s = failure.retry_after.total_seconds() if failure.retry_after else 0.0
            self._stopping.wait(max(pause_s, asked_s))
            pause_s = min(2 * pause_s, _MAX_PAUSE_S)
        raise ImportInterruptedError("interrupted")

    def _chunks(self) -> Iterator[_Chunk]:
        offset, line = self._progress.offset, self._progress.line
        with self._options.path.open("rb") as file:
            chunk = _Chunk()
            for row in read_rows(file, self._options, offset=offset, line=line):
                self._add(chunk, row)
                if len(chunk.rows) + len(chunk.bad) >= _CHUNK_ROWS or chunk.size >= _CHUNK_BYTES:
                    yield chunk
                    chunk = _Chunk()
            if chunk.end:
                yield chunk

    def _add(self, chunk: _Chunk, row: Row) -> None:
        chunk.end = row.end
        chunk.line = row.line + row.content.count(b"\n")
        chunk.size += len(row.content)
        if row.values is None:
            chunk.bad.append(_unreadable(row, "INVALID_ROW", "", row.problem))
            return
        try:
            event = wire.event_to_proto(event_of_row(row, self._options, self._digest_of_file))
        except RowError as error:
            chunk.bad.append(_unreadable(row, "INVALID_FIELD", error.field, str(error)))
            return
        except ValueError as error:  # a text or an instant that the contract cannot carry
            chunk.bad.append(_unreadable(row, "INVALID_ROW", "", str(error)))
            return
        chunk.rows.append(row)
        chunk.events.append(event)


class _Attempt:
    """One stream, from what is decided to the end of the file or of the stream.

    Two threads work on it: gRPC's reads the file and sends, ours hears of what is committed. Chunks are decided in file
    order by whoever can, under one lock; after the end nothing is decided any more, so that what is noted stays true.
    """

    def __init__(
        self,
        client: Client,
        chunks: Callable[[], Iterator[_Chunk]],
        progress: Progress,
        on_decided: Callable[[Progress, list[Rejected]], None],
    ) -> None:
        self._client = client
        self._chunks = chunks
        self._progress = progress
        self._on_decided = on_decided
        self._permits = threading.Semaphore(_CHUNKS_IN_FLIGHT)
        self._lock = threading.Lock()
        self._in_flight: deque[_Chunk] = deque()
        self._ended = threading.Event()
        self._trouble: Exception | None = None

    def run(self, stopping: threading.Event) -> None:
        """Sends and hears. Raises grpc.RpcError, and whatever reading the file raises."""
        call: Any = self._client.ingestion.StreamEvents(self._requests())
        watcher = threading.Thread(target=self._watch, args=(stopping, call), daemon=True)
        watcher.start()
        acknowledged = 0
        try:
            for answer in call:
                exceptions = {one.chunk_number: one for one in answer.exceptions}
                while acknowledged < answer.acknowledged_chunk_number:
                    acknowledged += 1
                    self._decide_next(exceptions.get(acknowledged))
        except grpc.RpcError:
            if self._trouble is not None:
                raise self._trouble from None
            raise
        finally:
            with self._lock:
                self._ended.set()
            call.cancel()
            watcher.join()

    def _watch(self, stopping: threading.Event, call: Any) -> None:
        while not self._ended.wait(_POLL_S):
            if stopping.is_set():
                call.cancel()
                return

    def _requests(self) -> Iterator[ingestion_service_pb2.StreamEventsRequest]:
        try:
            number = 0
            for chunk in self._chunks():
                while not self._permits.acquire(timeout=_POLL_S):
                    if self._ended.is_set():
                        return
                with self._lock:
                    if self._ended.is_set():
                        return
                    self._in_flight.append(chunk)
                    self._decide_unsendable()
                if chunk.events:
                    number += 1
                    yield ingestion_service_pb2.StreamEventsRequest(
                        chunk_number=number, events=chunk.events
                    )
        except Exception as error:  # gRPC would only say that the iterator failed
            self._trouble = error
            raise

    def _decide_next(self, outcome: ingestion_service_pb2.ChunkOutcome | None) -> None:
        with self._lock:
            self._decide(self._in_flight.popleft(), outcome)
            self._decide_unsendable()

    def _decide_unsendable(self) -> None:
        """Chunks of bad rows alone are never acknowledged: their turn is when all before them are decided."""
        while self._in_flight and not self._in_flight[0].events:
            self._decide(self._in_flight.popleft(), None)

    def _decide(self, chunk: _Chunk, outcome: ingestion_service_pb2.ChunkOutcome | None) -> None:
        rejected = wire.count_outcomes(self._progress, chunk.rows, outcome)
        self._progress.rejected += len(chunk.bad)
        self._progress.offset, self._progress.line = chunk.end, chunk.line
        self._permits.release()
        self._on_decided(self._progress, sorted([*rejected, *chunk.bad], key=lambda one: one.line))


def _unreadable(row: Row, reason: str, field: str, message: str) -> Rejected:
    return Rejected(line=row.line, reason=reason, field=field, message=message, content=row.content)
