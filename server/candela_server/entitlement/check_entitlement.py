"""Answers "may this customer do this, now?": the call in front of every request of every application (ENT-1 … ENT-6).

Data plane. Budget: a few microseconds in this file for a warm feature without a metric, and one shared round trip to
Redis for one with a metric. What it gives up for that: snapshots are looked up by a plain tuple, and nothing is
logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.kernel.clock import Clock
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.read_counters import Counters
from candela_server.storage.postgres import Postgres

from .build_snapshot import Who, build_snapshot
from .cache import SnapshotCache
from .model import Answer, FeatureState, RevisionUnavailableError, Snapshot
from .rules.allowance import decide, reserved_at

_NOTHING = Decimal(0)


class Checker:
    """Answers checks; one per process."""

    def __init__(
        self, db: Postgres, counters: Counters, snapshots: SnapshotCache, clock: Clock
    ) -> None:
        """Takes where snapshots are built from, usage is read from, and time is told by."""
        self._db = db
        self._counters = counters
        self._snapshots = snapshots
        self._clock = clock

    async def snapshot(self, merchant_id: str, who: Who, min_revision: int = 0) -> Snapshot:
        """The features of whoever is meant, valid now and at least as new as `min_revision`.

        Raises RevisionUnavailableError when this server cannot see that far yet.
        """
        known = self._snapshots.get(merchant_id, who)
        if known is not None and known.revision >= min_revision and self._is_valid(known):
            return known
        built = await self._snapshots.get_or_build(
            merchant_id, who, lambda: self._build(merchant_id, who)
        )
        if built.revision < min_revision:
            raise RevisionUnavailableError(min_revision, built.revision)
        return built

    async def check(
        self, merchant_id: str, snapshot: Snapshot, slug: str, quantity: Decimal
    ) -> Answer:
        """The answer for one feature. Raises FeatureNotFoundError for an unknown slug (ENT-2)."""
        state = snapshot.features.get(slug)
        if state is None:
            raise FeatureNotFoundError(slug)
        if state.metered is None:
            return decide(state, used=None, quantity=quantity)
        [used] = await self._counters.read(merchant_id, [_ask(snapshot, state)])
        return decide(state, used=used, quantity=quantity, reserved=self._reserved(snapshot, state))

    async def check_states(
        self,
        merchant_id: str,
        wanted: Sequence[tuple[Snapshot, FeatureState, Decimal]],
    ) -> list[Answer]:
        """The answers for many resolved features, with one reading of all usage, in order (ENT-5)."""
        metered = [one for one in wanted if one[1].metered is not None]
        values = iter(
            await self._counters.read(
                merchant_id, [_ask(snapshot, state) for snapshot, state, _ in metered]
            )
        )
        return [
            decide(
                state,
                used=next(values) if state.metered else None,
                quantity=quantity,
                reserved=self._reserved(snapshot, state),
            )
            for snapshot, state, quantity in wanted
        ]

    def _reserved(self, snapshot: Snapshot, state: FeatureState) -> Decimal:
        """What reservations hold of the feature now; nearly always nothing, which costs nothing (ENT-9)."""
        if state.metered is None or not state.metered.held:
            return _NOTHING
        return reserved_at(state.metered.held, snapshot.frozen_now or self._clock.now())

    async def _build(self, merchant_id: str, who: Who) -> Snapshot:
        async with self._db.reading(merchant_id) as tx:
            return await build_snapshot(tx, self._clock, who)

    def _is_valid(self, snapshot: Snapshot) -> bool:
        if snapshot.valid_until is None:
            return True
        now: datetime = snapshot.frozen_now or self._clock.now()
        return now < snapshot.valid_until


def _ask(snapshot: Snapshot, state: FeatureState) -> UsageAsk:
    assert state.metered is not None, "asked of metered features only"
    assert snapshot.customer_id is not None, "nobody's features are not metered"
    return UsageAsk(
        metric=state.metered.metric,
        who=UsageOf(
            customer_id=snapshot.customer_id,
            user_id=snapshot.user_id if state.metered.per_user else None,
        ),
        window=state.metered.window,
    )
