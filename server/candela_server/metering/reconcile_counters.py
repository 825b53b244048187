"""Goes over all live counters and compares each with the rollups it stands for, exactly (ENT-4).

Counters follow the database by construction (cache.py); this looks whether they do, also those that nobody asks for.
It is the worker's, some counters each time, and goes on where the last time ended. A counter is compared with a shadow
of itself, made of one snapshot of the rollups (counter_walk.py), and only after all that the snapshot contains has
arrived in Redis; so events in flight, however many, are no drift. What differs is looked at once more a moment later,
and is then logged, counted and dropped: the next check makes it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Metric
from candela_server.customer.model import CustomerId, UserId
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError, Unavailable
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from . import query_usage
from .cache import counter_id, customer_key
from .counter_walk import CounterWalk, Held, Named, Pair
from .model import UsageAsk, UsageOf
from .rules.bucket import from_microseconds

log = structlog.get_logger()

COUNTERS_OF_A_RUN: Final = 20_000
"""So many are compared at most before the walk rests: a minute or two of one connection at a gentle pace."""

PAGE: Final = 100
"""Customers whose hashes are looked at together."""

TOGETHER: Final = 200
"""Counters that are compared with one snapshot."""

BELIEVED_AFTER_S: Final = 2.0
"""How long a counter must differ: longer than anything that is still to reach Redis may take."""

_ARRIVED_WITHIN_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.02
_PAUSE_S: Final = 0.01


@dataclass(slots=True)
class Reconciled:
    """What one run found. `skipped` could not be compared now: an event was on its way for too long, or the counter
    was dropped meanwhile."""

    compared: int = 0
    drifted: int = 0
    skipped: int = 0
    ended: bool = False


async def reconcile_counters(
    db: Postgres,
    events: EventStore,
    walk: CounterWalk,
    clock: Clock,
    *,
    at_most: int = COUNTERS_OF_A_RUN,
    page: int = PAGE,
    believed_after_s: float = BELIEVED_AFTER_S,
    is_trusted: Callable[[], bool] = lambda: True,
) -> Reconciled:
    """Compares counters until `at_most` were, or all; what drifted is logged and dropped.

    Raises CounterError when Redis cannot answer; the next run goes on where the last page ended.
    """
    done = Reconciled()
    comparison = _Comparison(events, walk, clock, done, believed_after_s)
    metrics: dict[str, dict[str, Metric]] = {}
    cursor = await walk.standing()
    while done.compared + done.skipped < at_most and is_trusted():
        behind, keys = await walk.page(cursor, page)
        before = done.compared, done.drifted
        suspects: list[Held] = []
        asks: dict[str, list[UsageAsk]] = {}
        for key in keys:
            held = await walk.held(key)
            if held is None:
                continue
            if held.orphans:
                suspects.append(held)
            if held.merchant_id not in metrics:
                metrics[held.merchant_id] = await _metrics_of(db, held.merchant_id)
            asks.setdefault(held.merchant_id, []).extend(_asks_of(held, metrics[held.merchant_id]))
        for merchant_id, some in asks.items():
            for start in range(0, len(some), TOGETHER):
                together = some[start : start + TOGETHER]
                await comparison.compare(merchant_id, together)
                await asyncio.sleep(_PAUSE_S)
        done.drifted += await _drop_orphans(walk, suspects, believed_after_s)
        cursor = behind
        await walk.stand(
            cursor, compared=done.compared - before[0], drifted=done.drifted - before[1]
        )
        if not cursor:
            done.ended = True
            break
    log.info(
        "counters_reconciled",
        compared=done.compared,
        drifted=done.drifted,
        skipped=done.skipped,
        ended=done.ended,
    )
    return done


async def _metrics_of(db: Postgres, merchant_id: str) -> dict[str, Metric]:
    async with db.reading(merchant_id) as tx:
        return {one.id: one for one in await catalog.list_metrics(tx) if one.sql is None}


def _asks_of(held: Held, metrics: dict[str, Metric]) -> list[UsageAsk]:
    """What the filled counters of a customer stand for; a name that does not fit its window belongs to no check."""
    asks = []
    for window in held.windows:
        metric = metrics.get(window.metric_id)
        if metric is None or window.counter not in held.filled:
            continue
        ask = _ask_of(held.customer_id, window, metric)
        if counter_id(ask) == window.counter:
            asks.append(ask)
    return asks


def _ask_of(customer_id: str, window: Named, metric: Metric) -> UsageAsk:
    return UsageAsk(
        metric=metric,
        who=UsageOf(
            customer_id=CustomerId(customer_id),
            user_id=UserId(window.user_id) if window.user_id else None,
        ),
        window=Interval(from_microseconds(window.start_us), from_microseconds(window.end_us)),
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Compares counters, some of one merchant's at a time, and notes in `done` what it finds."""

    events: EventStore
    walk: CounterWalk
    clock: Clock
    done: Reconciled
    believed_after_s: float

    async def compare(self, merchant_id: str, asks: Sequence[UsageAsk]) -> None:
        """Compares these counters. One whose usage cannot be read spoils no other."""
        try:
            await self._compare(merchant_id, asks)
        except Unavailable:
            raise
        except CandelaError as error:
            if len(asks) == 1:
                self.done.skipped += 1
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
        walk, done = self.walk, self.done
        try:
            if not await _make_shadows(self.events, walk, self.clock, merchant_id, asks):
                done.skipped += len(asks)
                return
            pairs = await walk.pairs(merchant_id, asks)
            done.compared += len([pair for pair in pairs if pair is not None])
            done.skipped += len([pair for pair in pairs if pair is None])
            differing = _differing(asks, pairs)
            if not differing:
                return
            # What made it differ may be on its way here still; then the counter is dropped or filled anew by then.
            await asyncio.sleep(self.believed_after_s)
            again = await walk.pairs(merchant_id, [ask for ask, _ in differing])
            drifted = _differing([ask for ask, _ in differing], again)
        finally:
            await walk.forget_shadows(merchant_id, asks)
        for ask, (counter, rollups) in drifted:
            log.error(
                "counter_drift",
                merchant_id=merchant_id,
                customer_id=ask.who.customer_id,
                user_id=ask.who.user_id,
                metric_id=ask.metric.id,
                counter=str(counter),
                rollups=str(rollups),
            )
        # Only theirs: the epoch is everybody's, and nothing speaks against all other counters.
        await walk.drop(merchant_id, sorted({ask.who.customer_id for ask, _ in drifted}))
        done.drifted += len(drifted)


async def _make_shadows(
    events: EventStore,
    walk: CounterWalk,
    clock: Clock,
    merchant_id: str,
    asks: Sequence[UsageAsk],
) -> bool:
    """Whether each counter has a shadow now, and all that the shadows contain has reached the counters as well."""
    expected = await walk.expect_shadows(merchant_id, asks)
    values, vector = await query_usage.aggregate_with_vector(
        events, merchant_id, asks, now=clock.now()
    )
    await walk.fill_shadows(merchant_id, list(zip(asks, expected, values, strict=True)), vector)
    seen = {
        int(writer): int(sequence)
        for writer, _, sequence in (one.partition("=") for one in vector.split(",") if one)
    }
    deadline_s = asyncio.get_running_loop().time() + _ARRIVED_WITHIN_S
    while True:
        arrived = await walk.applied()
        if all(arrived.get(writer, 0) >= sequence for writer, sequence in seen.items()):
            return True
        if asyncio.get_running_loop().time() >= deadline_s:
            return False
        await asyncio.sleep(_LOOK_AGAIN_S)


def _differing(
    asks: Sequence[UsageAsk], pairs: Sequence[Pair | None]
) -> list[tuple[UsageAsk, Pair]]:
    return [
        (ask, pair)
        for ask, pair in zip(asks, pairs, strict=True)
        if pair is not None and pair[1] is not None and pair[0] != pair[1]
    ]


async def _drop_orphans(
    walk: CounterWalk, suspects: Sequence[Held], believed_after_s: float
) -> int:
    """Drops customers with counters that no flush would find, if they still have them; answers how many counters."""
    if not suspects:
        return 0
    await asyncio.sleep(believed_after_s)
    count = 0
    for suspect in suspects:
        again = await walk.held(customer_key(suspect.merchant_id, suspect.customer_id))
        lost = again.orphans & suspect.orphans if again is not None else set()
        if lost:
            log.error(
                "counters_without_window",
                merchant_id=suspect.merchant_id,
                customer_id=suspect.customer_id,
                counters=len(lost),
            )
            await walk.drop(suspect.merchant_id, [suspect.customer_id])
            count += len(lost)
    return count
