"""Posts the expiry of grants whose time is over, whatever is billed when (CRD-5).

Checks ignore a lapsed grant at once, and so does the usage of later periods. The ledger follows each hour, once no
period that the grant could pay for waits for its invoice.
"""

from __future__ import annotations

from datetime import datetime

from candela_server.credit import read as credit
from candela_server.credit.lapse_grants import lapse_grants
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Postgres

from . import lapse_store

CHUNK = 500


async def expire_lapsed(
    db: Postgres, merchant_id: str, *, now: datetime, test_clock_id: TestClockId | None = None
) -> int:
    """Expires a merchant's grants that lapsed by `now`, in real time or on one test clock; returns how many.

    Run twice, it finds nothing the second time.
    """
    count, after = 0, ""
    while True:
        async with db.writing(merchant_id) as tx:
            ids = await lapse_store.lock_lapsed(
                tx, until=now, test_clock_id=test_clock_id, after=after, limit=CHUNK
            )
            grants = await credit.get_grants(tx, ids, lock=True) if ids else []
            await lapse_grants(tx, grants, at=now)
            await lapse_store.forget_ends(tx, ids)
            for holder in sorted({grant.customer_id for grant in grants if grant.balance > 0}):
                await tx.entitlements_changed(holder)
        count += sum(1 for grant in grants if grant.balance > 0)
        if len(ids) < CHUNK:
            return count
        after = ids[-1]
