"""The data plane of checks: a question that was asked before is answered without being read again (ENT-5).

Budget: 5 µs a check for a feature without a metric and 15 µs for one with a metric, of which the shared round trip to
Redis is the most. What it gives up for that: questions and answers are bytes here. A question's bytes lead to what it
means (known_checks.py), as long as the snapshot that this rests on is alive; and as long as the counter has not moved,
the answer is the one of the last time. Everything else goes the whole way through check_entitlement.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput, Reason, Unavailable
from candela_server.metering.quick_counters import CounterGroup, QuickCounters

from . import wire
from .check_entitlement import Checker, asks_of
from .check_wire import questions_in, response_item
from .known_checks import KnownChecks
from .model import Answer
from .prepared_batch import PreparedBatch, Reading
from .prepared_check import PreparedCheck, RefusedCheck

log = structlog.get_logger()

MAX_CHECKS: Final = 1_000
MAX_BATCHES: Final = 500
MAX_BATCH_BYTES: Final = 16_384
AUDIT_EVERY_S: Final = 30.0
AUDITED: Final = 50


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
        self._known = KnownChecks(checker, clock, is_current)
        self._batches: dict[tuple[str, bytes], PreparedBatch] = {}
        self._asked_once: dict[tuple[str, int], None] = {}

    async def check(self, merchant_id: str, question: bytes) -> bytes:
        """The CheckResponse to a CheckRequest. Raises what Checker raises."""
        prepared = await self._known.one(merchant_id, question)
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
            batch = PreparedBatch(await self._known.many(merchant_id, questions))
            self._remember(merchant_id, request, batch)
        unread = batch.take_in(await self._read(batch.counters), self._clock)
        return await self._completed(merchant_id, batch, unread) if unread else batch.response()

    def _remember(self, merchant_id: str, request: bytes, batch: PreparedBatch) -> None:
        """Keeps a batch for the next time, if it came before: what is asked once is not worth the memory."""
        self._batches.pop((merchant_id, request), None)
        known = (merchant_id, hash(request))
        if known not in self._asked_once:
            if len(self._asked_once) >= MAX_BATCHES:
                del self._asked_once[next(iter(self._asked_once))]
            self._asked_once[known] = None
        elif len(request) <= MAX_BATCH_BYTES and batch.is_understood():
            if len(self._batches) >= MAX_BATCHES:
                del self._batches[next(iter(self._batches))]
            self._batches[merchant_id, request] = batch

    async def _read(self, counters: CounterGroup) -> Reading | None:
        """The counters of a batch in one round trip; None when they cannot be had."""
        if not counters.size:
            return None, []
        return await self._counters.read_all(counters) if self._counters else None

    async def _completed(
        self, merchant_id: str, batch: PreparedBatch, unread: set[PreparedCheck]
    ) -> bytes:
        """The CheckManyResponse; what no counter told goes the whole way."""
        items = batch.items()
        slow = [
            (place, one)
            for place, one in enumerate(batch.checks)
            if type(one) is PreparedCheck and one in unread
        ]
        try:
            answers = await self._ask(merchant_id, [one for _, one in slow])
        except Unavailable as error:
            # Nobody knows the usage now; what needs none is answered all the same.
            for place, _ in slow:
                items[place] = RefusedCheck(place, error).item
            return b"".join(items)
        for (place, one), answer in zip(slow, answers, strict=True):
            response = wire.check_response_to_proto(answer, one.snapshot).SerializeToString()
            items[place] = response_item(response)
        return b"".join(items)

    async def audit_forever(self) -> None:
        """Compares some of the counters in use with the rollups, again and again, until cancelled (ENT-4)."""
        while True:
            await asyncio.sleep(AUDIT_EVERY_S)
            asks = [
                (merchant_id, ask)
                for merchant_id, one in self._known.some_in_use(AUDITED)
                for ask in asks_of(one.snapshot, one.state)
            ]
            try:
                await self._checker.audit(asks)
            except Exception as error:  # Redis or the database is away; the next time will tell
                log.info("counters_not_audited", error=str(error))

    async def _ask(self, merchant_id: str, wanted: Sequence[PreparedCheck]) -> list[Answer]:
        """The whole way. Nothing of it is kept, as nothing would tell when the rollups have moved."""
        return await self._checker.check_states(
            merchant_id, [(one.snapshot, one.state, one.quantity) for one in wanted]
        )
