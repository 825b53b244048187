"""Previews make what they show and undo it; nobody who makes an invoice waits for one (INV-4, SUB-6).

Who waited would be refused after the ten seconds in which a lock is given up.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing.credit_note import Purpose
from candela_server.billing.preview_change import preview_change, preview_creation
from candela_server.subscription.change import (
    Cancellation,
    Change,
    ChangeSubscription,
    QuantityChange,
)
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.billing import Books
from tests.helpers.commands import taking


def command(held: Subscription, change: Change) -> ChangeSubscription:
    return ChangeSubscription(
        subscription_id=held.id,
        change=change,
        timing=MoveTiming.NOW,
        proration=Proration.INVOICE_NOW,
    )


@pytest.mark.spec("INV-4", "SUB-6")
async def test_preview_in_progress__holds_up_no_invoice_and_takes_no_number(books: Books) -> None:
    shop = books.shop
    held = await shop.subscribe(await shop.sign_up("looks"), 1)
    await books.bill()
    async with shop.db.reading(shop.merchant_id) as tx:
        [seats] = [*held.version.quantities]
    await shop.subscribe(await shop.sign_up("buys"), 1)
    async with shop.db.rehearsing(shop.merchant_id) as tx:
        more = command(held, QuantityChange(quantities={seats: Decimal(5)}))
        seen = await preview_change(tx, books.events, shop.clock, more)
        await books.bill()
        during = [one.number for one in await books.invoices()]
    await shop.subscribe(await shop.sign_up("comes later"), 1)
    await books.bill()

    assert [(one.number, one.amount_due) for one in seen.invoices] == [(None, Decimal(120))]
    assert during == ["INV-000001", "INV-000002"]
    assert [one.number for one in await books.invoices()] == [*during, "INV-000003"]


@pytest.mark.spec("INV-4", "INV-6", "SUB-6")
async def test_preview_that_gives_back__holds_up_no_credit_note(books: Books) -> None:
    shop = books.shop
    held = await shop.subscribe(await shop.sign_up("leaves"), 1)
    await shop.subscribe(await shop.sign_up("complains"), 1)
    await books.bill()
    [first, second] = await books.invoices()
    await books.pay(first if first.customer_id == held.customer_id else second)
    complained = second if first.customer_id == held.customer_id else first
    async with shop.db.rehearsing(shop.merchant_id) as tx:
        seen = await preview_change(tx, books.events, shop.clock, command(held, Cancellation()))
        note = await books.credit(complained, Purpose.REDUCE_DUE)

    assert [one.number for one in seen.credit_notes] == [""]
    assert note.number == "CN-000001"
    assert [one.number for one in await books.notes()] == ["CN-000001"]


@pytest.mark.spec("INV-4", "SUB-6")
async def test_two_previews_at_once__wait_for_nobody(books: Books) -> None:
    shop = books.shop
    wanted = [
        taking((await shop.sign_up(name)).id, "team", seats=Decimal(2)) for name in ("one", "two")
    ]
    async with (
        shop.db.rehearsing(shop.merchant_id) as first,
        shop.db.rehearsing(shop.merchant_id) as second,
    ):
        shown = [
            await preview_creation(tx, books.events, shop.clock, one)
            for tx, one in zip((first, second), wanted, strict=True)
        ]

    assert [[one.amount_due for one in preview.invoices] for preview in shown] == [
        [Decimal(60)]
    ] * 2
    assert await books.invoices() == []
