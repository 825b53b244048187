"""What ingestion remembers of people: read once for all who ask, and forgotten one customer at a time (EVT-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.clock import FixedClock
from candela_server.metering.directory import Directory, Wanted
from candela_server.storage.postgres import Postgres, Tx

from tests.conftest import TestMerchant
from tests.helpers.selling import Shop


class WatchedPostgres(Postgres):
    """The same database; it counts who reads, and tells before a reading ends."""

    readings = 0
    happenings: tuple[Callable[[], None], ...] = ()

    @asynccontextmanager
    async def reading(self, merchant_id: str) -> AsyncIterator[Tx]:
        self.readings += 1
        async with super().reading(merchant_id) as tx:
            yield tx
            self.before_the_end()

    def before_the_end(self) -> None:
        """Does what a test wants to happen while something is read."""
        happening, self.happenings = self.happenings[:1], self.happenings[1:]
        for happens in happening:
            happens()


@pytest.fixture
async def shop(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Shop:
    return Shop(db, clock, merchant.id)


@pytest.fixture
async def watched(shop: Shop) -> AsyncIterator[WatchedPostgres]:
    opened = WatchedPostgres(shop.db.url, shop.clock)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def directory(watched: WatchedPostgres, shop: Shop) -> Directory:
    return Directory(watched, shop.clock)


async def signed_up(shop: Shop, name: str) -> Customer:
    """A customer with one user."""
    customer = await shop.sign_up(name)
    async with shop.db.writing(shop.merchant_id) as tx:
        await create_user(
            tx,
            shop.clock,
            CreateUser(
                customer=CustomerById(customer.id),
                external_id=f"user-of-{name}",
                name="Ada",
                email=None,
            ),
        )
    return customer


def users(*names: str) -> Wanted:
    return Wanted(external_user_ids={f"user-of-{name}" for name in names})


@pytest.mark.spec("EVT-2")
async def test_many_callers_at_once__are_one_reading(
    shop: Shop, directory: Directory, watched: WatchedPostgres
) -> None:
    await signed_up(shop, "acme")

    books = await asyncio.gather(*[directory.book(shop.merchant_id) for _ in range(50)])
    assert watched.readings == 1
    await asyncio.gather(*[directory.look_up(one, users("acme")) for one in books])

    assert len(set(map(id, books))) == 1
    assert watched.readings == 2
    assert "user-of-acme" in books[0].external_users


@pytest.mark.spec("EVT-2", "ENT-9")
async def test_one_customer_changes__the_rest_of_the_book_stays(
    shop: Shop, directory: Directory, watched: WatchedPostgres
) -> None:
    acme, _ = await signed_up(shop, "acme"), await signed_up(shop, "initech")
    book = await directory.book(shop.merchant_id)
    await directory.look_up(book, users("acme", "initech"))
    readings = watched.readings

    directory.forget(shop.merchant_id, acme.id)

    assert await directory.book(shop.merchant_id) is book
    await directory.look_up(book, users("initech"))
    assert watched.readings == readings
    assert not {"user-of-acme"} & book.external_users.keys()
    assert acme.id not in book.customers
    await directory.look_up(book, users("acme"))
    assert book.external_users["user-of-acme"].customer is book.customers[acme.id]
    # What changes all is what settings and metrics come with.
    directory.forget(shop.merchant_id)
    assert await directory.book(shop.merchant_id) is not book


@pytest.mark.spec("EVT-2")
async def test_customer_that_changes_while_it_is_looked_up__is_read_again(
    shop: Shop, directory: Directory, watched: WatchedPostgres
) -> None:
    acme = await signed_up(shop, "acme")
    book = await directory.book(shop.merchant_id)
    readings = watched.readings
    watched.happenings = (lambda: directory.forget(shop.merchant_id, acme.id),)

    await directory.look_up(book, users("acme"))

    assert watched.readings == readings + 2
    assert acme.id in book.customers


@pytest.mark.spec("EVT-2")
async def test_customer_that_changes_all_the_time__is_known_to_this_batch_and_to_no_later_one(
    shop: Shop, directory: Directory, watched: WatchedPostgres
) -> None:
    acme = await signed_up(shop, "acme")
    book = await directory.book(shop.merchant_id)
    watched.happenings = (lambda: directory.forget(shop.merchant_id, acme.id),) * 10

    await directory.look_up(book, users("acme"))

    assert acme.id in book.customers
    watched.happenings = ()
    assert acme.id not in (await directory.book(shop.merchant_id)).customers


@pytest.mark.spec("EVT-2")
async def test_settings_change_while_a_book_is_read__it_is_kept_for_nobody(
    shop: Shop, directory: Directory, watched: WatchedPostgres
) -> None:
    watched.happenings = (lambda: directory.forget(shop.merchant_id),)

    old = await directory.book(shop.merchant_id)

    assert await directory.book(shop.merchant_id) is not old
