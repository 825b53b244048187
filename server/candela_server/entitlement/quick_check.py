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
from decimal import Decimal
from typing import Final

import structlog
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.catalog.errors import FeatureNotFoundError
from candela_server.contract.values import item_error_to_proto
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import CandelaError, Unavailable
from candela_server.metering.quick_counters import QuickCounter, QuickCounters, Raw

from . import wire
from .build_snapshot import Who
from .check_entitlement import Checker, ask_of
from .model import Answer, FeatureState, Origin, Snapshot
from .rules.allowance import decide, reserved_at

log = structlog.get_logger()

MAX_PREPARED: Final = 20_000
AUDIT_EVERY_S: Final = 30.0
AUDITED: Final = 50
MAX_PREPARED_BYTES: Final = 1_024
"""Longer questions, which hold what the contract does not know, are not remembered: they would fill the memory."""

_TAG_1: Final = 0x0A
_MAX_SHIFT: Final = 28
_NOTHING: Final = Decimal(0)


class _Prepared:
    """What a question means, and its last answer. `raw` is the counter that the answer rests on, if it needed one."""

    __slots__ = (
        "counter",
        "held",
        "item",
        "quantity",
        "raw",
        "reserved",
        "response",
        "snapshot",
        "state",
        "who",
    )

    def __init__(
        self, who: Who, snapshot: Snapshot, state: FeatureState, quantity: Decimal, merchant_id: str
    ) -> None:
        self.who = who
        self.snapshot = snapshot
        self.state = state
        self.quantity = quantity
        self.counter = (
            QuickCounter(merchant_id, ask_of(snapshot, state))
            if state.metered is not None
            else None
        )
        self.raw: Raw | None = None
        self.held = state.metered.held if state.metered is not None else ()
        self.reserved = _NOTHING
        self.response = b""
        self.item = b""
        if self.counter is None:
            self._keep(decide(state, used=None, quantity=quantity))

    def with_raw(self, raw: Raw, clock: Clock) -> bytes:
        """The response for what the counter holds: the last one, unless it or what is reserved has moved."""
        reserved = self.reserved
        if self.held:
            reserved = reserved_at(self.held, self.snapshot.frozen_now or clock.now())
        if raw != self.raw or reserved != self.reserved:
            assert self.counter is not None, "only metered features have counters"
            used = self.counter.value(raw)
            self._keep(
                decide(
                    self.state,
                    used=used,
                    quantity=self.quantity,
                    origin=Origin.COUNTERS,
                    reserved=reserved,
                )
            )
            self.raw, self.reserved = raw, reserved
        return self.response

    def as_item(self) -> bytes:
        """The last response as an element of a CheckManyResponse."""
        if not self.item:
            self.item = _field_1(_field_1(self.response))
        return self.item

    def _keep(self, answer: Answer) -> None:
        self.response = wire.check_response_to_proto(answer, self.snapshot).SerializeToString()
        self.item = b""


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
        self._prepared: dict[tuple[str, bytes], _Prepared] = {}

    async def check(self, merchant_id: str, question: bytes) -> bytes:
        """The CheckResponse to a CheckRequest. Raises what Checker raises."""
        prepared = self._prepared.get((merchant_id, question))
        if prepared is None or not self._holds(prepared):
            prepared = await self._prepare(
                merchant_id, question, pb.CheckRequest.FromString(question), {}
            )
        counter = prepared.counter
        if counter is None:
            return prepared.response
        raw = await self._counters.read(counter) if self._counters else None
        if raw is not None:
            return prepared.with_raw(raw, self._clock)
        [answer] = await self._ask(merchant_id, [prepared])
        return wire.check_response_to_proto(answer, prepared.snapshot).SerializeToString()

    async def check_many(self, merchant_id: str, questions: Sequence[bytes]) -> bytes:
        """The CheckManyResponse to these CheckRequests, in order; a bad one spoils no other.

        All answers about one customer rest on one snapshot, so that they agree with one another.
        """
        snapshots: dict[Who, Snapshot] = {}
        results: list[_Prepared | bytes] = []
        known = self._prepared
        now, current = self._clock.now(), self._is_current()
        for index, question in enumerate(questions):
            prepared = known.get((merchant_id, question))
            if prepared is not None and current:
                snapshot = prepared.snapshot
                if (
                    snapshot.alive
                    and (snapshot.valid_until is None or snapshot.is_valid_at(now))
                    and snapshots.setdefault(prepared.who, snapshot) is snapshot
                ):
                    results.append(prepared)
                    continue
            try:
                asked = pb.CheckRequest.FromString(question)
                results.append(await self._prepare(merchant_id, question, asked, snapshots))
                current = self._is_current()
            except CandelaError as error:
                results.append(_problem(index, error))
        return b"".join(await self._items(merchant_id, results))

    async def _items(self, merchant_id: str, results: Sequence[_Prepared | bytes]) -> list[bytes]:
        """The elements of the answer, with one reading of all usage."""
        metered = [one for one in results if type(one) is _Prepared and one.counter is not None]
        raws: Iterator[Raw | None] = iter(
            await self._counters.read_all([one.counter for one in metered if one.counter])
            if self._counters
            else [None] * len(metered)
        )
        items: list[bytes] = []
        slow: list[tuple[int, _Prepared]] = []
        for one in results:
            if type(one) is bytes:
                items.append(one)
                continue
            assert isinstance(one, _Prepared), "results hold nothing else"
            raw = next(raws) if one.counter is not None else None
            if raw is not None:
                one.with_raw(raw, self._clock)
            elif one.counter is not None:
                slow.append((len(items), one))
                items.append(b"")
                continue
            items.append(one.as_item())
        try:
            answers = await self._ask(merchant_id, [one for _, one in slow])
        except Unavailable as error:
            # Nobody knows the usage now; what needs none is answered all the same.
            for place, _ in slow:
                items[place] = _problem(place, error)
            return items
        for (place, one), answer in zip(slow, answers, strict=True):
            response = wire.check_response_to_proto(answer, one.snapshot).SerializeToString()
            items[place] = _field_1(_field_1(response))
        return items

    async def audit_forever(self) -> None:
        """Compares some of the counters in use with the rollups, again and again, until cancelled (ENT-4)."""
        while True:
            await asyncio.sleep(AUDIT_EVERY_S)
            in_use = [
                (key[0], ask_of(one.snapshot, one.state))
                for key, one in self._prepared.items()
                if one.counter is not None and one.snapshot.alive
            ]
            try:
                await self._checker.audit(random.sample(in_use, min(AUDITED, len(in_use))))
            except Exception as error:  # Redis or the database is away; the next time will tell
                log.info("counters_not_audited", error=str(error))

    def _holds(self, prepared: _Prepared) -> bool:
        snapshot = prepared.snapshot
        return (
            snapshot.alive
            and self._is_current()
            and (snapshot.valid_until is None or snapshot.is_valid_at(self._clock.now()))
        )

    async def _prepare(
        self,
        merchant_id: str,
        encoded: bytes,
        question: pb.CheckRequest,
        snapshots: dict[Who, Snapshot],
    ) -> _Prepared:
        """What a question means; `snapshots` are those that the same call rests on already."""
        quantity = wire.quantity_from_proto(question)
        who = wire.who_from_proto(question)
        snapshot = snapshots.get(who)
        if snapshot is None or snapshot.revision < question.min_revision:
            snapshot = await self._checker.snapshot(merchant_id, who, question.min_revision)
            snapshots[who] = snapshot
        state = snapshot.features.get(question.feature)
        if state is None:
            raise FeatureNotFoundError(question.feature)
        prepared = _Prepared(who, snapshot, state, quantity, merchant_id)
        if not question.min_revision and snapshot.alive and len(encoded) <= MAX_PREPARED_BYTES:
            if len(self._prepared) >= MAX_PREPARED:
                del self._prepared[next(iter(self._prepared))]
            self._prepared[merchant_id, encoded] = prepared
        return prepared

    async def _ask(self, merchant_id: str, wanted: Sequence[_Prepared]) -> list[Answer]:
        """The whole way. Nothing of it is kept, as nothing would tell when the rollups have moved."""
        return await self._checker.check_states(
            merchant_id, [(one.snapshot, one.state, one.quantity) for one in wanted]
        )


def _problem(index: int, error: CandelaError) -> bytes:
    """An element of a CheckManyResponse that says why there is no answer."""
    field = error.violations[0].field if error.violations else ""
    problem = item_error_to_proto(index, error.reason, field, error.message)
    return _field_1(pb.CheckManyResult(error=problem).SerializeToString())


def _field_1(message: bytes) -> bytes:
    """A message as the field 1 of another, as the wire has it: tag, length, bytes."""
    length, encoded = len(message), bytearray(b"\x0a")
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + message


def questions_in(request: bytes) -> list[bytes]:
    """The bytes of each CheckRequest of a CheckManyRequest. Raises DecodeError.

    They are cut out instead of parsed: a question that was asked before is known by its bytes. A request with anything
    else in it, as a later contract may have, is parsed.
    """
    found: list[bytes] = []
    place, end = 0, len(request)
    while place < end:
        if request[place] != _TAG_1:
            return _parsed(request)
        length = shift = 0
        while True:
            place += 1
            if place >= end or shift > _MAX_SHIFT:
                return _parsed(request)
            byte = request[place]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        place += 1
        if place + length > end:
            return _parsed(request)
        found.append(request[place : place + length])
        place += length
    return found


def _parsed(request: bytes) -> list[bytes]:
    return [one.SerializeToString() for one in pb.CheckManyRequest.FromString(request).checks]
