"""Gives documents their numbers, without gaps, and lets a series begin where another system's ended (INV-4)."""

from __future__ import annotations

from datetime import datetime

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.model import Merchant
from candela_server.merchant.numbering import Series
from candela_server.storage.postgres import Tx

from . import numbering_store
from .rules.numbering import counted_year, document_numbers


async def number_documents(
    tx: Tx, seller: Merchant, series: Series, count: int, *, at: datetime
) -> list[str]:
    """The next numbers of a series, of the year of `at` if it begins again with each.

    Whoever else numbers in it waits for this transaction, so it should be nearly done. What is only rehearsed takes no
    number, and waits for nobody: it gets names that nothing else has.
    """
    if tx.rehearsal:
        return [new_id("rehearsal") for _ in range(count)]
    year = counted_year(seller, series, at)
    ordinals = await numbering_store.take_numbers(tx, series, year, count)
    return document_numbers(seller, series, year, ordinals)


async def next_numbers(clock: Clock, tx: Tx, seller: Merchant) -> dict[Series, int]:
    """What the next document of each series is counted as, if it is made now."""
    now = (await merchant.clock_for(tx, clock, seller.test_clock_id)).now()
    return {
        series: await numbering_store.find_last(tx, series, counted_year(seller, series, now)) + 1
        for series in Series
    }


async def start_numbering(
    clock: Clock, tx: Tx, seller: Merchant, series: Series, next_number: int
) -> None:
    """Counts the next document of a series that is still empty as `next_number`; of the current year where each has a
    count of its own.

    Raises InvalidInput when documents were counted, for the next one would leave a gap behind them.
    """
    own_clock = await merchant.clock_for(tx, clock, seller.test_clock_id)
    year = counted_year(seller, series, own_clock.now())
    last = await numbering_store.begin_after(tx, series, year, next_number - 1)
    if last not in (None, next_number - 1):
        [number] = document_numbers(seller, series, year, [last])
        raise InvalidInput(
            f"must be {last + 1}, not {next_number}: {number} was the last one, and numbers have no gaps; a series can "
            "be begun elsewhere only while it is empty",
            field=f"settings.{series}_numbering.next_number",
        )
