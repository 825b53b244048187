"""Ends a stream whose key stops working, or whose reader has stopped reading (KEY-2).

A call is let in once; a stream may last for days after that. And one that nobody reads holds its place among the calls
of the server for as long as its connection lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import structlog

from candela_server.kernel.errors import CandelaError, Forbidden, OverLimit, Unauthenticated

log = structlog.get_logger("candela.call")

CHECK_S = 0.5
"""The authenticator trusts what it knows for a second; together a stream outlives its key by two at most."""
MAX_UNREAD_S = 60.0
FAREWELL_S = 60.0
"""What is on its way to a slow reader goes first; after so long the status is not waited for."""


class UnreadStreamError(OverLimit):
    """The reader took nothing for too long."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"nothing was read for {seconds:g} seconds; read faster, or call again when there is time",
            retry_after=timedelta(seconds=1),
        )


class StreamGuard:
    """Looks after one stream: asks for admission again and again, and whether messages are taken."""

    def __init__(
        self,
        admit: Callable[[], Awaitable[object]],
        refuse: Callable[[CandelaError], Awaitable[None]],
        max_unread_s: float,
    ) -> None:
        """Takes how to ask for admission, and how to tell the caller that the stream is over."""
        self._admit = admit
        self._refuse = refuse
        self._max_unread_s = max_unread_s
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self.unread_since_s: float | None = None
        """Since when a message waits to be taken."""

    def begin(self) -> None:
        """Guards the stream that the calling task serves."""
        stream = asyncio.current_task()
        assert stream is not None, "a handler runs in a task"
        self._task = asyncio.create_task(self._watch(stream))

    def end(self) -> None:
        """The stream is over; what ends it by itself is finished first."""
        if self._task is not None and not self._ended:
            self._task.cancel()

    async def _watch(self, stream: asyncio.Task[object]) -> None:
        reason: CandelaError | None = None
        while reason is None:
            await asyncio.sleep(CHECK_S)
            reason = self._why_unread() or await self._why_not_admitted()
        self._ended = True
        # The handler first: it may wait for its message to be taken, and the status goes after that.
        stream.cancel()
        try:
            async with asyncio.timeout(FAREWELL_S):
                await self._refuse(reason)
        except Exception as error:  # the caller is gone, or takes nothing to the end
            log.debug("stream_ended_unheard", exc_info=error)

    def _why_unread(self) -> CandelaError | None:
        since_s = self.unread_since_s
        if since_s is None or asyncio.get_running_loop().time() - since_s < self._max_unread_s:
            return None
        return UnreadStreamError(self._max_unread_s)

    async def _why_not_admitted(self) -> CandelaError | None:
        try:
            await self._admit()
        except (Forbidden, Unauthenticated) as error:
            return error
        except CandelaError:
            # Nobody can be asked now; that says nothing about the key.
            pass
        return None
