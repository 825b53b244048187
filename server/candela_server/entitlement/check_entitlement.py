"""Answers "may this customer do this, now?" from a snapshot of what they hold and the usage so far (ENT-1 … ENT-6).

quick_check.py stands in front of this for questions that were asked before. This is the whole way: it builds what is
not remembered, reads usage wherever it can be had, and goes on when the database is away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Final

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Unavailable
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.read_counters import Counters, ReadFrom
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres

from .cache import Ahead, SnapshotCache
from .cold_reader import ColdReader
from .model import Answer, FeatureState, Origin, RevisionUnavailableError, Snapshot
from .remembered_catalog import RememberedCatalog
from .rules.allowance import decide, reserved_at
from .snapshot_facts import Who

PATIENCE_S: Final = 3.0
"""How long a check waits for its snapshot, its turn included, before what was known before is served."""

LONGEST_PATIENCE_S: Final = 15.0
"""How long it waits when nothing was known before: the queue moves, or ends at once when the database is away."""

_NOTHING: Final = Decimal(0)
_SURENESS: Final = (Origin.NONE, Origin.COUNTERS, Origin.ROLLUPS, Origin.DOUBTFUL_COUNTERS)
_ORIGINS: Final = {
    ReadFrom.COUNTERS: Origin.COUNTERS,
    ReadFrom.ROLLUPS: Origin.ROLLUPS,
    ReadFrom.DOUBTFUL_COUNTERS: Origin.DOUBTFUL_COUNTERS,
}


class Checker:
    """Answers checks; one per process."""

    def __init__(
        self,
        db: Postgres,
        counters: Counters,
        snapshots: SnapshotCache,
        clock: Clock,
        catalog: RememberedCatalog | None = None,
    ) -> None:
        """Takes where snapshots are built from, usage is read from, and time is told by."""
        self._db = db
        self._counters = counters
        self._snapshots = snapshots
        self._clock = clock
        self._reader = ColdReader(db, clock, catalog)

    async def snapshot(
        self, merchant_id: str, who: Who, min_revision: int = 0, *, slug: str | None = None
    ) -> Snapshot:
        """The features of whoever is meant, valid now and at least as new as `min_revision`.

        Whoever asks for one feature only, by its `slug`, may get a snapshot without those that were created since.
        When the database cannot answer it is what was known before, marked as stale. Raises RevisionUnavailableError
        when this server cannot see that far, and Unavailable when nothing is known.
        """
        if min_revision:
            # Whoever names a revision has seen that state, and with it what no call has waited for us to hear.
            await self._snapshots.catch_up()
        known = self._snapshots.get(merchant_id, who, slug)
        if known is not None and self._is_valid(known):
            known.asked = True
        else:
            known = self._snapshots.follow(merchant_id, who, self._clock.now())
        if known is not None and known.revision >= min_revision:
            return known
        try:
            built = await self._build(merchant_id, who)
        except Unavailable:
            known = self._last_valid(merchant_id, who)
            if known is None or known.revision < min_revision:
                raise
            if (
                slug is not None
                and slug not in known.features
                and self.lacks_news(merchant_id, known)
            ):
                # Whether there is such a feature now is not known.
                raise
            return replace(known, alive=False, stale=True)
        if built.revision < min_revision:
            raise RevisionUnavailableError(min_revision, built.revision)
        return built

    def lacks_news(self, merchant_id: str, snapshot: Snapshot) -> bool:
        """Whether features were created since, which the snapshot may lack."""
        return self._snapshots.is_outgrown(merchant_id, snapshot)

    async def check(
        self, merchant_id: str, snapshot: Snapshot, slug: str, quantity: Decimal
    ) -> Answer:
        """The answer for one feature. Raises FeatureNotFoundError for an unknown slug (ENT-2)."""
        state = snapshot.features.get(slug)
        if state is None:
            raise FeatureNotFoundError(slug)
        [answer] = await self.check_states(merchant_id, [(snapshot, state, quantity)])
        return answer

    async def check_states(
        self,
        merchant_id: str,
        wanted: Sequence[tuple[Snapshot, FeatureState, Decimal]],
    ) -> list[Answer]:
        """The answers for many resolved features, with one reading of all usage, in order (ENT-5)."""
        asks = [
            ask
            for snapshot, state, _ in wanted
            if state.metered
            for ask in asks_of(snapshot, state)
        ]
        readings = iter(await self._counters.read_marked(merchant_id, asks))
        answers = []
        for snapshot, state, quantity in wanted:
            used, origin, reserved = None, Origin.NONE, _NOTHING
            past: list[Decimal] = []
            if state.metered is not None:
                parts = state.metered.past.parts if state.metered.past else ()
                whole, *over = islice(readings, 1 + len(parts))
                used, past = whole.value, [one.value for one in over]
                origin = least_sure(_ORIGINS[one.source] for one in (whole, *over))
                if state.metered.held:
                    now = snapshot.frozen_now or self._clock.now()
                    reserved = reserved_at(state.metered.held, now)
            answers.append(
                decide(
                    state,
                    used=used,
                    quantity=quantity,
                    origin=origin,
                    reserved=reserved,
                    past=past,
                )
            )
        return answers

    async def audit(self, asks: Sequence[tuple[str, UsageAsk]]) -> None:
        """Compares the counters of these with the rollups; what differs is logged and made anew."""
        await self._counters.audit(asks)

    async def _build(self, merchant_id: str, who: Who) -> Snapshot:
        if self._db.outage.active:
            raise DatabaseUnavailableError
        has_other_answer = self._last_valid(merchant_id, who) is not None
        try:
            async with asyncio.timeout(PATIENCE_S if has_other_answer else LONGEST_PATIENCE_S):
                return await self._snapshots.build(
                    merchant_id, who, lambda begin: self._reader.read(merchant_id, who, begin)
                )
        except TimeoutError as error:
            raise DatabaseUnavailableError from error

    def _last_valid(self, merchant_id: str, who: Who) -> Snapshot | None:
        """What was known before for this instant; something may have changed since."""
        for one in (who, Ahead(who)):
            known = self._snapshots.last_known(merchant_id, one)
            if known is not None and self._is_valid(known):
                return known
        return None

    def _is_valid(self, snapshot: Snapshot) -> bool:
        return snapshot.is_valid_at(self._clock.now())


def asks_of(snapshot: Snapshot, state: FeatureState) -> list[UsageAsk]:
    """Which usage a metered feature's answer needs: its window's, then that of each part of it that is over."""
    metered = state.metered
    assert metered is not None, "asked of metered features only"
    assert snapshot.customer_id is not None, "nobody's features are not metered"
    who = UsageOf(
        customer_id=snapshot.customer_id, user_id=snapshot.user_id if metered.per_user else None
    )
    return [
        UsageAsk(metric=metered.metric, who=who, window=window)
        for window in (metered.window, *(metered.past.parts if metered.past else ()))
    ]


def least_sure(origins: Iterable[Origin]) -> Origin:
    """Where an answer comes from that rests on several readings: the one that says the most about it."""
    return max(origins, key=_SURENESS.index)
