"""Opens, closes and reverts backfills: events about the past that take effect, and can be taken back, as a whole.

What a backfill holds lies among the events and does not count; closing moves the border of what counts through its
span, step by step, and each step makes usage anew in its own transaction. A small backfill is one step, in the call
that closes it; a large one is APPLYING until the task has gone through it. Reverting does the same with the other
border. Meanwhile usage is exact for what counts at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx

from . import backfill_event_store, backfill_store, correction_store
from .correct_usage import Corrected, correct_usage, new_correction
from .correction import (
    Backfill,
    BackfillId,
    BackfillNotFoundError,
    BackfillOverlapError,
    BackfillStateError,
    BackfillStatus,
    ChosenEvent,
    CorrectionKind,
)
from .event_statements import as_events
from .rules.correction import step_end

STEP_EVENTS: Final = 20_000
"""Events that one step counts: some seconds, in which the merchant's ingestion waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBackfill:
    """What the new backfill is about, and why."""

    window: Interval
    customer: CustomerRef | None
    replaces_existing: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """A backfill after a step; `corrected` is to be told to the counters after the commit."""

    backfill: Backfill
    corrected: Corrected | None


async def create_backfill(tx: Tx, clock: Clock, command: CreateBackfill) -> Backfill:
    """Opens a backfill. Raises CustomerNotFoundError and BackfillOverlapError."""
    who = (
        await customer.get_customer_in_business(tx, command.customer) if command.customer else None
    )
    # So that two calls at once do not miss each other.
    await correction_store.hold_flushes(tx)
    other = await backfill_store.find_overlapping(tx, command.window, who.id if who else None)
    if other is not None:
        raise BackfillOverlapError(other)
    backfill = Backfill(
        id=BackfillId(new_id("bkf")),
        window=command.window,
        customer_id=who.id if who else None,
        replaces_existing=command.replaces_existing,
        reason=command.reason,
        event_count=0,
        created_at=clock.now(),
        closed_at=None,
        reverted_at=None,
        counted_from_at=command.window.start_at,
        counted_until_at=command.window.start_at,
    )
    await backfill_store.insert_backfill(tx, backfill)
    await tx.audit("backfill.created", backfill.id, after=_trace(backfill), reason=command.reason)
    return backfill


async def get_backfill(tx: Tx, backfill_id: BackfillId) -> Backfill:
    """A backfill. Raises BackfillNotFoundError."""
    found = await backfill_store.find_backfill(tx, backfill_id)
    if found is None:
        raise BackfillNotFoundError(backfill_id)
    return found


async def close_backfill(
    tx: Tx, clock: Clock, backfill_id: BackfillId, *, step_events: int = STEP_EVENTS
) -> Stepped:
    """Lets a backfill's events count, all of them or a first step; one that is closed stays as it is.

    Raises BackfillNotFoundError, and BackfillStateError for one that was reverted.
    """
    await correction_store.hold_flushes(tx)
    before = await get_backfill(tx, backfill_id)
    if before.reverted_at is not None:
        raise BackfillStateError(before, "be closed")
    stepped = Stepped(backfill=before, corrected=None)
    if before.status is BackfillStatus.OPEN:
        closed = replace(before, closed_at=clock.now())
        stepped = await _step(tx, clock, closed, step_events)
    await tx.audit(
        "backfill.closed", backfill_id, before=_trace(before), after=_trace(stepped.backfill)
    )
    return stepped


async def revert_backfill(
    tx: Tx, clock: Clock, backfill_id: BackfillId, reason: str, *, step_events: int = STEP_EVENTS
) -> Stepped:
    """Takes a backfill's events out, and lets count again what it had replaced; all of it or a first step.

    The keys of its events are free again. One that is reverted stays as it is. Raises BackfillNotFoundError.
    """
    await correction_store.hold_flushes(tx)
    before = await get_backfill(tx, backfill_id)
    stepped = Stepped(backfill=before, corrected=None)
    if before.reverted_at is None:
        reverted = replace(before, reverted_at=clock.now())
        stepped = await _step(tx, clock, reverted, step_events, reason=reason)
    await tx.audit(
        "backfill.reverted",
        backfill_id,
        before=_trace(before),
        after=_trace(stepped.backfill),
        reason=reason,
    )
    return stepped


async def continue_backfill(
    tx: Tx, clock: Clock, backfill_id: BackfillId, *, step_events: int = STEP_EVENTS
) -> Stepped:
    """Goes one step on with a backfill that was closed or reverted; nothing for one that is finished."""
    await correction_store.hold_flushes(tx)
    backfill = await get_backfill(tx, backfill_id)
    if not backfill.unfinished:
        return Stepped(backfill=backfill, corrected=None)
    return await _step(tx, clock, backfill, step_events)


async def _step(
    tx: Tx, clock: Clock, backfill: Backfill, step_events: int, *, reason: str | None = None
) -> Stepped:
    """Moves the border on as far as one transaction should, and makes usage anew there."""
    reverting = backfill.reverted_at is not None
    start_at = backfill.counted_from_at if reverting else backfill.counted_until_at
    async with as_events(tx) as statements:
        crowded_at = await backfill_event_store.find_crowded(
            statements, backfill, start_at, step_events
        )
        end_at = step_end(start_at, backfill.window.end_at, crowded_at)
        span = (statements, backfill, start_at, end_at)
        touched: list[ChosenEvent] = []
        replaced: list[ChosenEvent] = []
        if not reverting or start_at < backfill.counted_until_at:
            touched = await backfill_event_store.list_own_events(*span)
        if reverting:
            touched += await backfill_event_store.list_given_back(*span)
            await backfill_event_store.free_keys(*span)
        elif backfill.replaces_existing:
            replaced = await backfill_event_store.list_replaced_events(*span)
            touched += replaced
    correction = new_correction(
        tx,
        clock,
        CorrectionKind.REVERT_BACKFILL if reverting else CorrectionKind.APPLY_BACKFILL,
        event_count=len(touched),
        reason=reason or backfill.reason,
        backfill_id=backfill.id,
    )
    if touched:
        await correction_store.insert_correction(tx, correction)
    if replaced:
        async with as_events(tx) as statements:
            await correction_store.insert_voids(statements, correction, replaced)
    # Now they count, or no longer do.
    moved = (
        replace(backfill, counted_from_at=end_at)
        if reverting
        else replace(backfill, counted_until_at=end_at)
    )
    await backfill_store.update_backfill(tx, moved)
    return Stepped(backfill=moved, corrected=await correct_usage(tx, correction, touched))


def _trace(backfill: Backfill) -> dict[str, object]:
    return {
        "status": backfill.status.name.lower(),
        "start_at": backfill.window.start_at,
        "end_at": backfill.window.end_at,
        "customer_id": backfill.customer_id,
        "replaces_existing": backfill.replaces_existing,
        "event_count": backfill.event_count,
    }
