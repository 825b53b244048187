"""What a remembered snapshot weighs, per customer and feature, at a million pairs."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from candela_server.customer.model import CustomerByExternalId, CustomerId
from candela_server.entitlement.build_snapshot import snapshot_of
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.model import FeatureState, Snapshot
from candela_server.entitlement.remembered_catalog import ReadCatalog
from candela_server.entitlement.share import table_of
from candela_server.entitlement.snapshot_facts import read_facts
from candela_server.kernel.clock import SystemClock
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Postgres

from .harness import Row, row, say
from .stage import Stage

PAIRS = 1_000_000
FEATURES = 10
METERED = 3


def rows(stage: Stage) -> list[Row]:
    """Bytes per pair: one customer's snapshot is built from the database, the others are made like it."""
    say(
        f"memory of {PAIRS:,} remembered (customer, feature) pairs, {METERED} of {FEATURES} metered"
    )
    weight = asyncio.run(_weight(stage))
    return [row("remembered (customer, feature), bytes : 200", weight, 200, 1, at_most=True)]


async def _weight(stage: Stage) -> float:
    db = Postgres(stage.database_url, SystemClock(), pool_size=2)
    await db.open()
    try:
        async with db.reading(stage.merchant_id) as tx:
            who = CustomerByExternalId(f"customer-of-{stage.user_ids[0]}")
            model = snapshot_of(await read_facts(tx, SystemClock(), [who], ReadCatalog()), who)
    finally:
        await db.close()
    plain = next(state for state in model.features.values() if state.metered is None)
    metered = next(state for state in model.features.values() if state.metered is not None)
    states = [replace(metered, slug=f"metered-{number}") for number in range(METERED)]
    states += [replace(plain, slug=f"plain-{number}") for number in range(FEATURES - METERED)]
    cache = SnapshotCache(lambda: True)
    gc.collect()
    before = _resident_bytes()
    for number in range(PAIRS // FEATURES):
        snapshot = _another(model, states, number)
        who = CustomerByExternalId(f"customer-{number}")
        await cache.build("mer_bench", who, partial(_ready, snapshot))
    gc.collect()
    return (_resident_bytes() - before) / PAIRS


async def _ready(snapshot: Snapshot, begin: Callable[[], None]) -> Snapshot:
    begin()
    return snapshot


def _another(model: Snapshot, states: list[FeatureState], number: int) -> Snapshot:
    """A snapshot as another customer of the same plan would have, who began a little later."""
    later = timedelta(seconds=number)

    def moved(state: FeatureState) -> FeatureState:
        if state.metered is None:
            return replace(state)
        window = state.metered.window
        end = window.end_at + later
        assert state.metered.credits is not None, "the plan Team grants credits"
        return replace(
            state,
            metered=replace(
                state.metered,
                window=Interval(window.start_at + later, end),
                credits=replace(state.metered.credits, next_expiry_at=end),
            ),
            valid_until=end,
        )

    return replace(
        model,
        customer_id=CustomerId(new_id("cus")),
        subscription_ids=(new_id("sub"),),
        features=table_of([moved(state) for state in states]),
        valid_until=(model.valid_until or SystemClock().now()) + later,
    )


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
