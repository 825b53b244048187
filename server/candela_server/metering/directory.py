"""Who and what events may name: customers, users and metrics of each merchant, kept in this process.

Data plane. A merchant's book is dropped whole when anything of the merchant's customers changes and after a minute
at most; what it does not hold is read at once, for all unknowns of a batch in one transaction, so that a customer
created a moment ago is never refused. Metrics need no such bound: each flush compares the version it knows with the
one in the database, in its own transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

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
_MAX_ENTRIES: Final = 200_000
"""Customers and users in one book, some 100 MB at worst; a fuller one starts afresh."""


class KnownCustomer:
    """A customer as ingestion needs it: its id, ready for COPY, and which clock it lives on."""

    __slots__ = ("archived", "field", "id", "test_clock_id")

    def __init__(self, customer: Customer) -> None:
        self.id: str = customer.id
        self.field = copy_binary.text_field(customer.id)
        self.archived = customer.archived_at is not None
        self.test_clock_id = customer.test_clock_id


class KnownUser:
    """A user as ingestion needs it: its id, ready for COPY, and its customer."""

    __slots__ = ("archived", "customer", "field", "id")

    def __init__(self, user: User, of: KnownCustomer) -> None:
        self.id: str = user.id
        self.field = copy_binary.text_field(user.id)
        self.archived = user.archived_at is not None
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
    """What is known of one merchant. Replaced, never emptied: who still reads an old one reads a whole one."""

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


class Directory:
    """The books of all merchants that this process hears of."""

    def __init__(self, db: Postgres, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._books: dict[str, Book] = {}

    def forget(self, merchant_id: str) -> None:
        """Drops a merchant's book, because something in it has changed."""
        self._books.pop(merchant_id, None)

    def forget_all(self) -> None:
        """Drops every book, because something may have been missed."""
        self._books.clear()

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
        async with self._db.reading(merchant_id) as tx:
            settings = (await merchant.get_merchant(tx)).settings
            version, readings = await _read_metrics(tx)
        book = Book(
            merchant_id=merchant_id,
            lateness=settings.event_lateness,
            dedupe_window=settings.event_dedupe_window,
            unknown_policy=settings.unknown_customer_policy,
            name_policy=settings.unmatched_name_policy,
            metric_version=version,
            readings=readings,
            made_at_s=now_s,
        )
        self._books[merchant_id] = book
        return book

    async def read_metrics_again(self, merchant_id: str) -> None:
        """Brings the metrics of a merchant's book up to date."""
        book = await self.book(merchant_id)
        async with self._db.reading(merchant_id) as tx:
            version, readings = await _read_metrics(tx)
        if version >= book.metric_version:
            book.metric_version, book.readings = version, readings

    async def look_up(self, book: Book, wanted: Wanted) -> dict[TestClockId, int]:
        """Reads what is wanted into the book; answers the present of the wanted test clocks in microseconds."""
        clocks: dict[TestClockId, int] = {}
        async with self._db.reading(book.merchant_id) as tx:
            users = await _users(tx, wanted)
            wanted.customer_ids.update(
                user.customer_id for user in users if user.customer_id not in book.customers
            )
            if wanted.customer_ids:
                ids = [CustomerId(one) for one in wanted.customer_ids]
                _keep(book, (await customer.get_customers(tx, ids)).values())
            if wanted.external_customer_ids:
                _keep(
                    book,
                    await customer.get_customers_by_external_id(
                        tx, list(wanted.external_customer_ids)
                    ),
                )
            for user in users:
                known = KnownUser(user, book.customers[user.customer_id])
                book.users[user.id] = known
                if user.external_id is not None:
                    book.external_users[user.external_id] = known
            for clock_id in wanted.test_clock_ids:
                clock = await merchant.clock_for(tx, self._clock, clock_id)
                clocks[clock_id] = to_microseconds(clock.now())
        return clocks


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


def _keep(book: Book, customers: Iterable[Customer]) -> None:
    for found in customers:
        known = book.customers.get(found.id) or KnownCustomer(found)
        book.customers[found.id] = known
        if found.external_id is not None:
            book.external_customers[found.external_id] = known
