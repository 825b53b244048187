"""Posts the expiry of grants whose time is over, whatever is billed when (CRD-5).

Checks ignore a lapsed grant at once, and so does the usage of later periods. The ledger follows each hour, once no
period that the grant could pay for waits for its invoice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from candela_server.credit import read as credit
from candela_server.credit.lapse_grants import definitions_of, lapse_grants
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import lapse_store
from .unused_credit import unused_credit

CHUNK = 500


async def expire_lapsed(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
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
            lapsed = await _lapse_in_order(tx, events, grants, now)
            await lapse_store.forget_ends(tx, lapsed)
            for holder in sorted({grant.customer_id for grant in grants if grant.balance > 0}):
                await tx.entitlements_changed(holder)
        count += sum(1 for grant in grants if grant.balance > 0)
        if len(ids) < CHUNK:
            return count
        after = ids[-1]


async def _lapse_in_order(
    tx: Tx, events: EventStore, grants: Sequence[CreditGrant], now: datetime
) -> list[GrantId]:
    """Ends grants, of each definition and subscription the earliest first, and returns all that have ended.

    After an outage several periods have lapsed: what the first one carries over into the second has lapsed with it, and
    counts with it towards what the third one gets.
    """
    left, ended = list(grants), [grant.id for grant in grants]
    # What is carried over is of the same definition.
    definitions = await definitions_of(tx, grants)
    while left:
        first = {_row(one): one.expires_at for one in sorted(left, key=_end, reverse=True)}
        now_due = [one for one in left if one.expires_at == first[_row(one)]]
        left = [one for one in left if one.expires_at != first[_row(one)]]
        beside = {(_row(one), one.expires_at) for one in left}
        unused = await unused_credit(tx, events, now_due, definitions, now=now)
        carried = await lapse_grants(tx, now_due, at=now, unused=unused, definitions=definitions)
        joined = [one for one in carried if (_row(one), one.expires_at) in beside]
        left += joined
        ended += [one.id for one in joined]
    return ended


def _row(grant: CreditGrant) -> tuple[str, str]:
    """Which grants follow one another; what comes with no plan follows nothing."""
    if grant.definition_id is None:
        return grant.id, ""
    return grant.definition_id, grant.subscription_id or ""


def _end(grant: CreditGrant) -> datetime:
    # One without an end has lapsed with the terms that it came with.
    return grant.expires_at or datetime.max.replace(tzinfo=UTC)
