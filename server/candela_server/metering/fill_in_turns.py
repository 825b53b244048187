"""Fills the metrics of all merchants in turns, a step of a metric each: nobody waits for the largest one (EVT-10).

A merchant with a billion events takes hours; another's small metric is done after as many steps as it needs itself,
each with a step of the others in between. While a merchant's flushes catch up after a step, others have their turn, so
fairness costs no time. How far each fill has come is in the database: whoever is killed goes on there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import structlog

from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from .fill_history import Progress, Unfilled, list_unfilled, take_step
from .metric_fill import FillId
from .read_counters import Counters

log = structlog.get_logger()

LOOK_S: Final = 5.0
"""How often a run that goes on for long looks for fills that were begun since."""

_LOOK_SHARE: Final = 10
"""Looking takes at most one part in so many of the time, however many merchants there are."""

AGAIN_AFTER_S: Final = 60.0
"""How long a fill is left alone that was interrupted, or a merchant whose fills could not be listed."""


@dataclass(slots=True)
class _Merchant:
    """One merchant's fills, the next one first, and when its flushes will have caught up."""

    fills: deque[Unfilled] = field(default_factory=deque)
    ready_s: float = 0.0


@dataclass(slots=True)
class _Turns:
    """Whose turn it is. Merchants come in the order of `waiting`; who had a turn goes to its end."""

    db: Postgres
    events: EventStore
    counters: Counters
    clock: Clock
    waiting: dict[str, _Merchant] = field(default_factory=dict)
    # What is left alone until then.
    resting: dict[FillId | str, float] = field(default_factory=dict)
    completed: int = 0

    async def look(self, now_s: float) -> None:
        """Adds the fills that run and are not known yet. One merchant who cannot be read spoils no other."""
        async with self.db.system() as tx:
            merchants = [one.id for one in await merchant.list_merchants(tx)]
        for merchant_id in merchants:
            if self.resting.get(merchant_id, 0.0) > now_s:
                continue
            try:
                found = await list_unfilled(self.db, self.events, self.clock, merchant_id)
            except Exception:
                log.exception("metric_fills_not_listed", merchant_id=merchant_id)
                self.resting[merchant_id] = now_s + AGAIN_AFTER_S
                continue
            mine = self.waiting.get(merchant_id) or _Merchant()
            known = {one.fill_id for one in mine.fills}
            mine.fills.extend(
                one
                for one in found
                if one.fill_id not in known and self.resting.get(one.fill_id, 0.0) <= now_s
            )
            if mine.fills:
                self.waiting.setdefault(merchant_id, mine)

    def next_one(self, now_s: float) -> str | None:
        """The merchant whose turn it is; None while all of them have flushes that catch up."""
        return next(
            (whose for whose, one in self.waiting.items() if one.ready_s <= now_s),
            None,
        )

    async def step(self, merchant_id: str) -> None:
        """Takes one step of one fill of the merchant, and puts both behind the others."""
        loop = asyncio.get_running_loop()
        mine = self.waiting.pop(merchant_id)
        one = mine.fills.popleft()
        begun_s = loop.time()
        progress = await take_step(self.events, self.counters, self.clock, one)
        ended_s = loop.time()
        # The merchant's flushes waited as long as the step took; now they get as much time to catch up.
        mine.ready_s = ended_s + (ended_s - begun_s)
        self.completed += progress is Progress.COMPLETE
        if progress is Progress.GOES_ON:
            mine.fills.append(one)
        elif progress is Progress.INTERRUPTED:
            self.resting[one.fill_id] = ended_s + AGAIN_AFTER_S
        if mine.fills:
            self.waiting[merchant_id] = mine


async def fill_in_turns(db: Postgres, events: EventStore, counters: Counters, clock: Clock) -> int:
    """Fills every metric of every merchant that needs it, those too that are begun meanwhile; answers how many were
    completed. Ends when nothing is left but what was interrupted, which the next run goes on with."""
    loop = asyncio.get_running_loop()
    turns = _Turns(db, events, counters, clock)
    look_s = loop.time()
    while True:
        now_s = loop.time()
        if now_s >= look_s or not turns.waiting:
            await turns.look(now_s)
            if not turns.waiting:
                return turns.completed
            looked_s = loop.time() - now_s
            look_s = loop.time() + max(LOOK_S, _LOOK_SHARE * looked_s)
        whose = turns.next_one(loop.time())
        if whose is None:
            ready_s = min(one.ready_s for one in turns.waiting.values())
            await asyncio.sleep(max(0.0, min(ready_s, look_s) - loop.time()))
            continue
        await turns.step(whose)
