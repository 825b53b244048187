"""Ends a stream whose key stops working: revoked, expired, or without the scope that it needs (KEY-2).

A call is let in once; a stream may last for days after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from candela_server.kernel.errors import CandelaError, Forbidden, Unauthenticated

CHECK_S = 0.5
"""The authenticator trusts what it knows for a second; together a stream outlives its key by two at most."""


class KeyGuard:
    """Asks for admission again and again while a stream runs; one per stream."""

    def __init__(self, admit: Callable[[], Awaitable[object]]) -> None:
        """Takes how to ask."""
        self._admit = admit
        self._task: asyncio.Task[None] | None = None
        self.refusal: CandelaError | None = None

    def begin(self) -> None:
        """Guards the stream of the task that calls this: it is cancelled when `refusal` is set."""
        stream = asyncio.current_task()
        assert stream is not None, "a handler runs in a task"
        self._task = asyncio.create_task(self._watch(stream))

    def end(self) -> None:
        """Stops guarding."""
        if self._task is not None:
            self._task.cancel()

    async def _watch(self, stream: asyncio.Task[object]) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            try:
                await self._admit()
            except (Forbidden, Unauthenticated) as error:
                self.refusal = error
                stream.cancel()
                return
            except CandelaError:
                # Nobody can be asked now; that says nothing about the key.
                continue
