"""Makes an invoice before a period ends, when its usage charges reach the price's billing threshold (INV-1, INV-2).

Looked at are all running subscriptions of prices that have one, a chunk at a time, without locks; who reaches it is
locked and looked at again. It is made once: under the subscription's lock, which every invoice of it is made under, and
behind that stands the primary key of `threshold_invoice`. It says what all usage of the running periods comes to, less
what earlier ones billed; it is final at once, since nothing that comes later is lost: the next one, or the period's own
invoice, looks at all of the period again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog

from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.claim_due import hold
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.rules.reschedule import BILLED

from . import store, threshold_store
from .bill_due import park_runaways
from .bill_periods import rate_invoices
from .billing_context import Context, read_context
from .draft_invoices import draft_of, wanted_of_due
from .draw_money import Charges, with_monetary_credits
from .finalize_invoices import finalized
from .model import InvoiceLine, LineId
from .one_by_one import one_by_one
from .rules.threshold import BilledAhead, Key, as_it_runs, charges_so_far, reaches, taken_off
from .take_off_ahead import name_of

log = structlog.get_logger("candela.billing")

CHUNK: Final = 200
"""How many subscriptions are looked at together: a few queries for all of them, and no locks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """One whose running periods reached its threshold."""

    subscription_id: SubscriptionId
    threshold: Decimal
    charges: Sequence[InvoiceLine]
    ahead: Sequence[BilledAhead]


async def bill_thresholds(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
) -> int:
    """Looks at a merchant's subscriptions, in real time or on one test clock; returns how many invoices it made.

    In real time one's failure is logged and stops no other; the next look tries it again.
    """
    count, after = 0, ""
    while True:
        async with db.reading(merchant_id) as tx:
            some = await threshold_store.list_with_threshold(
                tx, now=now, test_clock_id=test_clock_id, after=after, limit=CHUNK
            )
        count += await one_by_one(
            db,
            merchant_id,
            await _look(db, events, merchant_id, some, now, test_clock_id),
            lambda tx, one_id: _bill(tx, events, one_id, now, test_clock_id),
            passes_by=test_clock_id is None,
            failure="threshold_not_billed",
        )
        if len(some) < CHUNK:
            return count
        after = some[-1]


async def _look(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    some: Sequence[SubscriptionId],
    now: datetime,
    test_clock_id: TestClockId | None,
) -> list[SubscriptionId]:
    """Who of these reached it; where looking fails, in real time, each is looked at alone."""
    if not some:
        return []
    try:
        async with db.reading(merchant_id) as tx:
            context = await read_context(tx, some, until=now)
            return [one.subscription_id for one in await _reached(tx, events, context, now)]
    except Exception as error:
        if test_clock_id is not None:
            raise
        if len(some) == 1:
            log.error("threshold_not_looked_at", subscription_id=some[0], exc_info=error)
            return []
    return [
        found
        for one_id in some
        for found in await _look(db, events, merchant_id, [one_id], now, test_clock_id)
    ]


async def _reached(tx: Tx, events: EventStore, context: Context, now: datetime) -> list[_Reached]:
    """Those of the context whose charges, not billed yet, reach what their price says."""
    thresholds = {
        one_id: offer.price.billing_threshold
        for one_id, offer in context.offers.items()
        if offer.price.billing_threshold is not None
        and context.subscriptions[one_id].version.status in BILLED
    }
    running = await read_schedule.list_running(tx, sorted(thresholds), now)
    wanted = [
        replace(one, offer=as_it_runs(one.offer_in(context)))
        for one in await wanted_of_due(tx, context, running)
    ]
    if not wanted:
        return []
    made = await rate_invoices(tx, events, context, wanted, seen_at=now)
    charges: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    for one, lines in zip(wanted, made, strict=True):
        charges[one.subscription_id] += charges_so_far(lines, now)
    ahead: defaultdict[SubscriptionId, list[BilledAhead]] = defaultdict(list)
    void: defaultdict[SubscriptionId, Decimal] = defaultdict(Decimal)
    for of in await threshold_store.list_billed_ahead(tx, sorted(charges)):
        if of.ahead.key in _keys(charges[of.subscription_id]):
            ahead[of.subscription_id].append(of.ahead)
            void[of.subscription_id] += of.void
    return [
        _Reached(
            subscription_id=one_id,
            threshold=thresholds[one_id],
            charges=lines,
            ahead=ahead[one_id],
        )
        for one_id, lines in charges.items()
        if reaches(thresholds[one_id], lines, ahead[one_id], void[one_id])
    ]


async def _bill(
    tx: Tx,
    events: EventStore,
    subscription_id: SubscriptionId,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> int:
    await hold(tx, subscription_id)
    seller = await merchant.get_merchant(tx)
    context = await read_context(tx, [subscription_id], until=now)
    found = await _reached(tx, events, context, now)
    if not found or await park_runaways(tx, seller, context, now):
        return 0
    [one] = found
    held = context.subscriptions[subscription_id]
    lines = [
        *one.charges,
        *taken_off(
            one.ahead,
            one.charges,
            names=lambda billed: name_of(context, billed),
            time_zone=held.time_zone,
            line_id=lambda: LineId(new_id("line")),
        ),
    ]
    [lines] = await with_monetary_credits(tx, [Charges(held, lines)], made_at=now)
    draft = draft_of(context, held, lines, seller, now, test_clock_id)
    [invoice] = await finalized(tx, seller, context, [draft], now)
    await store.insert_invoices(tx, [invoice])
    ordinal = await threshold_store.insert_threshold_invoice(
        tx,
        subscription_id=subscription_id,
        period_start=min(line.period.start_at for line in one.charges),
        invoice_id=invoice.id,
        threshold=one.threshold,
    )
    await tx.audit(
        "invoice.created",
        invoice.id,
        None,
        {
            "status": invoice.status,
            "total": invoice.total,
            "subscription_id": subscription_id,
            "threshold": one.threshold,
            "ordinal": ordinal,
        },
    )
    await tx.entitlements_changed(invoice.customer_id)
    return 1


def _keys(lines: Sequence[InvoiceLine]) -> set[Key]:
    return {
        (line.component_id, line.period.start_at) for line in lines if line.component_id is not None
    }
