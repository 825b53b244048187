"""Who may come in with events: room is taken before a batch is prepared, so that a slow database never grows memory.

Data plane. A batch in work costs about a kilobyte an event and a multiple of its own bytes, so only so much is in work
at once. Whoever finds no room waits at the door, in the order of coming, with what gRPC has read of them; that is the
back-pressure, and streams are not read on meanwhile. When the door is full as well, the next one is refused with the
time after which to come again: clients that send the same batch again lose nothing and count nothing twice (EVT-2).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from candela_server.kernel.errors import OverLimit

from .model import IngestionUnavailableError, Recorded

_SAMPLE: Final = 64
"""Events of a batch that are measured: few enough to cost nothing, for batches are of like events."""

_PER_EVENT_BYTES: Final = 200
"""What a sent event takes in memory besides its bytes."""


class Load(NamedTuple):
    """How much a batch is, or how much there may be."""

    events: int
    size_bytes: int

    def beside(self, other: Load) -> Load:
        """Both together."""
        return Load(self.events + other.events, self.size_bytes + other.size_bytes)

    def without(self, other: Load) -> Load:
        """What is left when the other has gone."""
        return Load(self.events - other.events, self.size_bytes - other.size_bytes)

    def fits(self, most: Load) -> bool:
        """Whether it is no more than that, in either measure."""
        return self.events <= most.events and self.size_bytes <= most.size_bytes


NOTHING: Final = Load(0, 0)

IN_WORK: Final = Load(60_000, 96 * 1024 * 1024)
"""What may be in work at once, from being prepared to being stored: some 60 MB of ordinary events, some hundreds of MB
of the largest."""

AT_THE_DOOR: Final = Load(250_000, 128 * 1024 * 1024)
"""What may wait to be prepared: seconds of work, and some 100 MB."""

COME_AGAIN: Final = timedelta(seconds=1)


class IngestionBusyError(OverLimit):
    """More events wait than this server lets wait; nothing of the batch was taken."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            f"{waiting} events wait to be stored already; send the same batch again a little later",
            retry_after=COME_AGAIN,
        )


class Admission:
    """The door of one process, for all that is sent to it."""

    def __init__(self, in_work: Load = IN_WORK, at_the_door: Load = AT_THE_DOOR) -> None:
        """Takes how much may be inside, and how much may wait outside."""
        self._most_in_work = in_work
        self._most_waiting = at_the_door
        self._in_work = NOTHING
        self._at_the_door = NOTHING
        self._queue: deque[tuple[Load, asyncio.Future[None]]] = deque()

    @property
    def in_work(self) -> Load:
        """What is inside."""
        return self._in_work

    async def admit(
        self,
        events: Sequence[Any],
        take_in: Callable[[], Awaitable[asyncio.Future[Recorded]]],
    ) -> asyncio.Future[Recorded]:
        """What `take_in` answers, begun when there is room, which is given back when that future is done.

        Raises IngestionBusyError, and IngestionUnavailableError when the door is closed while one waits.
        """
        load = load_of(events)
        await self._enter(load)
        try:
            done = await take_in()
        except BaseException:
            self._leave(load)
            raise
        done.add_done_callback(lambda _: self._leave(load))
        return done

    def close(self) -> None:
        """Sends away who waits: nobody will be there to take them in."""
        for _, turn in self._queue:
            if not turn.done():
                turn.set_exception(IngestionUnavailableError())
        self._queue.clear()

    async def _enter(self, load: Load) -> None:
        if not self._queue and self._has_room(load):
            self._in_work = self._in_work.beside(load)
            return
        waiting = self._at_the_door.beside(load)
        if not waiting.fits(self._most_waiting):
            raise IngestionBusyError(self._at_the_door.events)
        self._at_the_door = waiting
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((load, turn))
        try:
            await turn
        except asyncio.CancelledError:
            # The turn may have come in the same moment.
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._leave(load)
            raise
        finally:
            self._at_the_door = self._at_the_door.without(load)

    def _leave(self, load: Load) -> None:
        self._in_work = self._in_work.without(load)
        while self._queue and (self._queue[0][1].done() or self._has_room(self._queue[0][0])):
            following, turn = self._queue.popleft()
            if not turn.done():
                self._in_work = self._in_work.beside(following)
                turn.set_result(None)

    def _has_room(self, load: Load) -> bool:
        # Whatever is alone comes in: a batch is never too large for an idle server.
        return self._in_work == NOTHING or self._in_work.beside(load).fits(self._most_in_work)


def load_of(events: Sequence[Any]) -> Load:
    """How much a batch of sent events is; of large ones a sample is measured, evenly over the batch."""
    count = len(events)
    if not count:
        return NOTHING
    sample = events[:: -(-count // _SAMPLE)]
    measured = sum(event.ByteSize() for event in sample)
    return Load(count, count * _PER_EVENT_BYTES + measured * count // len(sample))
