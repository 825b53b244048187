"""Whose an event is, and by whose clock it is early or late: as the book of a merchant says (EVT-1, EVT-9, OPS-2).

Data plane, within the budget of prepare_events.py: protos are read in place.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

from candela_server.kernel.errors import Reason
from candela_server.merchant.model import TestClockId
from candela_server.storage import copy_binary

from .directory import Book, KnownCustomer, KnownUser, Wanted
from .model import Rejection
from .rules.event_value import (
    EventFieldError,
    check_reference,
    parse_properties,
    parse_value,
)
from .rules.lateness import Bounds, bounds

_FIELDS: Final = copy_binary.field_count(10)


class RefusedError(Exception):
    """One event is refused."""

    def __init__(self, reason: Reason, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class NobodyError(RefusedError):
    """One event is refused because its customer or user is unknown; a merchant may want such events kept."""


class UnknownError(Exception):
    """One event names what the book does not hold; the wanted list has been told."""


Address: TypeAlias = tuple[str, str, str, str]
"""How an event says whose it is: customer_id, external_customer_id, user_id and external_user_id, "" if not given."""


class Addressee(NamedTuple):
    """Whose an event is, the fields of its row that say so, and what the customer's clock accepts (OPS-2)."""

    customer_id: str
    user_id: str
    customer_field: bytes
    user_field: bytes
    bounds: Bounds
    now_us: int


class Batch:
    """What is the same for all events of one batch."""

    __slots__ = (
        "_bounds",
        "_within",
        "addressed",
        "book",
        "clocks",
        "in_pieces",
        "key_hasher",
        "looked_up",
        "now_us",
        "received_field",
        "row_start",
        "wanted",
    )

    def __init__(
        self,
        book: Book,
        now_us: int,
        wanted: Wanted,
        within: Bounds | None,
        *,
        in_pieces: bool,
    ) -> None:
        self._within = within
        self.in_pieces = in_pieces
        self.book = book
        self.now_us = now_us
        self.wanted = wanted
        self.looked_up = False
        self.clocks: dict[TestClockId, int] = {}
        # Copied for each key: the part that all keys begin with is hashed once.
        self.key_hasher = blake2b(book.merchant_id.encode() + b"\x00", digest_size=16)
        # A batch names few, and each of them often.
        self.addressed: dict[Address, Addressee] = {}
        self.row_start = _FIELDS + copy_binary.text_field(book.merchant_id)
        self.received_field = copy_binary.timestamp_field(now_us)
        self._bounds: dict[TestClockId | None, tuple[Bounds, int]] = {
            None: (self._bounds_at(now_us), now_us)
        }

    def receive(self, came_us: int) -> None:
        """From now on, customers on the server's clock are as late as if it were `came_us`: for replays."""
        self._bounds[None] = (bounds(came_us, self.book.lateness), came_us)
        self.addressed.clear()

    def address(self, address: Address) -> Addressee:
        """Whose an event is that names these. Raises RefusedError, UnknownError and EventFieldError."""
        customer_id, external_customer_id, user_id, external_user_id = address
        user = self._user(user_id, external_user_id)
        customer = self._customer(customer_id, external_customer_id, user)
        found = Addressee(
            customer.id,
            user.id if user is not None else "",
            customer.field,
            user.field if user is not None else copy_binary.NULL,
            *self._time_of(customer),
        )
        self.addressed[address] = found
        return found

    def _time_of(self, customer: KnownCustomer) -> tuple[Bounds, int]:
        clock_id = customer.test_clock_id
        found = self._bounds.get(clock_id)
        if found is not None:
            return found
        assert clock_id is not None
        # A test clock is read anew for every batch: one that has just been moved must not refuse what is new.
        clock_us = self.clocks.get(clock_id)
        if clock_us is None:
            self.wanted.test_clock_ids.add(clock_id)
            raise UnknownError
        found = self._bounds[clock_id] = (self._bounds_at(clock_us), clock_us)
        return found

    def _bounds_at(self, clock_us: int) -> Bounds:
        ordinary = bounds(clock_us, self.book.lateness)
        if self._within is None:
            return ordinary
        return Bounds(self._within.earliest_us, min(self._within.latest_us, ordinary.latest_us))

    def _user(self, user_id: str, external_id: str) -> KnownUser | None:
        """The user that an event names, if it does."""
        if user_id:
            user = self.book.users.get(user_id)
            if user is None:
                nobody = NobodyError(Reason.USER_NOT_FOUND, "user_id", f"no user {user_id!r}")
                raise self._unknown(user_id, self.wanted.user_ids, nobody, begins="usr_")
        elif external_id:
            user = self.book.external_users.get(external_id)
            if user is None:
                nobody = NobodyError(
                    Reason.USER_NOT_FOUND,
                    "external_user_id",
                    f"no user has the external id {external_id!r}; create the user first",
                )
                raise self._unknown(external_id, self.wanted.external_user_ids, nobody)
        else:
            return None
        if user.archived:
            raise RefusedError(Reason.USER_NOT_FOUND, "user_id", f"user {user.id} is archived")
        return user

    def _customer(
        self, customer_id: str, external_id: str, user: KnownUser | None
    ) -> KnownCustomer:
        """Whose usage an event is."""
        if customer_id:
            customer = self.book.customers.get(customer_id)
            if customer is None:
                nobody = NobodyError(
                    Reason.CUSTOMER_NOT_FOUND,
                    "customer_id",
                    f"no customer {customer_id!r}; check the id, and whether it is an external id",
                )
                raise self._unknown(customer_id, self.wanted.customer_ids, nobody, begins="cus_")
        elif external_id:
            customer = self.book.external_customers.get(external_id)
            if customer is None:
                nobody = NobodyError(
                    Reason.CUSTOMER_NOT_FOUND,
                    "external_customer_id",
                    f"no customer has the external id {external_id!r}; create the customer first",
                )
                raise self._unknown(external_id, self.wanted.external_customer_ids, nobody)
        elif user is not None:
            customer = user.customer
        else:
            raise EventFieldError("customer", "neither a customer nor a user is named")
        if user is not None and user.customer.id != customer.id:
            raise RefusedError(
                Reason.USER_NOT_FOUND,
                "user_id",
                f"user {user.id} does not act for {customer.id}",
            )
        if customer.archived:
            raise RefusedError(
                Reason.CUSTOMER_ARCHIVED,
                "customer_id",
                f"customer {customer.id} is archived",
            )
        return customer

    def _unknown(
        self, reference: str, wanted: set[str], nobody: NobodyError, *, begins: str = ""
    ) -> NobodyError | UnknownError:
        """What to raise of one that the book does not hold: `nobody`, unless it is still to be looked up."""
        # PostgreSQL takes no NUL, so what holds one names nobody, and asking would fail for the whole batch.
        if self.looked_up or "\x00" in reference or not reference.startswith(begins):
            return nobody
        wanted.add(reference)
        return UnknownError()


def outside(happened_us: int, allowed: Bounds) -> RefusedError:
    """Why an event at this instant, which is not within the bounds, is refused."""
    if happened_us > allowed.latest_us:
        return RefusedError(
            Reason.EVENT_TOO_EARLY,
            "timestamp",
            "the timestamp lies more than 5 minutes ahead of the customer's clock; correct the sender's clock",
        )
    return RefusedError(
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
                raise outside(happened_us, allowed)
        if event.properties_json:
            parse_properties(event.properties_json)
    except RefusedError as error:
        return Rejection(index, error.reason, error.field, str(error))
    except EventFieldError as error:
        return Rejection(index, Reason.INVALID_FIELD, error.field, str(error))
    return None
