"""Turns events as sent into rows ready for COPY, or into reasons why not; each event by itself (EVT-1, EVT-3).

Data plane. Budget: 4 µs of CPU per event. What it gives up for that: protos are read in place instead of through
wire.py, prepared events are tuples, and what repeats (ids, values, properties) is encoded once and kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from struct import Struct
from typing import Any, Final, NamedTuple

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Reason
from candela_server.merchant.model import TestClockId
from candela_server.storage import copy_binary

from .directory import Book, Directory, KnownCustomer, KnownUser, Wanted
from .model import Rejection
from .rules.bucket import to_microseconds
from .rules.event_value import (
    EventFieldError,
    Properties,
    check_key,
    check_name,
    check_reference,
    parse_properties,
    parse_value,
)
from .rules.lateness import Bounds, bounds

_SLICE: Final = 500
"""Events prepared before other calls get their turn: about 2 ms."""

_MAX_KEPT: Final = 20_000
"""Encoded names, values and properties kept before the memory starts afresh: some 10 MB."""

_MAX_KEPT_BYTES: Final = 256
"""Longer properties hardly repeat and are not kept."""

_FIELDS: Final = copy_binary.field_count(10)
_payload_hash = Struct(">q").unpack
_NO_PROPERTIES: Final[Properties] = {}


class PreparedEvent(NamedTuple):
    """An event that only its key can still refuse."""

    key_hash: bytes
    payload_hash: int
    row: bytes
    customer_id: str
    user_id: str
    name: str
    happened_us: int
    value: Decimal
    properties: Properties


@dataclass(slots=True)
class Prepared:
    """A batch after preparation: one event or rejection per index, and what was read of the time.

    `nobody` are the rejected events whose customer or user is unknown, which a merchant may want kept (EVT-11).
    """

    events: list[PreparedEvent | None]
    rejections: list[Rejection]
    now_us: int
    nobody: list[int]

    def take(self, index: int) -> PreparedEvent:
        """Takes an event out, which then is not counted."""
        event = self.events[index]
        assert event is not None, "only what is in can be taken out"
        self.events[index] = None
        return event


class _RefusedError(Exception):
    """One event is refused."""

    def __init__(self, reason: Reason, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class _NobodyError(_RefusedError):
    """One event is refused because its customer or user is unknown; a merchant may want such events kept."""


class _UnknownError(Exception):
    """One event names what the book does not hold; the wanted list has been told."""


class Preparer:
    """Prepares batches; keeps what repeats between them."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._values: dict[str, tuple[Decimal, bytes, bytes]] = {}
        self._names: dict[str, bytes] = {}
        self._properties: dict[bytes, tuple[Properties, bytes]] = {}

    async def prepare(
        self,
        merchant_id: str,
        events: Sequence[Any],
        within: Bounds | None = None,
        came_us: Sequence[int] | None = None,
    ) -> Prepared:
        """One prepared event or one rejection per event. Waits for the database only for unknown names.

        `within` is for events of a backfill or in place of another: it stands in for the lateness bound, and the
        customer's clock still says what lies in the future. `came_us` says of a replay when each event first came,
        which is what its lateness is judged by.
        """
        book = await self._directory.book(merchant_id)
        now_us = to_microseconds(self._clock.now())
        wanted = Wanted()
        batch = _Batch(book, now_us, wanted, within)
        nobody: list[int] = []
        prepared: list[PreparedEvent | None] = [None] * len(events)
        rejections: list[Rejection] = []
        unknown: list[int] = []
        for index, event in enumerate(events):
            if index % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
            if came_us is not None:
                batch.receive(came_us[index])
            try:
                prepared[index] = self._prepare(batch, event)
            except _UnknownError:
                unknown.append(index)
            except _NobodyError as error:
                nobody.append(index)
                rejections.append(Rejection(index, error.reason, error.field, str(error)))
            except _RefusedError as error:
                rejections.append(Rejection(index, error.reason, error.field, str(error)))
            except EventFieldError as error:
                rejections.append(Rejection(index, Reason.INVALID_FIELD, error.field, str(error)))
        if unknown:
            await self._prepare_unknown(
                batch, events, came_us, unknown, prepared, rejections, nobody
            )
            rejections.sort(key=lambda rejection: rejection.index)
        return Prepared(prepared, rejections, now_us, nobody)

    async def _prepare_unknown(
        self,
        batch: _Batch,
        events: Sequence[Any],
        came_us: Sequence[int] | None,
        unknown: Sequence[int],
        prepared: list[PreparedEvent | None],
        rejections: list[Rejection],
        nobody: list[int],
    ) -> None:
        """Looks the unknown up; again for what was created meanwhile, and for the clocks of customers found late."""
        for attempt in range(3):
            batch.clocks.update(await self._directory.look_up(batch.book, batch.wanted))
            batch.wanted = Wanted()
            batch.looked_up = attempt > 0
            still = []
            for index in unknown:
                if came_us is not None:
                    batch.receive(came_us[index])
                try:
                    prepared[index] = self._prepare(batch, events[index])
                except _UnknownError:
                    still.append(index)
                except _NobodyError as error:
                    nobody.append(index)
                    rejections.append(Rejection(index, error.reason, error.field, str(error)))
                except _RefusedError as error:
                    rejections.append(Rejection(index, error.reason, error.field, str(error)))
                except EventFieldError as error:
                    rejections.append(
                        Rejection(index, Reason.INVALID_FIELD, error.field, str(error))
                    )
            unknown = still
            if not unknown:
                return

    def _prepare(self, batch: _Batch, event: Any) -> PreparedEvent:
        key: str = event.idempotency_key
        key_bytes = key.encode()
        key_size = len(key_bytes)
        # A key that begins with a digit and is as short as a card number is looked at more closely.
        if (
            not 0 < key_size <= 255
            or "\x00" in key
            or (13 < key_size < 24 and key_bytes[0] < _AFTER_DIGITS)
        ):
            check_key(key, key_bytes)
        name: str = event.name
        name_field = self._names.get(name)
        if name_field is None:
            name_field = self._learn_name(name)
        user = _user(batch, event)
        customer = _customer(batch, event, user)
        bounds_us, now_us = batch.time_of(customer)

        text: str = event.value
        if text:
            known = self._values.get(text)
            value, value_field, canonical = known if known is not None else self._learn_value(text)
        elif event.HasField("value"):
            raise EventFieldError("value", "the value is empty; leave it out to count 1")
        else:
            value, value_field, canonical = _ONE

        if event.HasField("timestamp"):
            sent = event.timestamp
            nanos = sent.nanos
            if not 0 <= nanos < 1_000_000_000:
                raise EventFieldError("timestamp", f"{nanos} nanoseconds are not within a second")
            happened_us = sent.seconds * 1_000_000 + nanos // 1000
            if not bounds_us.earliest_us <= happened_us <= bounds_us.latest_us:
                raise _outside(happened_us, bounds_us)
            stamp = b"%d" % happened_us
        else:
            # Not part of what a repetition must equal: it would be received at another instant.
            happened_us, stamp = now_us, b"-"

        encoded: bytes = event.properties_json
        if encoded:
            kept = self._properties.get(encoded)
            properties, properties_field = (
                kept if kept is not None else self._learn_properties(encoded)
            )
        else:
            properties, properties_field = _NO_PROPERTIES, copy_binary.NULL

        if user is None:
            user_id, user_field = "", copy_binary.NULL
        else:
            user_id, user_field = user.id, user.field
        key_hash = blake2b(batch.key_prefix + key_bytes, digest_size=16).digest()
        (payload_hash,) = _payload_hash(
            blake2b(
                b"%b%b%b%b\x00%b\x00%b"
                % (customer.field, user_field, name_field, canonical, stamp, encoded),
                digest_size=8,
            ).digest()
        )
        row = b"".join(
            (
                batch.row_start,
                customer.field,
                user_field,
                name_field,
                value_field,
                copy_binary.timestamp_field(happened_us),
                b"\x00\x00\x00\x10",
                key_hash,
                len(key_bytes).to_bytes(4, "big"),
                key_bytes,
                properties_field,
                batch.received_field,
            )
        )
        return PreparedEvent(
            key_hash,
            payload_hash,
            row,
            customer.id,
            user_id,
            name,
            happened_us,
            value,
            properties,
        )

    def _learn_name(self, name: str) -> bytes:
        check_name(name)
        _make_room(self._names)
        return self._names.setdefault(name, copy_binary.text_field(name))

    def _learn_value(self, text: str) -> tuple[Decimal, bytes, bytes]:
        value = parse_value(text)
        plain = format(value, "f")
        # "1" and "1.0" are the same fact.
        canonical = plain.rstrip("0").rstrip(".") if "." in plain else plain
        _make_room(self._values)
        return self._values.setdefault(
            text, (value, copy_binary.numeric_field(plain), canonical.encode())
        )

    def _learn_properties(self, encoded: bytes) -> tuple[Properties, bytes]:
        learned = (parse_properties(encoded), copy_binary.jsonb_field(encoded))
        if len(encoded) <= _MAX_KEPT_BYTES:
            _make_room(self._properties)
            self._properties[encoded] = learned
        return learned


class _Batch:
    """What is the same for all events of one batch."""

    __slots__ = (
        "_bounds",
        "_within",
        "book",
        "clocks",
        "key_prefix",
        "looked_up",
        "now_us",
        "received_field",
        "row_start",
        "wanted",
    )

    def __init__(self, book: Book, now_us: int, wanted: Wanted, within: Bounds | None) -> None:
        self._within = within
        self.book = book
        self.now_us = now_us
        self.wanted = wanted
        self.looked_up = False
        self.clocks: dict[TestClockId, int] = {}
        self.key_prefix = book.merchant_id.encode() + b"\x00"
        self.row_start = _FIELDS + copy_binary.text_field(book.merchant_id)
        self.received_field = copy_binary.timestamp_field(now_us)
        self._bounds: dict[TestClockId | None, tuple[Bounds, int]] = {
            None: (self._bounds_at(now_us), now_us)
        }

    def receive(self, came_us: int) -> None:
        """From now on, customers on the server's clock are as late as if it were `came_us`: for replays."""
        self._bounds[None] = (bounds(came_us, self.book.lateness), came_us)

    def time_of(self, customer: KnownCustomer) -> tuple[Bounds, int]:
        """What the customer's own clock accepts, and its present (OPS-2)."""
        clock_id = customer.test_clock_id
        found = self._bounds.get(clock_id)
        if found is not None:
            return found
        assert clock_id is not None
        # A test clock is read anew for every batch: one that has just been moved must not refuse what is new.
        clock_us = self.clocks.get(clock_id)
        if clock_us is None:
            self.wanted.test_clock_ids.add(clock_id)
            raise _UnknownError
        found = self._bounds[clock_id] = (self._bounds_at(clock_us), clock_us)
        return found

    def _bounds_at(self, clock_us: int) -> Bounds:
        ordinary = bounds(clock_us, self.book.lateness)
        if self._within is None:
            return ordinary
        return Bounds(self._within.earliest_us, min(self._within.latest_us, ordinary.latest_us))


def _user(batch: _Batch, event: Any) -> KnownUser | None:
    user_id: str = event.user_id
    if user_id:
        user = batch.book.users.get(user_id)
        if user is None:
            if batch.looked_up or not user_id.startswith("usr_") or "\x00" in user_id:
                raise _NobodyError(Reason.USER_NOT_FOUND, "user_id", f"no user {user_id!r}")
            batch.wanted.user_ids.add(user_id)
            raise _UnknownError
    else:
        external_id: str = event.external_user_id
        if not external_id:
            return None
        user = batch.book.external_users.get(external_id)
        if user is None:
            # PostgreSQL takes no NUL, so what holds one names nobody, and asking would fail for the whole batch.
            if batch.looked_up or "\x00" in external_id:
                raise _NobodyError(
                    Reason.USER_NOT_FOUND,
                    "external_user_id",
                    f"no user has the external id {external_id!r}; create the user first",
                )
            batch.wanted.external_user_ids.add(external_id)
            raise _UnknownError
    if user.archived:
        raise _RefusedError(Reason.USER_NOT_FOUND, "user_id", f"user {user.id} is archived")
    return user


def _customer(batch: _Batch, event: Any, user: KnownUser | None) -> KnownCustomer:
    customer_id: str = event.customer_id
    if customer_id:
        customer = batch.book.customers.get(customer_id)
        if customer is None:
            if batch.looked_up or not customer_id.startswith("cus_") or "\x00" in customer_id:
                raise _NobodyError(
                    Reason.CUSTOMER_NOT_FOUND,
                    "customer_id",
                    f"no customer {customer_id!r}; check the id, and whether it is an external id",
                )
            batch.wanted.customer_ids.add(customer_id)
            raise _UnknownError
    else:
        external_id: str = event.external_customer_id
        if external_id:
            customer = batch.book.external_customers.get(external_id)
            if customer is None:
                if batch.looked_up or "\x00" in external_id:
                    raise _NobodyError(
                        Reason.CUSTOMER_NOT_FOUND,
                        "external_customer_id",
                        f"no customer has the external id {external_id!r}; create the customer first",
                    )
                batch.wanted.external_customer_ids.add(external_id)
                raise _UnknownError
        elif user is not None:
            customer = user.customer
        else:
            raise EventFieldError("customer", "neither a customer nor a user is named")
    if user is not None and user.customer.id != customer.id:
        raise _RefusedError(
            Reason.USER_NOT_FOUND,
            "user_id",
            f"user {user.id} does not act for {customer.id}",
        )
    if customer.archived:
        raise _RefusedError(
            Reason.CUSTOMER_ARCHIVED,
            "customer_id",
            f"customer {customer.id} is archived",
        )
    return customer


def _outside(happened_us: int, allowed: Bounds) -> _RefusedError:
    if happened_us > allowed.latest_us:
        return _RefusedError(
            Reason.EVENT_TOO_EARLY,
            "timestamp",
            "the timestamp lies more than 5 minutes ahead of the customer's clock; correct the sender's clock",
        )
    return _RefusedError(
        Reason.EVENT_TOO_LATE,
        "timestamp",
        "the timestamp lies further back than late events are accepted; use a backfill",
    )


def check_unaddressed(event: Any, index: int, book: Book, now_us: int) -> Rejection | None:
    """What else is wrong with an event whose customer or user is unknown, by the server's clock; None when nothing is.

    What could never be counted is refused now and not kept for a replay. Its key and name are right already.
    """
    try:
        for field in ("customer_id", "external_customer_id", "user_id", "external_user_id"):
            check_reference(field, getattr(event, field))
        if event.HasField("value"):
            parse_value(event.value)
        if event.HasField("timestamp"):
            sent = event.timestamp
            if not 0 <= sent.nanos < 1_000_000_000:
                raise EventFieldError(
                    "timestamp", f"{sent.nanos} nanoseconds are not within a second"
                )
            happened_us = sent.seconds * 1_000_000 + sent.nanos // 1000
            allowed = bounds(now_us, book.lateness)
            if not allowed.earliest_us <= happened_us <= allowed.latest_us:
                raise _outside(happened_us, allowed)
        if event.properties_json:
            parse_properties(event.properties_json)
    except _RefusedError as error:
        return Rejection(index, error.reason, error.field, str(error))
    except EventFieldError as error:
        return Rejection(index, Reason.INVALID_FIELD, error.field, str(error))
    return None


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= _MAX_KEPT:
        kept.clear()


_AFTER_DIGITS: Final = ord("9") + 1
_ONE: Final = (Decimal(1), copy_binary.numeric_field("1"), b"1")
