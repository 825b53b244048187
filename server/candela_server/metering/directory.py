"""Who and what events may name: customers, users and metrics of each merchant, kept in this process.

Data plane. A merchant's book is dropped whole when its settings or its catalog change and after a minute at most, and
a customer is struck out of it, with its users, when anything of that customer changes: each reservation and each credit
is such a change. What a book does not hold is read at once, for all unknowns of a batch in one transaction, so that a
customer created a moment ago is never refused; whoever else needs the same meanwhile waits for that reading. Metrics
need no such bound: each flush compares the version it knows with the one in the database, in its own transaction.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, NamedTuple

from candela_server.catalog import read as catalog
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerId, User, UserId
from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId, UnknownEventPolicy, UnmatchedNamePolicy
from candela_server.storage import copy_binary
from candela_server.storage.postgres import Postgres, Tx

from . import store
from .rules.bucket import to_microseconds
from .rules.metric_reading import Readings, read_metrics

_BOOK_LIFE_S: Final = 60.0
_TRIES: Final = 3
_MAX_ENTRIES: Final = 200_000
"""Customers and users in one book, some 100 MB at worst; a fuller one starts afresh."""


class KnownCustomer:
    """A customer as ingestion needs it: its id, ready for COPY, and which clock it lives on."""

    __slots__ = ("archived", "external_id", "field", "id", "test_clock_id", "users")

    def __init__(self, customer: Customer) -> None:
        self.external_id = customer.external_id
        # Those that are in the same book.
        self.users: list[KnownUser] = []
        self.id: str = customer.id
        self.field = copy_binary.text_field(customer.id)
        self.archived = customer.archived_at is not None
        self.test_clock_id = customer.test_clock_id


class KnownUser:
    """A user as ingestion needs it: its id, ready for COPY, and its customer."""

    __slots__ = ("archived", "customer", "external_id", "field", "id")

    def __init__(self, user: User, of: KnownCustomer) -> None:
        self.id: str = user.id
        self.field = copy_binary.text_field(user.id)
        self.archived = user.archived_at is not None
        self.external_id = user.external_id
        self.customer = of


@dataclass(slots=True)
class Wanted:
    """What a batch names and the book does not hold."""

    customer_ids: set[str] = field(default_factory=set)
    external_customer_ids: set[str] = field(default_factory=set)
    user_ids: set[str] = field(default_factory=set)
    external_user_ids: set[str] = field(default_factory=set)
    test_clock_ids: set[TestClockId] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(
            self.customer_ids
            or self.external_customer_ids
            or self.user_ids
            or self.external_user_ids
            or self.test_clock_ids
        )


@dataclass(slots=True, kw_only=True)
class Book:
    """What is known of one merchant. Replaced, never emptied: who still reads an old one reads a whole one.

    `struck` are the customers that changed while a look-up goes on, which may have read what was before; None while
    none does.
    """

    merchant_id: str
    lateness: timedelta
    dedupe_window: timedelta
    unknown_policy: UnknownEventPolicy
    name_policy: UnmatchedNamePolicy
    metric_version: int
    readings: Readings
    made_at_s: float
    customers: dict[str, KnownCustomer] = field(default_factory=dict)
    external_customers: dict[str, KnownCustomer] = field(default_factory=dict)
    users: dict[str, KnownUser] = field(default_factory=dict)
    external_users: dict[str, KnownUser] = field(default_factory=dict)
    looking_up: asyncio.Lock = field(default_factory=asyncio.Lock)
    struck: set[str] | None = None

    def strike(self, customer_id: str) -> None:
        """Forgets a customer and its users."""
        if self.struck is not None:
            self.struck.add(customer_id)
        known = self.customers.pop(customer_id, None)
        if known is None:
            return
        if known.external_id is not None:
            self.external_customers.pop(known.external_id, None)
        for user in known.users:
            self.users.pop(user.id, None)
            if user.external_id is not None:
                self.external_users.pop(user.external_id, None)

    def keep(self, found: Customer) -> None:
        """Notes a customer."""
        known = self.customers.setdefault(found.id, KnownCustomer(found))
        if found.external_id is not None:
            self.external_customers[found.external_id] = known

    def keep_user(self, found: User) -> None:
        """Notes a user of a customer that is in the book."""
        known = KnownUser(found, self.customers[found.customer_id])
        known.customer.users.append(known)
        self.users[found.id] = known
        if found.external_id is not None:
            self.external_users[found.external_id] = known

    def lacks(self, wanted: Wanted) -> bool:
        """Whether anything of what is wanted is not in the book; test clocks never are."""
        return bool(
            wanted.test_clock_ids
            or wanted.customer_ids - self.customers.keys()
            or wanted.external_customer_ids - self.external_customers.keys()
            or wanted.user_ids - self.users.keys()
            or wanted.external_user_ids - self.external_users.keys()
        )


class Directory:
    """The books of all merchants that this process hears of."""

    def __init__(self, db: Postgres, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._books: dict[str, Book] = {}
        self._making: dict[str, asyncio.Task[Book]] = {}

    def forget(self, merchant_id: str, customer_id: str | None = None) -> None:
        """Drops what has changed: one customer in a merchant's book, or the whole book."""
        if customer_id is None:
            self._books.pop(merchant_id, None)
            # Whoever asks from now on must not get what began to be read before.
            self._making.pop(merchant_id, None)
        elif (book := self._books.get(merchant_id)) is not None:
            book.strike(customer_id)

    def forget_all(self) -> None:
        """Drops every book, because something may have been missed."""
        self._books.clear()
        self._making.clear()

    async def book(self, merchant_id: str) -> Book:
        """The merchant's book, read now if there is none or it is old."""
        book = self._books.get(merchant_id)
        now_s = asyncio.get_running_loop().time()
        if (
            book is not None
            and now_s - book.made_at_s < _BOOK_LIFE_S
            and len(book.customers) + len(book.users) < _MAX_ENTRIES
        ):
            return book
        making = self._making.get(merchant_id)
        if making is None:
            making = self._making[merchant_id] = asyncio.create_task(self._make(merchant_id, now_s))
            making.add_done_callback(_look_at)
        # Shielded: a caller who gives up must not take the others' reading along.
        return await asyncio.shield(making)

    async def _make(self, merchant_id: str, now_s: float) -> Book:
        """Reads a book, and keeps it unless something has changed meanwhile."""
        own = asyncio.current_task()
        try:
            book = await self._read(merchant_id, now_s)
            if self._making.get(merchant_id) is own:
                self._books[merchant_id] = book
        finally:
            if self._making.get(merchant_id) is own:
                del self._making[merchant_id]
        return book

    async def _read(self, merchant_id: str, now_s: float) -> Book:
        async with self._db.reading(merchant_id) as tx:
            settings = (await merchant.get_merchant(tx)).settings
            version, readings = await _read_metrics(tx)
        return Book(
            merchant_id=merchant_id,
            lateness=settings.event_lateness,
            dedupe_window=settings.event_dedupe_window,
            unknown_policy=settings.unknown_customer_policy,
            name_policy=settings.unmatched_name_policy,
            metric_version=version,
            readings=readings,
            made_at_s=now_s,
        )

    async def read_metrics_again(self, merchant_id: str) -> None:
        """Brings the metrics of a merchant's book up to date."""
        book = await self.book(merchant_id)
        async with self._db.reading(merchant_id) as tx:
            version, readings = await _read_metrics(tx)
        if version >= book.metric_version:
            book.metric_version, book.readings = version, readings

    async def look_up(self, book: Book, wanted: Wanted) -> dict[TestClockId, int]:
        """Reads what is wanted into the book; answers the present of the wanted test clocks in microseconds."""
        async with book.looking_up:
            for _ in range(_TRIES):
                # Those before may have looked up the same.
                if not book.lacks(wanted):
                    return {}
                struck: set[str] = set()
                book.struck = struck
                try:
                    found = await self._find(book, wanted)
                finally:
                    book.struck = None
                if struck.isdisjoint(found.customer_ids):
                    break
            else:
                # Something of them changes all the time: this batch goes on with what it has, and no other does.
                if self._books.get(book.merchant_id) is book:
                    del self._books[book.merchant_id]
            for one in found.customers:
                book.keep(one)
            for user in found.users:
                if user.customer_id in book.customers:
                    book.keep_user(user)
            return found.clocks

    async def _find(self, book: Book, wanted: Wanted) -> _Found:
        clocks: dict[TestClockId, int] = {}
        async with self._db.reading(book.merchant_id) as tx:
            users = await _users(tx, wanted)
            ids = wanted.customer_ids | {user.customer_id for user in users}
            # Of users, too, who are known already: what is known may be struck out before the users are noted.
            customers = list(
                (await customer.get_customers(tx, [CustomerId(one) for one in ids])).values()
                if ids
                else ()
            )
            if wanted.external_customer_ids:
                customers += await customer.get_customers_by_external_id(
                    tx, list(wanted.external_customer_ids)
                )
            for clock_id in wanted.test_clock_ids:
                clock = await merchant.clock_for(tx, self._clock, clock_id)
                clocks[clock_id] = to_microseconds(clock.now())
        return _Found(customers, users, clocks)


class _Found(NamedTuple):
    """What one look-up found."""

    customers: list[Customer]
    users: list[User]
    clocks: dict[TestClockId, int]

    @property
    def customer_ids(self) -> set[str]:
        """Of whom it says something."""
        return {one.id for one in self.customers}


def _look_at(task: asyncio.Task[Book]) -> None:
    """So that a failure of which nobody waits to hear any more is no unhandled one."""
    if not task.cancelled():
        task.exception()


async def _read_metrics(tx: Tx) -> tuple[int, Readings]:
    # The version first: metrics that are newer than it only cause one more reading.
    version = await store.get_metric_version(tx)
    return version, read_metrics(await catalog.list_metrics(tx))


async def _users(tx: Tx, wanted: Wanted) -> list[User]:
    if not wanted.user_ids and not wanted.external_user_ids:
        return []
    return await customer.get_users_by_any_id(
        tx, [UserId(one) for one in wanted.user_ids], list(wanted.external_user_ids)
    )
