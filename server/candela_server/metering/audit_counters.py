"""Compares live counters with the rollups they stand for, and says where they differ (ENT-4).

Counters follow the database by construction; this looks whether they do. What differs is found twice, a moment apart,
before it is believed: between a commit and its arrival in Redis the rollups are ahead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import structlog

from candela_server.storage.events import EventStore

from . import query_usage
from .cache import CounterCache
from .model import UsageAsk

log = structlog.get_logger()

BELIEVED_AFTER_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Drift:
    """A counter that does not hold what it stands for."""

    merchant_id: str
    ask: UsageAsk
    counter: Decimal
    rollups: Decimal


async def audit_counters(
    cache: CounterCache,
    events: EventStore,
    asks: Sequence[tuple[str, UsageAsk]],
    *,
    believed_after_s: float = BELIEVED_AFTER_S,
) -> list[Drift]:
    """The counters that differ from the rollups and stay as they are; each is logged and made anew.

    Raises CounterError when Redis cannot answer.
    """
    first = await _differing(cache, events, asks)
    if not first:
        return []
    await asyncio.sleep(believed_after_s)
    again = await _differing(cache, events, list(first))
    drifted = [one for key, one in again.items() if first[key].counter == one.counter]
    for one in drifted:
        log.error(
            "counter_drift",
            merchant_id=one.merchant_id,
            customer_id=one.ask.who.customer_id,
            metric_id=one.ask.metric.id,
            counter=str(one.counter),
            rollups=str(one.rollups),
        )
    # Only theirs: the epoch is everybody's, and nothing speaks against all other counters.
    for merchant_id in sorted({one.merchant_id for one in drifted}):
        whose = {one.ask.who.customer_id for one in drifted if one.merchant_id == merchant_id}
        await cache.drop(merchant_id, sorted(whose))
    return drifted


async def _differing(
    cache: CounterCache, events: EventStore, asks: Sequence[tuple[str, UsageAsk]]
) -> dict[tuple[str, UsageAsk], Drift]:
    counters = await cache.read(asks)
    by_merchant: dict[str, list[tuple[UsageAsk, Decimal]]] = {}
    for (merchant_id, ask), counter in zip(asks, counters, strict=True):
        if counter is not None:
            by_merchant.setdefault(merchant_id, []).append((ask, counter))
    found = {}
    for merchant_id, known in by_merchant.items():
        values = await query_usage.aggregate_many(events, merchant_id, [ask for ask, _ in known])
        for (ask, counter), value in zip(known, values, strict=True):
            if counter != value:
                found[merchant_id, ask] = Drift(merchant_id, ask, counter, value)
    return found
