"""Hears what other processes committed: NOTIFY is sent by PostgreSQL itself, at commit and only then.

While the connection is lost nothing can be heard; so the listener says when it is deaf, and afterwards that something
may have been missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import structlog

log = structlog.get_logger("candela.listen")

_FIRST_PAUSE_S = 0.1
_MAX_PAUSE_S = 5.0
_PROBE_INTERVAL_S = 5.0


class Listener:
    """Listens on one channel until closed, reconnecting by itself.

    `on_message` gets each payload, `on_gap` is called whenever messages may have been missed: both at once, in the
    event loop.
    """

    def __init__(
        self, url: str, channel: str, on_message: Callable[[str], None], on_gap: Callable[[], None]
    ) -> None:
        """Connects on `start`."""
        self._url = url
        self._channel = channel
        self._on_message = on_message
        self._on_gap = on_gap
        self._task: asyncio.Task[None] | None = None
        self.connected = False

    async def start(self) -> None:
        """Begins listening; returns when the first connection listens or has failed."""
        first_try = asyncio.Event()
        self._task = asyncio.create_task(self._run(first_try))
        await first_try.wait()

    async def close(self) -> None:
        """Stops listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, first_try: asyncio.Event) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                connection = await asyncpg.connect(self._url, timeout=5)
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(_setting(lost))
                    await connection.add_listener(self._channel, self._hear)
                    self.connected = True
                    self._on_gap()
                    first_try.set()
                    pause_s = _FIRST_PAUSE_S
                    while not await _is_set_within(lost, _PROBE_INTERVAL_S):
                        await connection.execute("SELECT 1", timeout=_PROBE_INTERVAL_S)
                finally:
                    self.connected = False
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("listener_lost", channel=self._channel, error=str(error))
                self._on_gap()
                first_try.set()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _MAX_PAUSE_S)

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._on_message(str(payload))


async def _is_set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _setting(event: asyncio.Event) -> Callable[[Any], None]:
    return lambda _connection: event.set()
