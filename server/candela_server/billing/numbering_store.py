"""Every SQL text over what documents are counted by; nothing here decides.

A count for ever and the counts of years are apart, so that a merchant can go from one to the other and back.
"""

from __future__ import annotations

from typing import Final

from candela_server.merchant.numbering import Series
from candela_server.storage.postgres import Tx

_COUNTERS: Final = {Series.INVOICE: "invoice_counter", Series.CREDIT_NOTE: "credit_note_counter"}


async def take_numbers(tx: Tx, series: Series, year: int | None, count: int) -> range:
    """The next ordinals of a series; whoever else numbers in it waits for this transaction (INV-4)."""
    if year is None:
        counter = _COUNTERS[series]
        last: int = await tx.fetchval(
            f"""
            INSERT INTO {counter} (merchant_id, last_number) VALUES ($1, $2)
            ON CONFLICT (merchant_id) DO UPDATE SET last_number = {counter}.last_number + $2
            RETURNING last_number
            """,
            tx.merchant_id,
            count,
        )
    else:
        last = await tx.fetchval(
            """
            INSERT INTO yearly_counter (merchant_id, series, year, last_number)
            VALUES ($1, $2, $3, $4)
            ON CONFLICT (merchant_id, series, year)
            DO UPDATE SET last_number = yearly_counter.last_number + $4
            RETURNING last_number
            """,
            tx.merchant_id,
            series,
            year,
            count,
        )
    return range(last - count + 1, last + 1)


async def find_last(tx: Tx, series: Series, year: int | None) -> int:
    """The last ordinal of a series, or that behind which it begins; whoever numbers in it meanwhile is not seen."""
    if year is None:
        last: int | None = await tx.fetchval(
            f"SELECT last_number FROM {_COUNTERS[series]} WHERE merchant_id = $1", tx.merchant_id
        )
    else:
        last = await tx.fetchval(
            """
            SELECT last_number FROM yearly_counter
            WHERE merchant_id = $1 AND series = $2 AND year = $3
            """,
            tx.merchant_id,
            series,
            year,
        )
    return last or 0


async def begin_after(tx: Tx, series: Series, year: int | None, ordinal: int) -> int | None:
    """Lets a series that is empty go on behind an ordinal; of one that is not, the last one that was given.

    Nobody numbers in it until this transaction ends.
    """
    last = (await take_numbers(tx, series, year, 0)).stop - 1
    if year is None:
        counter = _COUNTERS[series]
        begun = await tx.execute(
            f"""
            UPDATE {counter} SET last_number = $2, begun_after = $2
            WHERE merchant_id = $1 AND last_number = begun_after
            """,
            tx.merchant_id,
            ordinal,
        )
    else:
        begun = await tx.execute(
            """
            UPDATE yearly_counter SET last_number = $4, begun_after = $4
            WHERE merchant_id = $1 AND series = $2 AND year = $3 AND last_number = begun_after
            """,
            tx.merchant_id,
            series,
            year,
            ordinal,
        )
    return None if begun else last
