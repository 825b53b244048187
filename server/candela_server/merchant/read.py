"""What others may ask about the merchant and its time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from candela_server.kernel.clock import Clock, FixedClock
from candela_server.storage.postgres import Tx

from . import store
from .model import (
    ApiKey,
    Merchant,
    MerchantNotFoundError,
    TestClock,
    TestClockArchivedError,
    TestClockId,
    TestClockNotFoundError,
)


async def get_merchant(tx: Tx, *, lock: bool = False) -> Merchant:
    """The transaction's own merchant; locked until commit when asked. Raises MerchantNotFoundError."""
    merchant = await store.find_merchant(tx, lock=lock)
    if merchant is None:
        raise MerchantNotFoundError(tx.merchant_id)
    return merchant


async def list_merchants(tx: Tx) -> list[Merchant]:
    """All merchants, oldest first; only in a system transaction."""
    return await store.list_merchants(tx)


async def longest_dedupe_window(tx: Tx) -> timedelta | None:
    """The longest dedupe window in force, None without merchants; only in a system transaction (EVT-2)."""
    return await store.longest_dedupe_window(tx)


async def get_test_clock(tx: Tx, clock_id: TestClockId, *, lock: bool = False) -> TestClock:
    """The test clock; locked until commit when asked. Raises TestClockNotFoundError."""
    found = await store.find_test_clock(tx, clock_id, lock=lock)
    if found is None:
        raise TestClockNotFoundError(clock_id)
    return found


async def get_test_clock_in_use(tx: Tx, clock_id: TestClockId, *, lock: bool = False) -> TestClock:
    """A test clock that somebody can be put on or that can move. Raises TestClockNotFoundError and
    TestClockArchivedError."""
    found = await get_test_clock(tx, clock_id, lock=lock)
    if found.archived_at is not None:
        raise TestClockArchivedError(clock_id, found.archived_at)
    return found


async def clock_for(tx: Tx, clock: Clock, test_clock_id: TestClockId | None) -> Clock:
    """The time that counts for somebody on this test clock, or the given one for nobody's (OPS-2)."""
    if test_clock_id is None:
        return clock
    return FixedClock((await get_test_clock(tx, test_clock_id)).now_at)


async def merchant_clock(tx: Tx, clock: Clock) -> Clock:
    """The time of the merchant as a whole: that of the test clock it stands on, or the given one (OPS-2)."""
    return await clock_for(tx, clock, (await get_merchant(tx)).test_clock_id)


async def get_test_clocks(tx: Tx, ids: Collection[TestClockId]) -> dict[TestClockId, TestClock]:
    """The test clocks with these ids; unknown ids are left out."""
    if not ids:
        return {}
    return {found.id: found for found in await store.list_test_clocks_by_id(tx, sorted(ids))}


async def list_test_clocks(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[TestClock]:
    """One page of the clocks in use by (created_at, id)."""
    return await store.list_test_clocks(tx, limit=limit, after=after)


async def list_api_keys(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[ApiKey]:
    """One page of keys, revoked ones too, by (created_at, id) (KEY-2)."""
    return await store.list_api_keys(tx, limit=limit, after=after)
