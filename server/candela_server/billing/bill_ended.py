"""Bills late usage of subscriptions that have ended, for which no invoice comes that would find it, and gives back what
was taken back (EVT-9).

Looked at are those that ended so recently that events of their time are still taken in: in real time those of whose
customers something is noted, and those that ended within a day, which may have been billed before anything could be
noted; on a test clock all. Corrections and voided invoices may come later than events, and are looked for as far back
as invoices are. What is owed goes on an invoice of its own, and what is given back on credit notes. One that a look
finds nothing for costs a few queries, and is not billed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId
from candela_server.metering.note_late_usage import customers_to_look_at
from candela_server.metering.read_corrections import list_corrected_usage
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from . import correction_store
from .bill_due import bill_rest
from .billed_before import LOOKS_BACK
from .give_back_usage import give_back_usage
from .one_by_one import one_by_one

CHUNK: Final = 100
"""How many are looked at together on a test clock, where there may be many and nobody waits for their locks."""
HASTY_FOR: Final = timedelta(days=1)
"""How long after its end a subscription is looked at though nothing is noted."""
AFTER_THE_LAST_EVENT: Final = timedelta(days=2)
"""How much longer than events may be late it is looked at: for looks that were missed."""


async def bill_ended(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
) -> int:
    """Looks at a merchant's ended subscriptions, in real time or on one test clock.

    Returns how many invoices and credit notes it made.

    In real time one's failure is logged and stops no other; the next look tries it again.
    """
    async with db.reading(merchant_id) as tx:
        found = await _to_look_at(tx, now, test_clock_id)
    size = 1 if test_clock_id is None else CHUNK
    return await one_by_one(
        db,
        merchant_id,
        ([one.id for one in found[first : first + size]] for first in range(0, len(found), size)),
        lambda tx, some: _bill(tx, events, some, now, test_clock_id),
        passes_by=test_clock_id is None,
        failure="late_usage_not_billed",
    )


async def _to_look_at(
    tx: Tx, now: datetime, test_clock_id: TestClockId | None
) -> list[Subscription]:
    settings = (await merchant.get_merchant(tx)).settings
    since = now - settings.event_lateness - AFTER_THE_LAST_EVENT
    ended = await subscription.list_ended(tx, since=since, test_clock_id=test_clock_id)
    if test_clock_id is not None:
        return ended
    noted = await customers_to_look_at(tx, sorted({one.customer_id for one in ended}))
    recent = [
        one for one in ended if one.customer_id in noted or one.version.valid_from > now - HASTY_FOR
    ]
    return [*recent, *await _touched_since(tx, now, until=since)]


async def _touched_since(tx: Tx, now: datetime, *, until: datetime) -> list[Subscription]:
    """Those that ended before an instant, and whose usage was corrected or an invoice voided in the last days."""
    lately = now - AFTER_THE_LAST_EVENT
    corrected = {one.customer_id for one in await list_corrected_usage(tx, since=lately)}
    voided = await correction_store.list_voided_of(tx, since=lately)
    if not (corrected or voided):
        return []
    return [
        one
        for one in await subscription.list_ended(tx, since=now - LOOKS_BACK, test_clock_id=None)
        if one.version.valid_from <= until and (one.customer_id in corrected or one.id in voided)
    ]


async def _bill(
    tx: Tx,
    events: EventStore,
    ids: Sequence[SubscriptionId],
    now: datetime,
    test_clock_id: TestClockId | None,
) -> int:
    for one_id in ids:
        await hold(tx, one_id)
    held = await subscription.get_subscriptions(tx, ids)
    # One that was taken up again while we came: its next invoice finds it.
    ended = [one.id for one in held.values() if one.version.status in ENDED]
    if not ended:
        return 0
    made = await bill_rest(tx, events, ended, now=now, test_clock_id=test_clock_id)
    notes = await give_back_usage(tx, events, ended, now=now, test_clock_id=test_clock_id)
    return len(made) + len(notes)
