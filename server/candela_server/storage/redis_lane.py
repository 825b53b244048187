"""One connection to Redis on which everybody's command of one moment travels in one write: for checks.

Data plane. Budget: 10 µs a command with its answer, where redis-py's pipelines cost a busy server several times that.
What it gives up: it only sends commands whose bytes are ready, and never waits, retries or reconnects for a caller: who
cannot be served at once is told so and goes another way. hiredis parses the answers.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

import hiredis
import structlog
from redis.asyncio.connection import parse_url

log = structlog.get_logger("candela.redis")

TIMEOUT_S: Final = 0.1
"""How old the oldest unanswered command may become before the connection is given up."""

_QUIET_TURNS: Final = 8
"""Turns of the loop without a new command after which a write goes out: a write costs as much as ten commands.

A lone command waits some 50 µs; those of a burst, or of a saturated server, go together, and nothing measures load.
"""

_GATHER_S: Final = 0.002
"""How long commands that keep coming may hold a write back."""

_CONNECT_TIMEOUT_S: Final = 1.0
_PAUSE_S: Final = 0.5
_NOTHING: Final = object()


class LaneClosedError(ConnectionError):
    """The lane is not open, or broke while a command was on its way."""


def encode(*words: str | bytes | int) -> bytes:
    """A command as Redis reads it."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        raw = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


class RedisLane(asyncio.Protocol):
    """The lane of one process. Each write begins with `preamble`, whose answer comes with every answer of the write."""

    def __init__(self, url: str, preamble: bytes) -> None:
        """Connects with the first command, which itself goes another way."""
        self._options = parse_url(url)
        self._preamble = preamble
        self._preamble_answer: Any = None
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._out: list[bytes] = []
        # What is to be answered, in order; None stands for a preamble.
        self._pending: deque[asyncio.Future[Any] | _Several | None] = deque()
        self._queued: list[asyncio.Future[Any] | _Several | None] = []
        self._gathering_since_s = 0.0
        self._gathered = self._quiet_turns = 0
        self._connecting: asyncio.Task[None] | None = None
        self._silent_until_s = 0.0
        self._sent_s = 0.0
        self._answered_s = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_lost: Callable[[], None] = lambda: None

    def send(self, command: bytes) -> asyncio.Future[tuple[Any, Any]]:
        """The answers to the preamble and to the command. Raises LaneClosedError at once or later."""
        future: asyncio.Future[tuple[Any, Any]] = self._begin().create_future()
        self._out.append(command)
        self._queued.append(future)
        return future

    def send_all(self, commands: bytes, count: int) -> asyncio.Future[tuple[Any, list[Any]]]:
        """The answers to the preamble and to so many commands, which must be some. Raises LaneClosedError."""
        several = _Several(self._begin().create_future(), count)
        self._out.append(commands)
        self._queued.append(several)
        return several.future

    def _begin(self) -> asyncio.AbstractEventLoop:
        loop = self._loop
        if self._transport is None or loop is None:
            self._connect_soon()
            raise LaneClosedError("the lane is not open")
        if not self._out:
            self._gathering_since_s = time.monotonic()
            self._gathered = self._quiet_turns = 0
            loop.call_soon(self._gather, loop)
            self._out.append(self._preamble)
            self._queued.append(None)
        return loop

    async def close(self) -> None:
        """Ends the connection."""
        self._silent_until_s = float("inf")
        self.on_lost = lambda: None
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.gather(self._connecting, return_exceptions=True)
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Hands every answer to who waits for it."""
        self._answered_s = time.monotonic()
        reader, pending = self._reader, self._pending
        try:
            reader.feed(data)
            while (answer := reader.gets()) is not _NOTHING:
                waiting = pending[0]
                if isinstance(waiting, _Several) and not waiting.take(answer, reader):
                    return
                pending.popleft()
                if waiting is None:
                    self._preamble_answer = answer
                elif isinstance(waiting, _Several):
                    waiting.tell(self._preamble_answer)
                elif not waiting.done():
                    waiting.set_result((self._preamble_answer, answer))
        except (hiredis.ProtocolError, IndexError):
            log.warning("redis_lane_confused", exc_info=True)
            self._give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells everybody who waits."""
        self._transport = None
        self.on_lost()
        self._silent_until_s = max(self._silent_until_s, time.monotonic() + _PAUSE_S)
        self._out.clear()
        pending, self._pending = [*self._pending, *self._queued], deque()
        self._queued = []
        for waiting in pending:
            future = waiting.future if isinstance(waiting, _Several) else waiting
            if future is not None and not future.done():
                future.set_exception(LaneClosedError("the connection to Redis was lost"))
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Writes once nobody came for some turns, or waited long enough."""
        count = len(self._queued)
        if count != self._gathered:
            self._gathered, self._quiet_turns = count, 0
        else:
            self._quiet_turns += 1
        if (
            self._quiet_turns >= _QUIET_TURNS
            or time.monotonic() - self._gathering_since_s >= _GATHER_S
        ):
            self._flush()
        else:
            loop.call_soon(self._gather, loop)

    def _flush(self) -> None:
        if self._transport is None or not self._out:
            return
        self._transport.write(b"".join(self._out))
        self._out.clear()
        self._pending.extend(self._queued)
        self._queued.clear()
        if self._watch is None:
            self._sent_s = time.monotonic()
            assert self._loop is not None, "set when connected"
            self._watch = self._loop.call_later(TIMEOUT_S, self._look)

    def _look(self) -> None:
        """Gives up a connection on which nothing came while something was due."""
        self._watch = None
        if not self._pending:
            return
        now_s = time.monotonic()
        silent_s = now_s - max(self._answered_s, self._sent_s)
        if silent_s >= TIMEOUT_S:
            log.warning("redis_lane_silent", seconds=silent_s)
            self._give_up()
            return
        assert self._loop is not None, "set when connected"
        self._watch = self._loop.call_later(TIMEOUT_S - silent_s, self._look)

    def _give_up(self) -> None:
        transport = self._transport
        self.connection_lost(None)
        if transport is not None:
            transport.abort()

    def _connect_soon(self) -> None:
        if self._connecting is None and time.monotonic() >= self._silent_until_s:
            self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        transport: Any = None
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                greeter = _Greeter(self._options)
                transport = await greeter.connect(loop)
            self._reader = hiredis.Reader(notEnoughData=_NOTHING)
            transport.set_protocol(self)
            self._loop, self._transport = loop, transport
        except (OSError, TimeoutError, hiredis.HiredisError) as error:
            log.warning("redis_lane_not_open", error=str(error))
            self._silent_until_s = time.monotonic() + _PAUSE_S
        finally:
            self._connecting = None


class _Several:
    """One caller's commands, answered together."""

    __slots__ = ("_answers", "_count", "future")

    def __init__(self, future: asyncio.Future[tuple[Any, list[Any]]], count: int) -> None:
        self.future = future
        self._answers: list[Any] = []
        self._count = count

    def take(self, answer: Any, reader: hiredis.Reader) -> bool:
        """Takes this answer and those behind it; whether that is all of them."""
        answers = self._answers
        answers.append(answer)
        # A loop of the interpreter's own: at a hundred answers a call it is what counts.
        answers.extend(islice(iter(reader.gets, _NOTHING), self._count - len(answers)))
        return len(answers) == self._count

    def tell(self, preamble_answer: Any) -> None:
        """Hands over what was taken."""
        if not self.future.done():
            self.future.set_result((preamble_answer, self._answers))


class _Greeter(asyncio.Protocol):
    """Opens a connection and says who we are."""

    def __init__(self, options: Any) -> None:
        self._options = options
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    async def connect(self, loop: asyncio.AbstractEventLoop) -> asyncio.BaseTransport:
        """The open connection, past AUTH and SELECT."""
        options = self._options
        transport: Any
        if "path" in options:
            transport, _ = await loop.create_unix_connection(lambda: self, options["path"])
        else:
            encrypted = "SSL" in getattr(options.get("connection_class"), "__name__", "")
            transport, _ = await loop.create_connection(
                lambda: self,
                options.get("host", "localhost"),
                options.get("port", 6379),
                ssl=ssl.create_default_context() if encrypted else None,
            )
        try:
            if options.get("password"):
                await self._ask(
                    transport, "AUTH", *filter(None, (options.get("username"), options["password"]))
                )
            if options.get("db"):
                await self._ask(transport, "SELECT", options["db"])
            await self._ask(transport, "PING")
        except BaseException:
            transport.abort()
            raise
        return transport  # type: ignore[no-any-return]

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (answer := self._reader.gets()) is not _NOTHING:
            self._answers.put_nowait(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._answers.put_nowait(LaneClosedError("the connection to Redis was lost"))

    async def _ask(self, transport: asyncio.Transport, *words: str | int) -> None:
        transport.write(encode(*words))
        answer = await self._answers.get()
        if isinstance(answer, Exception):
            raise LaneClosedError(f"{words[0]} was refused: {answer}")
