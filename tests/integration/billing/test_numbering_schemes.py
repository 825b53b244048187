"""How a merchant's documents are counted: digits, years, and where a series begins (INV-4)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from candela_server.billing.credit_note import Purpose
from candela_server.billing.number_documents import next_numbers, start_numbering
from candela_server.kernel.errors import InvalidInput
from candela_server.merchant import read as merchant
from candela_server.merchant import store as merchant_store
from candela_server.merchant.numbering import NumberingChange, NumberingReset, Series
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant

from tests.helpers.billing import Books

BEFORE_NEW_YEAR = datetime(2026, 12, 31, 18, 0, tzinfo=UTC)
AFTER_NEW_YEAR = datetime(2026, 12, 31, 18, 20, tzinfo=UTC)
"""23:45 and 00:05 in Kathmandu, while it is the same day in London and in New York."""

YEARLY = NumberingChange(reset=NumberingReset.YEARLY)


async def count(books: Books, change: SettingsChange, time_zone: str | None = None) -> None:
    async def no_problem(*_: object) -> None:
        return None

    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        await update_merchant(
            tx,
            no_problem,
            UpdateMerchant(name=None, time_zone=time_zone, settings=change, expected_version=None),
        )


async def begin(books: Books, series: Series, number: int) -> None:
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        seller = await merchant.get_merchant(tx)
        await start_numbering(books.shop.clock, tx, seller, series, number)


async def sell(books: Books, *names: str) -> list[str | None]:
    """Each takes the plan now; the numbers of all invoices there are, oldest first."""
    for name in names:
        await books.shop.subscribe(await books.shop.sign_up(name), 1)
    await books.bill()
    return [one.number for one in await books.invoices()]


@pytest.mark.spec("INV-4")
async def test_years_of_the_merchants_zone__begin_again_at_one_and_the_count_for_ever_is_kept(
    books: Books,
) -> None:
    await sell(books, "a")
    await count(books, SettingsChange(invoice_numbering=YEARLY), "Asia/Kathmandu")
    books.shop.clock.advance(BEFORE_NEW_YEAR)
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        await tx.execute("DELETE FROM component_schedule WHERE merchant_id = $1", tx.merchant_id)
    await sell(books, "b", "c")
    books.shop.clock.advance(AFTER_NEW_YEAR)
    await sell(books, "d")
    await count(
        books,
        SettingsChange(
            invoice_numbering=NumberingChange(digits=10, reset=NumberingReset.NEVER),
            invoice_number_prefix="",
        ),
    )

    assert await sell(books, "e") == [
        "INV-000001",
        "INV-2026-000001",
        "INV-2026-000002",
        "INV-2027-000001",
        "0000000002",
    ]


@pytest.mark.spec("INV-4", "INV-6")
async def test_credit_notes__are_counted_by_a_scheme_of_their_own(books: Books) -> None:
    await begin(books, Series.CREDIT_NOTE, 77)
    await sell(books, "a", "b", "c")
    [first, second, third] = await books.invoices()
    made = [await books.credit(first, Purpose.REDUCE_DUE)]
    await count(
        books,
        SettingsChange(
            credit_note_numbering=NumberingChange(digits=3, reset=NumberingReset.YEARLY)
        ),
    )
    made.append(await books.credit(second, Purpose.REDUCE_DUE))
    made.append(await books.credit(third, Purpose.REDUCE_DUE))

    assert [one.number for one in made] == ["CN-000077", "CN-2026-001", "CN-2026-002"]
    assert third.number == "INV-000003"


@pytest.mark.spec("INV-4")
async def test_series_that_is_still_empty__begins_where_another_system_ended(books: Books) -> None:
    await begin(books, Series.INVOICE, 4711)
    await begin(books, Series.INVOICE, 815)  # until the first one is counted it can be mended
    numbers = await sell(books, "a", "b")
    await begin(books, Series.INVOICE, 817)  # the next one anyway
    with pytest.raises(InvalidInput) as ahead:
        await begin(books, Series.INVOICE, 818)
    with pytest.raises(InvalidInput) as again:
        await begin(books, Series.INVOICE, 816)

    assert numbers == ["INV-000815", "INV-000816"]
    for refused in (ahead, again):
        [violation] = refused.value.violations
        assert violation.field == "settings.invoice_numbering.next_number"
        assert "INV-000816" in violation.description


@pytest.mark.spec("INV-4")
async def test_year_of_a_yearly_series__begins_elsewhere_and_the_next_year_at_one(
    books: Books,
) -> None:
    await count(books, SettingsChange(invoice_numbering=YEARLY))
    await begin(books, Series.INVOICE, 500)
    await sell(books, "a")
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        await tx.execute("DELETE FROM component_schedule WHERE merchant_id = $1", tx.merchant_id)
    books.shop.clock.advance(datetime(2027, 1, 1, tzinfo=UTC))

    assert await sell(books, "b") == ["INV-2026-000500", "INV-2027-000001"]


@pytest.mark.spec("INV-4")
async def test_start_while_documents_are_counted__comes_before_all_of_them_or_is_refused(
    books: Books,
) -> None:
    for index in range(6):
        await books.shop.subscribe(await books.shop.sign_up(f"c{index}"), 1)
    got = await asyncio.gather(
        books.bill(), begin(books, Series.INVOICE, 1000), books.bill(), return_exceptions=True
    )
    first = 1 if isinstance(got[1], InvalidInput) else 1000

    assert got[0] is got[2] is None
    numbers = sorted(one.number or "" for one in await books.invoices())
    assert numbers == [f"INV-{first + index:06d}" for index in range(6)]


@pytest.mark.spec("INV-4")
async def test_merchant_from_before_there_were_schemes__counts_as_ever(books: Books) -> None:
    async with books.shop.db.writing(books.shop.merchant_id) as tx:
        await tx.execute(
            """
            UPDATE merchant SET settings = settings - '{invoice_numbering,credit_note_numbering,
                                                        payment_terms_days,proration}'::text[]
            WHERE merchant_id = $1
            """,
            tx.merchant_id,
        )
        found = await merchant_store.find_merchant(tx)

    assert found is not None
    assert await sell(books, "a") == ["INV-000001"]


@pytest.mark.spec("INV-4")
async def test_next_number__is_read_as_it_will_be_given(books: Books) -> None:
    async def upcoming() -> tuple[int, int]:
        async with books.shop.db.reading(books.shop.merchant_id) as tx:
            found = await next_numbers(books.shop.clock, tx, await merchant.get_merchant(tx))
        return found[Series.INVOICE], found[Series.CREDIT_NOTE]

    at_first = await upcoming()
    await begin(books, Series.INVOICE, 4711)
    begun = await upcoming()
    await sell(books, "a", "b")
    sold = await upcoming()
    await begin(books, Series.INVOICE, 4713)
    await count(books, SettingsChange(invoice_numbering=YEARLY), "Asia/Kathmandu")
    this_year = await upcoming()

    assert (at_first, begun, sold, this_year) == ((1, 1), (4711, 1), (4713, 1), (1, 1))
