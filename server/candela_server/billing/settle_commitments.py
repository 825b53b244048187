"""Adds to invoices what is missing to commitments that changes cut: joined, left, paused or ended (DSL-10, SUB-6).

Every invoice of a subscription that was ever changed looks at them, after all its other lines are made, and so does a
draft when it is finalized, because late usage fills a commitment. What is found is the difference to all that was
billed, so that it is on one invoice, whichever comes first, and nothing is asked for twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx
from candela_server.subscription import read_schedule
from candela_server.subscription.model import ScheduledPeriod, Subscription, SubscriptionId

from . import billed_store, credit_note_store
from .billed_before import REMEMBERED, read_billed_lines
from .billing_context import Context
from .credit_note import CreditedOfLine
from .model import InvoiceId, InvoiceLine, LineId, LineKind
from .rules.commitment import COUNTED, charged_at, left_to_reissues, period_charged_at
from .rules.counted_on import ATTEMPTS, asked_for, counted_next
from .rules.cut_commitment import CutCommitment, is_true_up_of
from .rules.late_usage import within_total
from .rules.settle_cut_commitment import Settlement, settlement


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """An invoice whose other lines are made; `id` is that of a draft, or of the void invoice it takes the place of."""

    subscription_id: SubscriptionId
    id: InvoiceId | None
    lines: Sequence[InvoiceLine]


async def with_cut_commitments(
    tx: Tx, context: Context, invoices: Sequence[Making], *, now: datetime
) -> list[list[InvoiceLine]]:
    """The lines of each invoice, in their order, with the true-ups of commitments that changes cut behind them.

    What the invoice cannot give back, the next one does.
    """
    since = now - REMEMBERED
    cut = {
        one_id: found
        for one_id in {one.subscription_id for one in invoices}
        if (found := context.cut_commitments(one_id, since))
    }
    if not cut:
        return [list(one.lines) for one in invoices]
    ids = sorted(cut)
    known: dict[SubscriptionId, dict[InvoiceId | None, list[InvoiceLine]]] = {}
    for one_id, some in (await read_billed_lines(tx, ids, now)).items():
        for billed in some:
            known.setdefault(one_id, {}).setdefault(billed.invoice_id, []).append(billed.line)
    voided = await billed_store.list_voided_lines(tx, ids, since=since)
    credited = await credit_note_store.sum_credited_of_lines(
        tx,
        [
            line.id
            for by_invoice in known.values()
            for on_one in by_invoice.values()
            for line in on_one
        ],
    )
    made = []
    for one in invoices:
        lines = list(one.lines)
        if one.subscription_id in cut:
            held = context.subscriptions[one.subscription_id]
            others = known.setdefault(one.subscription_id, {})
            others.pop(one.id, None)
            lines += _settled(
                context,
                held,
                await _open(tx, context, held, cut[one.subscription_id], one, now),
                lines,
                [line for on_one in others.values() for line in on_one],
                [line for id_, line in voided.get(held.id, ()) if id_ != one.id],
                credited,
            )
            # The invoices after it know what this one bills.
            others[one.id] = lines
        made.append(lines)
    return made


async def with_commitments_that_bear(
    tx: Tx,
    context: Context,
    make: Callable[[Sequence[Decimal]], Sequence[Making]],
    most: Sequence[Decimal],
    *,
    now: datetime,
) -> list[list[InvoiceLine]]:
    """As `with_cut_commitments`, of invoices that can give back more where their true-ups bear it.

    `make` makes them, counting on so much of each; `most` is all that each would give back.
    """
    counted = [Decimal(0) for _ in most]
    for attempt in range(ATTEMPTS):
        making = make(counted)
        settled = await with_cut_commitments(tx, context, making, now=now)
        found = [
            asked_for(after[len(before.lines) :])
            for before, after in zip(making, settled, strict=True)
        ]
        before, counted = counted, counted_next(attempt, counted, found, most)
        if counted == before:
            break
    return settled


def _settled(
    context: Context,
    held: Subscription,
    over: Sequence[CutCommitment],
    lines: Sequence[InvoiceLine],
    others: Sequence[InvoiceLine],
    voided: Sequence[InvoiceLine],
    credited: Mapping[LineId, CreditedOfLine],
) -> list[InvoiceLine]:
    history = context.terms_of(held.id)
    made = []
    for one in over:
        known = [*others, *lines]
        # What is void counts as if it stood, until a reissue asks for it again: the true-up itself, too.
        known += left_to_reissues(voided, known)
        known += [line for line in voided if is_true_up_of(line, one)]
        given_back = sum(
            (
                credited[line.id].otherwise
                for line in known
                if line.id in credited and is_true_up_of(line, one)
            ),
            Decimal(0),
        )
        for_days = sum(
            (
                credited[line.id].for_days
                for line in known
                if line.id in credited and counts(one, line)
            ),
            Decimal(0),
        )
        found = settlement(
            one,
            history,
            known,
            time_zone=held.time_zone,
            credited=given_back,
            given_back=for_days,
        )
        if found is not None:
            made.append(_line(one, found, known))
    if not lines and sum(line.amount for line in made) <= 0:
        # No invoice that only gives back; the next one does.
        return []
    return [line for line in within_total(lines, made) if line.amount]


async def _open(
    tx: Tx,
    context: Context,
    held: Subscription,
    cut: Sequence[CutCommitment],
    making: Making,
    now: datetime,
) -> list[CutCommitment]:
    """Those that are settled by this invoice: over, and all that counts is billed."""
    now_held = context.terms_of(held.id)[-1]
    over = [one for one in cut if one.is_over(now_held, now)]
    if not over:
        return []
    billed_here = {(line.component_id, line.period) for line in making.lines}
    waiting = [
        row
        for row in await read_schedule.list_schedule(tx, held.id)
        if (row.component_id, row.period) not in billed_here
    ]
    return [one for one in over if not _counts_one_of(one, waiting)]


def _counts_one_of(one: CutCommitment, rows: Collection[ScheduledPeriod]) -> bool:
    timings = {each.id: each.timing for price in one.prices for each in price.components}
    return any(
        row.component_id in timings
        and one.is_of_its_time(row.period)
        and one.committed.period.contains(period_charged_at(row.period, timings[row.component_id]))
        for row in rows
    )


def counts(one: CutCommitment, line: InvoiceLine) -> bool:
    """Whether a line is a charge that counts for a commitment, or makes up for one."""
    if is_true_up_of(line, one):
        return True
    timings = {each.id: each.timing for price in one.prices for each in price.components}
    return (
        line.kind in COUNTED
        and line.component_id in timings
        and one.is_of_its_time(line.period)
        and one.committed.period.contains(charged_at(line, timings[line.component_id]))
    )


def _line(one: CutCommitment, found: Settlement, known: Sequence[InvoiceLine]) -> InvoiceLine:
    first = next(
        (line for line in known if line.kind is LineKind.TRUE_UP and is_true_up_of(line, one)), None
    )
    period = one.committed.period
    return InvoiceLine(
        id=LineId(new_id("line")),
        kind=LineKind.TRUE_UP if found.is_first else LineKind.ADJUSTMENT,
        description=found.text,
        quantity=Decimal(1),
        unit_name="",
        unit_amount=None,
        rated_amount=found.amount,
        amount=found.amount,
        component_id=None,
        price_id=one.offer.price.id,
        plan_version_id=one.offer.version.id,
        metric_id=None,
        period_number=one.committed.number,
        period=period,
        source_line_id=first.id if first else None,
        draws=(),
        usage_seen_at=None,
        used_during=_part(found.in_force, period),
    )


def _part(in_force: Interval, period: Interval) -> Interval | None:
    return None if in_force == period else in_force
