"""Hears what other processes committed: NOTIFY is sent by PostgreSQL itself, at commit and only then.

While the connection is lost nothing can be heard. So the listener knows until when it is sure to have heard
everything: each probe that is answered proves that whatever was committed before the probe was sent has arrived, as
PostgreSQL delivers what is pending before it answers. When the connection is made again, the listener says that
something may have been missed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog

log = structlog.get_logger("candela.listen")

LEASE_S: Final = 1.0
"""For how long an answered probe proves that nothing was missed, counted from when it was sent."""

PROBE_INTERVAL_S: Final = 0.25

SETTLING_S: Final = 1.0
"""For how long a new member proves nothing yet: until whoever looks for members is sure to have seen it."""

_FAREWELL_TIMEOUT_S: Final = 0.5

# tenant-scope: processes serve all merchants
MEMBERS: Final = """
    SELECT DISTINCT objid::bigint AS number FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 2 AND classid = $1::bigint::oid AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """

_CONNECT_TIMEOUT_S = 5.0
_MESSAGES_AT_ONCE = 100
"""PostgreSQL takes payloads of less than 8,000 bytes, and ours are some 30 each."""
_FIRST_PAUSE_S = 0.1
_MAX_PAUSE_S = 2.0
# A peer that vanished without a word must not be waited for longer than about ten seconds.
_SERVER_SETTINGS = {
    "application_name": "candela-listener",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}


class Listener:
    """Listens on channels until closed, reconnecting by itself.

    Each channel's function gets the payloads in the order of the commits; `on_gap` is called whenever messages may
    have been missed: all at once, in the event loop.
    """

    def __init__(
        self,
        url: str,
        channels: Mapping[str, Callable[[str], None]],
        on_gap: Callable[[], None],
        *,
        membership: tuple[int, int] | None = None,
        on_members: Callable[[set[int], float], None] = lambda _numbers, _as_of_s: None,
    ) -> None:
        """Connects on `start`.

        `membership` is an advisory lock, a class and this listener's number, held shared while it may hear. Then
        `on_members` is told now and then whose numbers hold locks of that class, as of which instant.
        """
        self._url = url
        self._channels = channels
        self._on_gap = on_gap
        self._membership = membership
        self._on_members = on_members
        self._member_since_s = self._looked_s = 0.0
        self._connected = self._leaving = False
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._probed = asyncio.Event()
        self._to_say: dict[str, list[str]] = {}
        self._catching_up: list[asyncio.Future[None]] = []
        self.current_until_s = 0.0

    def is_current(self) -> bool:
        """Whether everything that was committed a moment ago has been heard for sure."""
        return time.monotonic() < self.current_until_s

    def say(self, channel: str, message: str) -> None:
        """Sends a message soon; those of one moment travel together, separated by commas."""
        self._to_say.setdefault(channel, []).append(message)
        self._wake.set()

    async def catch_up(self) -> None:
        """Returns when all that was committed before the call has been heard, or when the listener is not current."""
        if not self.is_current():
            return
        caught_up = asyncio.get_running_loop().create_future()
        self._catching_up.append(caught_up)
        self._wake.set()
        try:
            async with asyncio.timeout(LEASE_S):
                await caught_up
        except TimeoutError:
            self.current_until_s = 0.0

    async def start(self) -> None:
        """Begins listening; returns when the first connection listens or has failed."""
        first_try = asyncio.Event()
        self._task = asyncio.create_task(self._run(first_try))
        await first_try.wait()

    async def leave(self, channel: str, message: str) -> None:
        """Is never current again, and says so if anybody can be told."""
        self._leaving = True
        self.current_until_s = 0.0
        self.say(channel, message)
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_TIMEOUT_S):
                while self._to_say and self._connected:
                    self._probed.clear()
                    await self._probed.wait()

    async def close(self) -> None:
        """Stops listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, first_try: asyncio.Event) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                connection = await asyncpg.connect(
                    self._url, timeout=_CONNECT_TIMEOUT_S, server_settings=_SERVER_SETTINGS
                )
                try:
                    async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                        await self._begin(connection)
                    self._connected = True
                    first_try.set()
                    pause_s = _FIRST_PAUSE_S
                    while not connection.is_closed():
                        await self._probe(connection)
                        await self._sleep()
                finally:
                    self._connected = False
                    self.current_until_s = 0.0
                    connection.terminate()
            except Exception as error:
                # Whatever it is, the next connection may do better; a listener that ended would never hear again.
                log.warning("listener_lost", channels=list(self._channels), error=repr(error))
            self._on_gap()
            first_try.set()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    async def _begin(self, connection: Any) -> None:
        connection.add_termination_listener(lambda _connection: self._lose())
        if self._membership is not None:
            # Before LISTEN: whoever commits from now on either waits for us or is heard by us.
            await connection.execute("SELECT pg_advisory_lock_shared($1, $2)", *self._membership)
            self._member_since_s = time.monotonic()
        for channel, hear in self._channels.items():
            await connection.add_listener(channel, _passing(hear))
        self._on_gap()

    async def _probe(self, connection: Any) -> None:
        said, self._to_say = self._to_say, {}
        catching_up, self._catching_up = self._catching_up, []
        self._wake.clear()
        sent_s = time.monotonic()
        if said:
            for channel, messages in said.items():
                for start in range(0, len(messages), _MESSAGES_AT_ONCE):
                    some = messages[start : start + _MESSAGES_AT_ONCE]
                    await connection.execute(
                        "SELECT pg_notify($1, $2)", channel, ",".join(some), timeout=LEASE_S
                    )
        if self._membership is not None and sent_s - self._looked_s >= PROBE_INTERVAL_S / 2:
            rows = await connection.fetch(MEMBERS, self._membership[0], timeout=LEASE_S)
            self._looked_s = sent_s
            self._on_members({row["number"] for row in rows}, sent_s)
        elif not said:
            await connection.execute("SELECT 1", timeout=LEASE_S)
        settled = self._membership is None or sent_s - self._member_since_s >= SETTLING_S
        if settled and not self._leaving:
            self.current_until_s = sent_s + LEASE_S
        self._probed.set()
        for caught_up in catching_up:
            if not caught_up.done():
                caught_up.set_result(None)

    async def _sleep(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PROBE_INTERVAL_S):
                await self._wake.wait()

    def _lose(self) -> None:
        self.current_until_s = 0.0
        self._wake.set()


def _passing(hear: Callable[[str], None]) -> Callable[..., None]:
    return lambda _connection, _pid, _channel, payload: hear(str(payload))
