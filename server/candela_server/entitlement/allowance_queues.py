"""Who decides about an allowance next, among the callers of this process: all who wait, in one transaction (ENT-9).

PostgreSQL's lock is what makes decisions single. Callers who would wait for it one after the other, each through a
transaction of its own, go together instead: whoever comes first goes at once and alone, and those who come meanwhile
are the next batch, in order of arrival. So one busy customer costs one connection, and no caller waits to be joined.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final

from .decision import Allowance, Decision

MAX_TOGETHER: Final = 100
"""Decisions of one transaction: a lock that others wait for is held for some tens of milliseconds at most."""

Decide = Callable[[Allowance, Sequence[Decision]], Awaitable[None]]


class _Waiting:
    """A decision in a queue, and whether somebody still waits for it."""

    __slots__ = ("abandoned", "decision", "done")

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.abandoned = False


class AllowanceQueues:
    """One queue per allowance, with one task that empties it; an allowance nobody asks about has none."""

    def __init__(self, decide: Decide, on_abandoned: Callable[[Decision], None]) -> None:
        """`decide` gives each request its outcome; `on_abandoned` gets what was decided for callers who have gone."""
        self._decide = decide
        self._on_abandoned = on_abandoned
        self._queues: dict[Allowance, deque[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, allowance: Allowance, decision: Decision) -> None:
        """Returns when the decision's request has its outcome.

        A caller who gives up while waiting leaves no trace. Later, what is being decided is decided: it stands under
        the request's idempotency key, as the answer to the same call again.
        """
        waiting = _Waiting(decision)
        queue = self._queues.get(allowance)
        if queue is None:
            queue = self._queues[allowance] = deque([waiting])
            # Outside the first caller's context: the task serves them all, and outlives its call.
            task = asyncio.get_running_loop().create_task(
                self._empty(allowance, queue), context=Context()
            )
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            queue.append(waiting)
        try:
            await asyncio.shield(waiting.done)
        except asyncio.CancelledError:
            waiting.abandoned = True
            if waiting.done.done():
                self._on_abandoned(decision)
            raise

    async def _empty(self, allowance: Allowance, queue: deque[_Waiting]) -> None:
        while batch := _take(queue):
            try:
                await self._decide(allowance, [one.decision for one in batch])
            except Exception as error:  # a defect: nobody may wait for ever because of it
                for one in batch:
                    one.done.set_exception(error)
                    # Whoever waits raises it; the loop need not speak of those who do not.
                    one.done.exception()
                continue
            for one in batch:
                one.done.set_result(None)
                if one.abandoned:
                    self._on_abandoned(one.decision)
        del self._queues[allowance]


def _take(queue: deque[_Waiting]) -> list[_Waiting]:
    """The next batch, in order; of requests of one name the second waits, as it repeats the first."""
    batch: list[_Waiting] = []
    later: list[_Waiting] = []
    names: set[tuple[str, str]] = set()
    while queue and len(batch) < MAX_TOGETHER:
        one = queue.popleft()
        if one.abandoned:
            continue
        name = one.decision.request.name
        if name in names:
            later.append(one)
        else:
            names.add(name)
            batch.append(one)
    queue.extendleft(reversed(later))
    return batch
