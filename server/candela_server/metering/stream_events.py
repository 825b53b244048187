"""One stream of numbered chunks: taken in while earlier ones are still on their way, acknowledged in order (EVT-1).

Data plane. Chunks are prepared and queued as they come; at most WINDOW_EVENTS of a stream are on their way, then it is
no longer read, and HTTP/2's flow control slows the client down. An acknowledgement covers every chunk that is
committed by then, so a fast client gets few of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from .ingest_events import Ingestor
from .model import ChunkOutOfOrderError, Outcome, Recorded
from .record_backfill import BackfillRecorder

WINDOW_EVENTS: Final = 20_000
WINDOW_CHUNKS: Final = 256


@dataclass(slots=True)
class Acknowledgement:
    """All chunks up to `chunk_number` are committed; the counts are those of the stream so far."""

    chunk_number: int = 0
    accepted_count: int = 0
    deduplicated_count: int = 0
    rejected_count: int = 0
    exceptions: list[tuple[int, Recorded]] = field(default_factory=list)


_OnItsWay: TypeAlias = tuple[int, int, asyncio.Future[Recorded]]
"""Chunk number, size, and what will have become of it."""


async def stream_events(
    ingestor: Ingestor,
    merchant_id: str,
    chunks: AsyncIterator[Any],
    backfills: BackfillRecorder | None = None,
) -> AsyncIterator[Acknowledgement]:
    """Acknowledges the chunks of one stream. The same object is yielded each time, with only new exceptions.

    Chunks that name a backfill go to `backfills`. Raises ChunkOutOfOrderError, BatchTooLargeError,
    BackfillNotFoundError, BackfillStateError and IngestionUnavailableError; what was acknowledged stays.
    """
    stream = _Stream(ingestor, merchant_id, backfills)
    reader = asyncio.create_task(stream.read(chunks))
    acknowledgement = Acknowledgement()
    try:
        while (first := await stream.next()) is not None:
            acknowledgement.exceptions = []
            await first[2]
            _note(acknowledgement, first)
            # Whatever else is committed by now goes into the same acknowledgement.
            for one in stream.take_done():
                _note(acknowledgement, one)
            yield acknowledgement
        await reader
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await reader


class _Stream:
    """What is on its way of one stream."""

    def __init__(
        self, ingestor: Ingestor, merchant_id: str, backfills: BackfillRecorder | None
    ) -> None:
        self._ingestor = ingestor
        self._backfills = backfills
        self._merchant_id = merchant_id
        self._chunks: deque[_OnItsWay | None] = deque()
        self._came = asyncio.Event()
        self._events = 0
        self._room = asyncio.Event()

    async def read(self, chunks: AsyncIterator[Any]) -> None:
        """Takes the chunks in; ends with the stream."""
        expected: int | None = None
        try:
            async for chunk in chunks:
                number: int = chunk.chunk_number
                if number <= 0 or (expected is not None and number != expected):
                    raise ChunkOutOfOrderError(expected or 1, number)
                expected = number + 1
                size = len(chunk.events)
                while self._events >= WINDOW_EVENTS or len(self._chunks) >= WINDOW_CHUNKS:
                    self._room.clear()
                    await self._room.wait()
                done = await self._submit(chunk)
                self._events += size
                self._chunks.append((number, size, done))
                self._came.set()
        finally:
            self._chunks.append(None)
            self._came.set()

    async def _submit(self, chunk: Any) -> asyncio.Future[Recorded]:
        if self._backfills is not None and chunk.HasField("backfill_id"):
            return await self._backfills.submit(self._merchant_id, chunk.backfill_id, chunk.events)
        return await self._ingestor.submit(self._merchant_id, chunk.events)

    async def next(self) -> _OnItsWay | None:
        """The oldest chunk on its way; None after the last."""
        while not self._chunks:
            self._came.clear()
            await self._came.wait()
        return self._leave()

    def take_done(self) -> list[_OnItsWay]:
        """The oldest chunks that are committed already."""
        done = []
        while self._chunks:
            head = self._chunks[0]
            if head is None or not head[2].done() or head[2].exception() is not None:
                break
            done.append(head)
            self._leave()
        return done

    def _leave(self) -> _OnItsWay | None:
        one = self._chunks.popleft()
        if one is not None:
            self._events -= one[1]
            self._room.set()
        return one


def _note(acknowledgement: Acknowledgement, one: _OnItsWay) -> None:
    number, size, done = one
    recorded = done.result()
    accepted = recorded.outcomes.count(Outcome.ACCEPTED)
    deduplicated = recorded.outcomes.count(Outcome.DEDUPLICATED)
    acknowledgement.chunk_number = number
    acknowledgement.accepted_count += accepted
    acknowledgement.deduplicated_count += deduplicated
    acknowledgement.rejected_count += size - accepted - deduplicated
    if accepted < size:
        acknowledgement.exceptions.append((number, recorded))
