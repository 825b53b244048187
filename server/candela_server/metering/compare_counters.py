"""Compares live counters with the rollups they stand for, exactly and whatever is flushed meanwhile (ENT-4).

Counters follow the database by construction (cache.py); this looks whether they do. Every server audits some that are
in use (`Counters.audit`), and the worker sweeps over all (sweep_counters.py): who compares what, and when, is theirs.
A counter is compared with a shadow of itself, made of one snapshot of the rollups (counter_shadows.py), and only after
all that the snapshot contains has arrived in Redis; so events in flight, however many, are no drift. What differs is
looked at once more a moment later, and is then logged, counted and dropped: the next check makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import structlog

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError, Unavailable
from candela_server.storage.events import EventStore

from . import query_usage
from .counter_shadows import CounterShadows, Pair
from .model import UsageAsk

log = structlog.get_logger()

TOGETHER: Final = 200
"""Counters that are compared with one snapshot."""

BELIEVED_AFTER_S: Final = 2.0
"""How long a counter must differ: longer than anything that is still to reach Redis may take."""

_ARRIVED_WITHIN_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.02
_PAUSE_S: Final = 0.01
"""How long the database and Redis are left to others between two snapshots."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A counter that does not hold what it stands for; None is no number at all."""

    merchant_id: str
    ask: UsageAsk
    counter: Decimal | None
    rollups: Decimal | None


@dataclass(slots=True)
class Compared:
    """What was found. `skipped` could not be compared now: an event was on its way for too long, or the counter was
    dropped meanwhile."""

    compared: int = 0
    skipped: int = 0
    drifted: list[Drift] = field(default_factory=list)


async def compare_counters(
    events: EventStore,
    shadows: CounterShadows,
    clock: Clock,
    asks: Sequence[tuple[str, UsageAsk]],
    *,
    believed_after_s: float = BELIEVED_AFTER_S,
) -> Compared:
    """Compares the counters of these, of any merchants; what drifted is logged, counted and dropped.

    One whose usage cannot be read spoils no other. Raises CounterError when Redis cannot answer.
    """
    found = Compared()
    if not asks:
        return found
    comparison = _Comparison(events, shadows, clock, found, believed_after_s)
    by_merchant: dict[str, list[UsageAsk]] = {}
    for merchant_id, ask in asks:
        by_merchant.setdefault(merchant_id, []).append(ask)
    try:
        for merchant_id, theirs in by_merchant.items():
            for start in range(0, len(theirs), TOGETHER):
                await comparison.compare(merchant_id, theirs[start : start + TOGETHER])
                await asyncio.sleep(_PAUSE_S)
    finally:
        await shadows.count(compared=found.compared, drifted=len(found.drifted))
    return found


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares some counters of one merchant at a time, and notes in `found` what it sees."""

    events: EventStore
    shadows: CounterShadows
    clock: Clock
    found: Compared
    believed_after_s: float

    async def compare(self, merchant_id: str, asks: Sequence[UsageAsk]) -> None:
        """Compares these counters, in halves where one of them cannot be read."""
        try:
            await self._compare(merchant_id, asks)
        except Unavailable:
            raise
        except CandelaError as error:
            if len(asks) == 1:
                self.found.skipped += 1
                log.warning(
                    "counter_not_compared",
                    merchant_id=merchant_id,
                    metric_id=asks[0].metric.id,
                    error=str(error),
                )
                return
            half = len(asks) // 2
            await self.compare(merchant_id, asks[:half])
            await self.compare(merchant_id, asks[half:])

    async def _compare(self, merchant_id: str, asks: Sequence[UsageAsk]) -> None:
        shadows, found = self.shadows, self.found
        try:
            if not await self._make_shadows(merchant_id, asks):
                found.skipped += len(asks)
                return
            pairs = await shadows.pairs(merchant_id, asks)
            found.compared += len([pair for pair in pairs if pair is not None])
            found.skipped += len([pair for pair in pairs if pair is None])
            differing = _differing(merchant_id, asks, pairs)
            if not differing:
                return
            # What made it differ may be on its way here still; then the counter is dropped or filled anew by then.
            await asyncio.sleep(self.believed_after_s)
            again = [one.ask for one in differing]
            drifted = _differing(merchant_id, again, await shadows.pairs(merchant_id, again))
        finally:
            await shadows.forget_shadows(merchant_id, asks)
        for one in drifted:
            log.error(
                "counter_drift",
                merchant_id=merchant_id,
                customer_id=one.ask.who.customer_id,
                user_id=one.ask.who.user_id,
                metric_id=one.ask.metric.id,
                counter=str(one.counter),
                rollups=str(one.rollups),
            )
        # Only theirs: the epoch is everybody's, and nothing speaks against all other counters.
        await shadows.drop(merchant_id, sorted({one.ask.who.customer_id for one in drifted}))
        found.drifted += drifted

    async def _make_shadows(self, merchant_id: str, asks: Sequence[UsageAsk]) -> bool:
        """Whether each counter has a shadow now, and all that the shadows contain has reached the counters as well."""
        expected = await self.shadows.expect_shadows(merchant_id, asks)
        values, vector = await query_usage.aggregate_with_vector(
            self.events, merchant_id, asks, now=self.clock.now()
        )
        filled = list(zip(asks, expected, values, strict=True))
        await self.shadows.fill_shadows(merchant_id, filled, vector)
        seen = {
            int(writer): int(sequence)
            for writer, _, sequence in (one.partition("=") for one in vector.split(",") if one)
        }
        deadline_s = asyncio.get_running_loop().time() + _ARRIVED_WITHIN_S
        while True:
            arrived = await self.shadows.applied()
            if all(arrived.get(writer, 0) >= sequence for writer, sequence in seen.items()):
                return True
            if asyncio.get_running_loop().time() >= deadline_s:
                return False
            await asyncio.sleep(_LOOK_AGAIN_S)


def _differing(
    merchant_id: str, asks: Sequence[UsageAsk], pairs: Sequence[Pair | None]
) -> list[Drift]:
    return [
        Drift(merchant_id, ask, *pair)
        for ask, pair in zip(asks, pairs, strict=True)
        if pair is not None and pair[1] is not None and pair[0] != pair[1]
    ]
