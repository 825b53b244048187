"""The data plane of checks: a question that was asked before is answered without being read again (ENT-5).

Budget: 5 µs a check for a feature without a metric and 15 µs for one with a metric, of which the shared round trip to
Redis is the most. What it gives up for that: questions and answers are bytes here. A question's bytes lead to what it
means, as long as the snapshot that this rests on is alive; and as long as the counter has not moved, the answer is the
one of the last time. Everything else goes the whole way through check_entitlement.py.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any, Final

import structlog
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.contract.values import item_error_to_proto
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError, InvalidInput, Reason, Unavailable
from candela_server.metering.quick_counters import CounterGroup, QuickCounters, Raw, is_good

from . import wire
from .check_entitlement import Checker, asks_of
from .check_wire import field_1, questions_in, response_item
from .model import Answer, Snapshot
from .prepared_batch import PreparedBatch
from .prepared_check import PreparedCheck

log = structlog.get_logger()

MAX_CHECKS: Final = 1_000
MAX_PREPARED: Final = 20_000
MAX_PREPARED_BYTES: Final = 1_024
"""Longer questions, which hold what the contract does not know, are not remembered: they would fill the memory."""

MAX_BATCHES: Final = 500
MAX_BATCH_BYTES: Final = 16_384
AUDIT_EVERY_S: Final = 30.0
AUDITED: Final = 50

Reading = tuple[Any, list[Raw]]
"""The epoch that Redis is in, and the counters of a batch."""


class _Snapshots(dict[str, Snapshot]):
    """Those that one call rests on, by whom they are about; `replaced` when one was followed by a newer one."""

    replaced = False


class TooManyChecksError(InvalidInput):
    """One call asks about at most so many features."""

    reason = Reason.BATCH_TOO_LARGE

    def __init__(self, size: int) -> None:
        remedy = "split the batch" if size else "ask about a feature at least"
        super().__init__(
            f"must hold 1 to {MAX_CHECKS} checks, not {size}; {remedy}",
            field="checks",
            limit=MAX_CHECKS,
            size=size,
        )


class QuickChecks:
    """Answers checks from bytes to bytes; one per process."""

    def __init__(
        self,
        checker: Checker,
        counters: QuickCounters | None,
        clock: Clock,
        is_current: Callable[[], bool],
    ) -> None:
        """Takes who knows the whole way, the live counters if there is a Redis, and whether changes are heard of."""
        self._checker = checker
        self._counters = counters
        self._clock = clock
        self._is_current = is_current
        self._prepared: dict[tuple[str, bytes], PreparedCheck] = {}
        self._batches: dict[tuple[str, bytes], PreparedBatch] = {}
        self._asked_once: dict[tuple[str, int], None] = {}

    async def check(self, merchant_id: str, question: bytes) -> bytes:
        """The CheckResponse to a CheckRequest. Raises what Checker raises."""
        prepared = self._prepared.get((merchant_id, question))
        if prepared is None or not self._holds(prepared):
            prepared = await self._prepare(
                merchant_id, question, pb.CheckRequest.FromString(question), _Snapshots()
            )
        counter = prepared.counter
        if counter is None:
            return prepared.response
        raw = await self._counters.read(counter) if self._counters else None
        if raw is not None:
            return prepared.with_raw(raw, self._clock)
        [answer] = await self._ask(merchant_id, [prepared])
        return wire.check_response_to_proto(answer, prepared.snapshot).SerializeToString()

    async def check_many(self, merchant_id: str, request: bytes) -> bytes:
        """The CheckManyResponse to a CheckManyRequest, in order; a bad question spoils no other.

        All answers about one customer rest on one snapshot, so that they agree with one another.
        """
        batch = self._batches.get((merchant_id, request))
        if batch is None or not self._is_current() or not batch.holds(self._clock.now()):
            questions = questions_in(request)
            if not 1 <= len(questions) <= MAX_CHECKS:
                raise TooManyChecksError(len(questions))
            checks = await self._understand(merchant_id, questions)
            understood = [one for one in checks if type(one) is PreparedCheck]
            if len(understood) < len(checks) or not self._came_before(merchant_id, request):
                counters = [one.counter for one in understood if one.counter is not None]
                reading = await self._read(CounterGroup(counters))
                return await self._joined(merchant_id, checks, reading)
            batch = PreparedBatch(understood)
            self._remember(merchant_id, request, batch)
        reading = await self._read(batch.counters)
        response = batch.response(*reading, self._clock) if reading is not None else None
        if response is None:
            response = await self._joined(merchant_id, batch.checks, reading)
        return response

    async def _understand(
        self, merchant_id: str, questions: Sequence[bytes]
    ) -> list[PreparedCheck | bytes]:
        """What each question means, or the element of the answer that says why it means nothing."""
        snapshots = _Snapshots()
        results = await self._understand_by(merchant_id, questions, snapshots)
        if snapshots.replaced:
            # One of them asks for a feature that is newer than the snapshot that others were answered from.
            results = await self._understand_by(merchant_id, questions, snapshots)
        return results

    async def _understand_by(
        self, merchant_id: str, questions: Sequence[bytes], snapshots: _Snapshots
    ) -> list[PreparedCheck | bytes]:
        """As `_understand`, with the snapshots that the call rests on already."""
        results: list[PreparedCheck | bytes] = []
        known = self._prepared
        now, current = self._clock.now(), self._is_current()
        for index, question in enumerate(questions):
            prepared = known.get((merchant_id, question))
            if prepared is not None and current:
                snapshot = prepared.snapshot
                ends_at = snapshot.valid_until
                if (
                    snapshot.alive
                    and (ends_at is None or (snapshot.frozen_now or now) < ends_at)
                    and snapshots.setdefault(prepared.about, snapshot) is snapshot
                ):
                    results.append(prepared)
                    continue
            try:
                asked = pb.CheckRequest.FromString(question)
                results.append(await self._prepare(merchant_id, question, asked, snapshots))
                current = self._is_current()
            except CandelaError as error:
                results.append(_problem(index, error))
        return results

    def _came_before(self, merchant_id: str, request: bytes) -> bool:
        """Whether these questions have been asked together lately: what is asked once is not worth preparing."""
        known = (merchant_id, hash(request))
        if known in self._asked_once:
            return True
        if len(self._asked_once) >= MAX_BATCHES:
            del self._asked_once[next(iter(self._asked_once))]
        self._asked_once[known] = None
        return False

    def _remember(self, merchant_id: str, request: bytes, batch: PreparedBatch) -> None:
        """Keeps a batch for the next time, if each of its questions is kept as well."""
        self._batches.pop((merchant_id, request), None)
        if len(request) > MAX_BATCH_BYTES or not all([one.kept for one in batch.checks]):
            return
        if len(self._batches) >= MAX_BATCHES:
            del self._batches[next(iter(self._batches))]
        self._batches[merchant_id, request] = batch

    async def _read(self, counters: CounterGroup) -> Reading | None:
        """The counters of a batch in one round trip; None when they cannot be had."""
        if not counters.size:
            return None, []
        return await self._counters.read_all(counters) if self._counters else None

    async def _joined(
        self,
        merchant_id: str,
        results: Sequence[PreparedCheck | bytes],
        reading: Reading | None,
    ) -> bytes:
        """The CheckManyResponse, one element after the other; what no counter tells goes the whole way."""
        epoch, raws = reading if reading is not None else (None, None)
        unread: Iterator[Raw | None] = iter(raws) if raws is not None else repeat(None)
        items: list[bytes] = []
        slow: list[tuple[int, PreparedCheck]] = []
        for one in results:
            if isinstance(one, bytes):
                items.append(one)
                continue
            if one.counter is not None:
                raw = next(unread)
                if raw is None or not is_good(raw, epoch):
                    slow.append((len(items), one))
                    items.append(b"")
                    continue
                if one.held or raw != one.raw:
                    one.with_raw(raw, self._clock)
            items.append(one.item or one.as_item())
        if not slow:
            return b"".join(items)
        try:
            answers = await self._ask(merchant_id, [one for _, one in slow])
        except Unavailable as error:
            # Nobody knows the usage now; what needs none is answered all the same.
            for place, _ in slow:
                items[place] = _problem(place, error)
            return b"".join(items)
        for (place, one), answer in zip(slow, answers, strict=True):
            response = wire.check_response_to_proto(answer, one.snapshot).SerializeToString()
            items[place] = response_item(response)
        return b"".join(items)

    async def audit_forever(self) -> None:
        """Compares some of the counters in use with the rollups, again and again, until cancelled (ENT-4)."""
        while True:
            await asyncio.sleep(AUDIT_EVERY_S)
            # A few are drawn first: to look at all of them would hold up the checks of that moment.
            drawn = random.sample([*self._prepared], min(AUDITED, len(self._prepared)))
            in_use = [
                (key[0], ask)
                for key in drawn
                if (one := self._prepared[key]).counter is not None and one.snapshot.alive
                for ask in asks_of(one.snapshot, one.state)
            ]
            try:
                await self._checker.audit(in_use)
            except Exception as error:  # Redis or the database is away; the next time will tell
                log.info("counters_not_audited", error=str(error))

    def _holds(self, prepared: PreparedCheck) -> bool:
        snapshot = prepared.snapshot
        if not snapshot.alive or not self._is_current():
            return False
        if snapshot.valid_until is None:
            return True
        snapshot.asked = True
        return snapshot.is_valid_at(self._clock.now())

    async def _prepare(
        self,
        merchant_id: str,
        encoded: bytes,
        question: pb.CheckRequest,
        snapshots: _Snapshots,
    ) -> PreparedCheck:
        """What a question means; `snapshots` are those that the same call rests on already."""
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
        if not question.min_revision and snapshot.alive and len(encoded) <= MAX_PREPARED_BYTES:
            if len(self._prepared) >= MAX_PREPARED:
                del self._prepared[next(iter(self._prepared))]
            self._prepared[merchant_id, encoded] = prepared
            prepared.kept = True
        return prepared

    async def _ask(self, merchant_id: str, wanted: Sequence[PreparedCheck]) -> list[Answer]:
        """The whole way. Nothing of it is kept, as nothing would tell when the rollups have moved."""
        return await self._checker.check_states(
            merchant_id, [(one.snapshot, one.state, one.quantity) for one in wanted]
        )


def _problem(index: int, error: CandelaError) -> bytes:
    """An element of a CheckManyResponse that says why there is no answer."""
    field = error.violations[0].field if error.violations else ""
    problem = item_error_to_proto(index, error.reason, field, error.message)
    return field_1(pb.CheckManyResult(error=problem).SerializeToString())
