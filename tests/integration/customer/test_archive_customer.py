"""Customers leave while others still begin something for them (SUB-6, AUD-1)."""

from __future__ import annotations

import asyncio

import pytest

from candela_server.customer import read as customers
from candela_server.customer.archive_customer import ArchiveCustomer, archive_customer
from candela_server.customer.model import Customer, CustomerArchivedError, CustomerById
from candela_server.subscription import read as subscription
from candela_server.subscription.change import Cancellation, ChangeSubscription, Reactivation
from candela_server.subscription.change_subscription import change_subscription
from candela_server.subscription.check_nothing_runs import StillRunningError, check_nothing_runs
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import Status, Subscription

from tests.helpers.selling import Shop


async def archive(shop: Shop, holder: Customer) -> Customer:
    async with shop.db.writing(shop.merchant_id) as tx:
        command = ArchiveCustomer(customer=CustomerById(holder.id))
        return await archive_customer(tx, shop.clock, check_nothing_runs, command)


async def change(
    shop: Shop, held: Subscription, change: Cancellation | Reactivation
) -> Subscription:
    command = ChangeSubscription(subscription_id=held.id, change=change, timing=MoveTiming.NOW)
    async with shop.db.writing(shop.merchant_id) as tx:
        return (await change_subscription(tx, shop.clock, command)).subscription


async def runs_for_archived(shop: Shop, holder: Customer) -> bool:
    async with shop.db.reading(shop.merchant_id) as tx:
        found = await customers.get_customer(tx, CustomerById(holder.id))
        held = await subscription.list_of_customer(tx, holder.id)
    running = any(one.version.status is not Status.CANCELED for one in held)
    return found.archived_at is not None and running


@pytest.mark.spec("SUB-6")
@pytest.mark.parametrize("turn", range(4))
async def test_beginning_while_the_customer_is_archived__is_refused_or_keeps_them(
    shop: Shop, turn: int
) -> None:
    new, back = await shop.sign_up("new"), await shop.sign_up("back")
    held = await shop.subscribe(back, 1)
    await change(shop, held, Cancellation())
    acts = [
        archive(shop, new),
        shop.subscribe(new, 1),
        archive(shop, back),
        change(shop, held, Reactivation(price_id=None)),
    ]
    if turn % 2:
        acts.reverse()
    got = await asyncio.gather(*acts, return_exceptions=True)

    assert not await runs_for_archived(shop, new)
    assert not await runs_for_archived(shop, back)
    refused = [one for one in got if isinstance(one, BaseException)]
    assert len(refused) == 2
    assert all(isinstance(one, CustomerArchivedError | StillRunningError) for one in refused)


@pytest.mark.spec("SUB-6", "AUD-1")
async def test_archiving_again__changes_nothing(shop: Shop) -> None:
    holder = await shop.sign_up("acme")
    archived = await archive(shop, holder)

    assert archived.archived_at == shop.clock.now()
    assert await archive(shop, holder) == archived
