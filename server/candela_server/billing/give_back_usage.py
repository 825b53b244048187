"""Gives back, by credit notes, usage that was taken back and that no invoice bears (EVT-4, EVT-9, INV-6).

While a subscription goes on, its next invoice bears it as an adjustment, and what that cannot is left for here; after
its end all is. What is charged less is taken off the invoices that charged for it, at their own rate of tax. What a
minimum or a commitment asks for all the same is kept. The notes count as adjustments of their period from then on, so
that nothing comes back twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.price import PriceId
from candela_server.merchant.model import TestClockId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from . import threshold_store
from .bill_changed_periods import look_at_cuts
from .bill_late_usage import look_at_late_usage
from .billed_before import read_billed_lines
from .billing_context import Context, read_context
from .credit_note import CreditNote
from .give_back import give_back, lock_invoices, read_credited
from .give_back_days import Bound, bounds_of
from .model import BilledLine, Invoice, InvoiceId, InvoiceLine, LineKind
from .rules.give_back import Owed
from .rules.late_draws import is_of
from .settle_commitments import counts

_ZERO = Decimal(0)
_OF_USAGE = frozenset({LineKind.USAGE, LineKind.ADJUSTMENT, LineKind.THRESHOLD})


async def give_back_usage(
    tx: Tx,
    events: EventStore,
    ids: Sequence[SubscriptionId],
    *,
    now: datetime,
    test_clock_id: TestClockId | None,
) -> list[CreditNote]:
    """The notes of these subscriptions, which must be locked; none when nothing is left to give back.

    Of one that has ended, what it owes instead must be on its invoice already; of one that goes on, what its next
    invoice can bear.
    """
    context = await read_context(tx, ids, until=now)
    late = await look_at_late_usage(
        tx,
        events,
        context,
        {one_id: [] for one_id in ids},
        seen_at=now,
        on_test_clock=test_clock_id is not None,
    )
    wanted = {one_id: some for one_id, some in late.lines.items() if _comes_to(some) < 0}
    seen = await look_at_cuts(tx, context, sorted(wanted), now=now)
    billed = await read_billed_lines(tx, sorted(wanted), now)
    notes = []
    for one_id, adjustments in sorted(wanted.items()):
        cuts = seen.get(one_id)
        bounds = bounds_of(context, one_id, cuts, now) if cuts else []
        notes += await _give_back(tx, context, one_id, billed[one_id], bounds, adjustments, now)
    return notes


async def _give_back(
    tx: Tx,
    context: Context,
    one_id: SubscriptionId,
    known: Sequence[BilledLine],
    bounds: Sequence[Bound],
    adjustments: Sequence[InvoiceLine],
    now: datetime,
) -> list[CreditNote]:
    invoices: dict[InvoiceId, Invoice] = {}
    ahead = await threshold_store.list_threshold_invoices(tx, one_id)
    await lock_invoices(
        tx, [*ahead, *(one.invoice_id for one in known if not one.is_draft)], invoices
    )
    # Before all others, to be taken last: what the period's own invoice charged is given back on that.
    billed = [*_billed_ahead(one_id, [invoices[each] for each in reversed(ahead)]), *known]
    return await give_back(
        tx,
        billed,
        _owed(billed, adjustments, bounds, lambda one: context.tariff_of(one_id, one)),
        invoices,
        await read_credited(tx, invoices),
        now=now,
    )


def _billed_ahead(one_id: SubscriptionId, invoices: Sequence[Invoice]) -> list[BilledLine]:
    return [
        BilledLine(subscription_id=one_id, invoice_id=one.id, is_draft=False, line=line)
        for one in invoices
        for line in one.lines
    ]


def _owed(
    billed: Sequence[BilledLine],
    adjustments: Sequence[InvoiceLine],
    bounds: Sequence[Bound],
    tariff_of: Callable[[PriceId | None], Collection[PriceId | None]],
) -> list[Owed]:
    """What of each period is to be given back: what others cost more, true-ups too, is taken off."""
    left = -_comes_to(adjustments)
    found = []
    for line in adjustments:
        if line.source_line_id is None or line.component_id is None:
            continue
        bounding = [one for one in bounds if counts(one.commitment, line)]
        amount = min(-line.amount, left, *(one.left for one in bounding))
        if amount <= 0:
            continue
        left -= amount
        for one in bounding:
            one.left -= amount
        own = [one.line for one in billed if is_of(one.line, line.component_id, line.period)]
        of_beside = amount - min(amount, max(_comes_to(own), _ZERO))
        tariff = tariff_of(line.price_id) if of_beside else ()
        found.append(
            Owed(
                of=line.source_line_id,
                own=frozenset(one.line.id for one in billed if _charged(one.line, line)),
                amount=amount,
                memo=line.description,
                usage=line.quantity,
                beside=frozenset(
                    one.line.id for one in billed if _is_beside(one.line, line, tariff)
                ),
                of_beside=of_beside,
            )
        )
    return found


def _is_beside(
    line: InvoiceLine, adjustment: InvoiceLine, tariff: Collection[PriceId | None]
) -> bool:
    """Whether an amount off that the usage had shared may be its now."""
    return (
        line.component_id not in (None, adjustment.component_id)
        and line.price_id in tariff
        and line.period.overlaps(adjustment.period)
    )


def _charged(line: InvoiceLine, adjustment: InvoiceLine) -> bool:
    return (
        line.kind in _OF_USAGE
        and line.component_id == adjustment.component_id
        and line.period.start_at == adjustment.period.start_at
        and line.amount > 0
    )


def _comes_to(lines: Sequence[InvoiceLine]) -> Decimal:
    return sum((line.amount for line in lines), _ZERO)
