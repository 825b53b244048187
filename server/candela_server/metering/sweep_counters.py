"""Goes over all live counters, also those that nobody asks for, and compares each with the rollups (ENT-4).

It is the worker's, some counters each time, and goes on where the last time ended. How they are compared is in
compare_counters.py. What only a sweep can see: counters whose window is lost, which no flush would find any more.
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
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from .compare_counters import BELIEVED_AFTER_S, compare_counters
from .counter_names import counter_id, customer_key
from .counter_walk import CounterWalk, Held, Named
from .model import UsageAsk, UsageOf
from .rules.bucket import from_microseconds

log = structlog.get_logger()

COUNTERS_OF_A_RUN: Final = 20_000
"""So many are compared at most before the walk rests: a minute or two of one connection at a gentle pace."""

PAGE: Final = 100
"""Customers whose hashes are looked at together."""


@dataclass(slots=True)
class Swept:
    """What one run found. `skipped` could not be compared now; `ended` when the walk is back at its beginning."""

    compared: int = 0
    drifted: int = 0
    skipped: int = 0
    ended: bool = False


async def sweep_counters(
    db: Postgres,
    events: EventStore,
    walk: CounterWalk,
    clock: Clock,
    *,
    at_most: int = COUNTERS_OF_A_RUN,
    page: int = PAGE,
    believed_after_s: float = BELIEVED_AFTER_S,
    is_trusted: Callable[[], bool] = lambda: True,
) -> Swept:
    """Compares counters until `at_most` were, or all; what drifted is logged, counted and dropped.

    Raises CounterError when Redis cannot answer; the next run goes on where the last page ended.
    """
    done = Swept()
    metrics: dict[str, dict[str, Metric]] = {}
    cursor = await walk.standing()
    while done.compared + done.skipped < at_most and is_trusted():
        cursor, keys = await walk.page(cursor, page)
        suspects: list[Held] = []
        asks: list[tuple[str, UsageAsk]] = []
        for key in keys:
            held = await walk.held(key)
            if held is None:
                continue
            if held.orphans:
                suspects.append(held)
            if held.merchant_id not in metrics:
                metrics[held.merchant_id] = await _metrics_of(db, held.merchant_id)
            theirs = _asks_of(held, metrics[held.merchant_id])
            asks += [(held.merchant_id, ask) for ask in theirs]
        found = await compare_counters(events, walk, clock, asks, believed_after_s=believed_after_s)
        done.compared += found.compared
        done.skipped += found.skipped
        done.drifted += len(found.drifted)
        done.drifted += await _drop_orphans(walk, suspects, believed_after_s)
        await walk.stand(cursor)
        if not cursor:
            done.ended = True
            break
    log.info(
        "counters_swept",
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
    await walk.count(compared=0, drifted=count)
    return count
