"""Invoice numbers whatever interleaves and whatever crashes (INV-4)."""

from __future__ import annotations

import asyncio
import random

import pytest

from candela_server.billing.finalize_invoices import finalize_invoice
from candela_server.billing.model import Invoice, InvoiceStatus

from tests.helpers.billing import Books


@pytest.mark.spec("INV-4")
@pytest.mark.parametrize("seed", range(4))
async def test_drafts_finalized_at_once_while_some_crash__are_numbered_without_gaps(
    books: Books, seed: int
) -> None:
    chance = random.Random(seed)
    for index in range(12):
        await books.shop.subscribe(await books.shop.sign_up(f"c{index}"), 1)
    await books.bill()
    made = await books.invoices()
    drafts = [(await books.reissue(one))[1] for one in made]

    async def finalize(draft: Invoice, crash: str) -> None:
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await finalize_invoice(tx, books.events, draft.id, now=books.shop.clock.now())
            if crash == "process":
                raise RuntimeError("the process fails after the number was taken")
            if crash == "database":
                await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    tries = [
        finalize(draft, crash)
        for draft in drafts
        for crash in chance.choices(["", "process", "database"], [4, 2, 1], k=3)
    ]
    chance.shuffle(tries)
    await asyncio.gather(*tries, return_exceptions=True)
    await books.pass_grace()  # what crashed every time

    numbers = [one.number for one in await books.invoices()]
    assert sorted(number or "" for number in numbers) == [f"INV-{n:06d}" for n in range(1, 25)]
    assert not await books.invoices(InvoiceStatus.DRAFT)
