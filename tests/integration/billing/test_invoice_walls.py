"""The database itself keeps the lines of finalized invoices, however many a statement writes (INV-6)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.helpers.billing import Books

_NEXT_MONTH = datetime(2026, 2, 28, 15, tzinfo=UTC)


@pytest.mark.spec("INV-2", "INV-6")
async def test_line_more_for_a_finalized_invoice__is_refused_by_the_database(books: Books) -> None:
    await books.shop.subscribe(await books.shop.sign_up("acme"), 2)
    await books.bill()
    [invoice] = await books.invoices()

    with pytest.raises(Exception, match=f"{invoice.id} is finalized and gets no more lines"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(
                """
                INSERT INTO invoice_line
                SELECT (jsonb_populate_record(l, '{"id": "line_more", "kind": "adjustment"}')).*
                FROM invoice_line l WHERE merchant_id = $1 AND invoice_id = $2
                """,
                books.shop.merchant_id,
                invoice.id,
            )


@pytest.mark.spec("INV-2", "INV-6")
async def test_lines_deleted_of_drafts_and_of_one_finalized_invoice__all_stay(books: Books) -> None:
    await books.shop.subscribe(await books.shop.sign_up("acme"), 2)
    await books.bill()
    await books.bill_at(_NEXT_MONTH)
    [final, draft] = await books.invoices()
    assert draft.number is None

    with pytest.raises(Exception, match=f"{final.id} is finalized and its lines never change"):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await tx.execute(
                "DELETE FROM invoice_line WHERE merchant_id = $1", books.shop.merchant_id
            )
    assert [one.lines for one in await books.invoices()] == [final.lines, draft.lines]
