"""The ledger of credits is held by the database, and compared with invoices by a job (CRD-4)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import asyncpg
import pytest

from candela_server.billing.reconcile_credits import Drift, reconcile_credits
from candela_server.credit import ledger_store as ledger
from candela_server.credit.model import (
    CreditTransaction,
    CreditTransactionId,
    GrantSpentMeanwhileError,
    TransactionKind,
)
from candela_server.kernel.ids import new_id

from tests.helpers.billing import Books
from tests.helpers.crediting import adjust, give, grant_now, revoke
from tests.integration.billing.test_top_ups import order

FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)


async def a_month_of_everything(books: Books) -> None:
    """Plan credit, gifts, money, packs paid and not, draws, expiries, a void invoice and its reissue."""
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    await give(shop, holder, "5", currency="USD")
    gift = await give(shop, holder, "50")
    await adjust(shop, gift.id, "-8")
    await revoke(shop, (await give(shop, holder, "7")).id)
    await books.bill()
    _, pack = await order(books, holder, "10", "2")
    await books.pay(pack)
    await order(books, holder, "10", "2")
    await books.use(holder, "155")
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()
    usage = next(
        one
        for one in await books.invoices()
        if any(line.metric_id for line in one.lines) and one.subscription_id
    )
    await books.reissue(usage)
    await books.pass_grace()


@pytest.mark.spec("CRD-4", "CRD-7", "CRD-8")
async def test_ledger_of_a_busy_month__has_no_difference(books: Books) -> None:
    await a_month_of_everything(books)

    assert await reconcile_credits(books.shop.db, books.shop.merchant_id) == []


@pytest.mark.spec("CRD-4")
async def test_draw_that_no_line_shows__is_reported(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    gift = await give(books.shop, holder, "50")
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        await ledger.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=gift.id,
                    kind=TransactionKind.DRAW,
                    amount=Decimal(-3),
                    invoice_line_id="line_lost",
                    reason="",
                    at=books.shop.clock.now(),
                )
            ],
        )

    [got] = await reconcile_credits(books.shop.db, books.shop.merchant_id)

    assert (got.drift, got.grant_id, got.line_id) == (Drift.DRAWN_OTHERWISE, gift.id, "line_lost")
    assert (got.want, got.got) == (0, -3)


@pytest.mark.spec("CRD-4")
async def test_more_than_there_is__is_refused_by_the_database(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    gift = await give(books.shop, holder, "50")

    with pytest.raises(GrantSpentMeanwhileError):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await ledger.insert_transactions(
                tx,
                [
                    CreditTransaction(
                        id=CreditTransactionId(new_id("ctx")),
                        grant_id=gift.id,
                        kind=TransactionKind.ADJUST,
                        amount=Decimal(-51),
                        invoice_line_id=None,
                        reason="too much",
                        at=books.shop.clock.now(),
                    )
                ],
            )

    assert (await grant_now(books.shop, gift.id)).balance == 50


@pytest.mark.spec("CRD-4")
@pytest.mark.parametrize("table", ["credit_grant", "credit_transaction"])
@pytest.mark.parametrize("change", ["UPDATE {} SET reason = 'x'", "DELETE FROM {}"])
async def test_history__never_changes_whoever_tries(
    books: Books, postgres_dsn: str, table: str, change: str
) -> None:
    holder = await books.shop.sign_up("acme")
    await give(books.shop, holder, "50")
    owner = await asyncpg.connect(postgres_dsn)
    try:
        await owner.execute(
            "SELECT set_config('candela.merchant_id', $1, false)", books.shop.merchant_id
        )
        await owner.execute("SET ROLE candela_app")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(
                change.format(table) + " WHERE merchant_id = $1", books.shop.merchant_id
            )
        await owner.execute("RESET ROLE")
        with pytest.raises(asyncpg.RaiseError, match="is history and never changes"):
            await owner.execute(
                change.format(table) + " WHERE merchant_id = $1", books.shop.merchant_id
            )
    finally:
        await owner.close()
