"""The questions that were asked before, by their bytes: what each means, while the snapshot behind it is alive.

Data plane: see quick_check.py for the budget. Many questions at once are looked up without a line of Python for each.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Final

from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError

from . import wire
from .check_entitlement import Checker
from .model import Snapshot
from .prepared_check import PreparedCheck, RefusedCheck, Understood

MAX_KNOWN: Final = 20_000
MAX_QUESTION_BYTES: Final = 1_024
"""Longer questions, which hold what the contract does not know, are not remembered: they would fill the memory."""

_IS_ALIVE: Final = attrgetter("snapshot.alive")
_WAS_ASKED: Final = attrgetter("snapshot.asked")
_ENDS_AT: Final = attrgetter("ends_at")


class _Snapshots(dict[str, Snapshot]):
    """Those that one call rests on, by whom they are about; `replaced` when one was followed by a newer one."""

    replaced = False


class KnownChecks:
    """Understands questions and remembers what they mean; one per process."""

    def __init__(self, checker: Checker, clock: Clock, is_current: Callable[[], bool]) -> None:
        """Takes who knows the whole way, and whether changes are heard of."""
        self._checker = checker
        self._clock = clock
        self._is_current = is_current
        self._known: dict[tuple[str, bytes], PreparedCheck] = {}

    async def one(self, merchant_id: str, question: bytes) -> PreparedCheck:
        """What a CheckRequest means. Raises DecodeError, and what Checker raises."""
        known = self._known.get((merchant_id, question))
        if known is not None and self._holds(known):
            return known
        return await self._prepare(merchant_id, question, _Snapshots())

    async def many(self, merchant_id: str, questions: Sequence[bytes]) -> Sequence[Understood]:
        """What each means, or why it means nothing. All about one customer rest on one snapshot. Raises DecodeError."""
        known = self._all_known(merchant_id, questions)
        if known is not None:
            return known
        snapshots = _Snapshots()
        results = await self._each(merchant_id, questions, snapshots)
        if snapshots.replaced:
            # One of them asks for a feature that is newer than the snapshot that others were answered from.
            results = await self._each(merchant_id, questions, snapshots)
        return results

    def some_in_use(self, most: int) -> list[tuple[str, PreparedCheck]]:
        """Some that need a counter, with their merchants, drawn anew each time."""
        # Drawn first: to look at all of them would hold up the checks of that moment.
        drawn = random.sample([*self._known], min(most, len(self._known)))
        return [
            (key[0], one)
            for key in drawn
            if (one := self._known[key]).counter is not None and one.snapshot.alive
        ]

    def _all_known(
        self, merchant_id: str, questions: Sequence[bytes]
    ) -> Sequence[PreparedCheck] | None:
        """What all of them mean, if that is known: at any moment one snapshot at most is alive of whom one asks about,
        so those about one customer rest on the same."""
        if not self._is_current():
            return None
        known = [*map(self._known.get, zip(repeat(merchant_id), questions))]
        checks = [one for one in known if one is not None]
        if len(checks) < len(questions) or not all(map(_IS_ALIVE, checks)):
            return None
        if self._clock.now() >= min(map(_ENDS_AT, checks)):
            return None
        if not all(map(_WAS_ASKED, checks)):
            for one in checks:
                one.snapshot.asked = True
        return checks

    async def _each(
        self, merchant_id: str, questions: Sequence[bytes], snapshots: _Snapshots
    ) -> list[Understood]:
        """One after the other, on the snapshots that the call rests on already."""
        results: list[Understood] = []
        for index, question in enumerate(questions):
            known = self._known.get((merchant_id, question))
            if (
                known is not None
                and self._holds(known)
                and snapshots.setdefault(known.about, known.snapshot) is known.snapshot
            ):
                results.append(known)
                continue
            try:
                results.append(await self._prepare(merchant_id, question, snapshots))
            except CandelaError as error:
                results.append(RefusedCheck(index, error))
        return results

    def _holds(self, known: PreparedCheck) -> bool:
        """Whether nothing but usage can have changed behind it."""
        snapshot = known.snapshot
        if snapshot.alive and self._is_current() and self._clock.now() < known.ends_at:
            snapshot.asked = True
            return True
        return False

    async def _prepare(
        self, merchant_id: str, encoded: bytes, snapshots: _Snapshots
    ) -> PreparedCheck:
        """What a question means; `snapshots` are those that the same call rests on already."""
        question = pb.CheckRequest.FromString(encoded)
        quantity = wire.quantity_from_proto(question)
        who = wire.who_from_proto(question)
        about = repr(who)
        snapshot = snapshots.get(about)
        if snapshot is None or snapshot.revision < question.min_revision:
            snapshot = await self._checker.snapshot(
                merchant_id, who, question.min_revision, slug=question.feature
            )
            snapshots[about] = snapshot
        state = snapshot.features.get(question.feature)
        if state is None and self._checker.lacks_news(merchant_id, snapshot):
            snapshot = await self._checker.snapshot(
                merchant_id, who, question.min_revision, slug=question.feature
            )
            snapshots[about], snapshots.replaced = snapshot, True
            state = snapshot.features.get(question.feature)
        if state is None:
            raise FeatureNotFoundError(question.feature)
        prepared = PreparedCheck(who, snapshot, state, quantity, merchant_id)
        if not question.min_revision and snapshot.alive and len(encoded) <= MAX_QUESTION_BYTES:
            if len(self._known) >= MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[merchant_id, encoded] = prepared
        return prepared
