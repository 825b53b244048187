"""Plans changes for later, and calls them off (SUB-5)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.storage.postgres import Tx

from . import scheduled_store
from .append_without_change import append_without_change
from .cancel_subscription import call_off_cancellation, is_end
from .change import (
    Cancellation,
    ChangeSubscription,
    ScheduledChange,
    ScheduledChangeId,
    ScheduledChangeNotFoundError,
    ScheduledStatus,
    TrialEnd,
)
from .change_subscription import change_subscription, take
from .migration import MoveTiming
from .start_subscription import is_start


class Moment(StrEnum):
    """When a scheduled change is due."""

    AT = "at"
    NEXT_BILLING = "next_billing"
    TRIAL_END = "trial_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleChange:
    """What to do, and when; `due_at` for AT."""

    command: ChangeSubscription
    moment: Moment
    due_at: datetime | None


async def schedule_change(tx: Tx, clock: Clock, wanted: ScheduleChange) -> ScheduledChange:
    """The change that will be done. What could not be done now is refused now, but for a resumption.

    Raises what change_subscription raises, and InvalidInput for a moment that does not lie ahead.
    """
    held, _, now = await take(tx, clock, wanted.command.subscription_id)
    command = wanted.command
    match wanted.moment:
        case Moment.NEXT_BILLING:
            command = replace(command, timing=MoveTiming.PERIOD_END)
        case Moment.AT:
            if wanted.due_at is None or wanted.due_at <= now:
                raise InvalidInput(
                    f"must lie after {now:%Y-%m-%dT%H:%M:%SZ}, the customer's present",
                    field="due_at",
                )
            command = replace(command, timing=MoveTiming.AT, effective_at=wanted.due_at)
        case Moment.TRIAL_END:
            pending = await scheduled_store.list_pending(tx, held.id)
            ends = [one.due_at for one in pending if isinstance(one.change, TrialEnd)]
            if not ends:
                raise InvalidInput("the subscription is in no trial; use AT", field="moment")
            command = replace(command, timing=MoveTiming.AT, effective_at=ends[0])
    changed = await change_subscription(tx, clock, command)
    assert changed.scheduled is not None, "its time lies ahead"
    return changed.scheduled


async def cancel_scheduled_change(
    tx: Tx, clock: Clock, scheduled_change_id: ScheduledChangeId
) -> ScheduledChange:
    """The change, called off; one that is done, failed or called off stays as it is.

    A cancellation that is called off is undone, as a new version; a start that is called off ends the subscription.
    Raises ScheduledChangeNotFoundError.
    """
    found = await _found(tx, scheduled_change_id)
    held, _, now = await take(tx, clock, found.subscription_id)
    found = await _found(tx, scheduled_change_id)
    if found.status is ScheduledStatus.PENDING:
        if isinstance(found.change, TrialEnd):
            raise InvalidInput(
                "a trial ends in any case; cancel the subscription or change its plan instead",
                field="scheduled_change_id",
            )
        if is_start(found):
            end = ChangeSubscription(
                subscription_id=held.id, change=Cancellation(), timing=MoveTiming.NOW
            )
            await change_subscription(tx, clock, end)
        outcome = "called off"
        if is_end(found) and held.version.cancel_at is not None:
            version = await call_off_cancellation(tx, held, outcome=outcome)
            await append_without_change(tx, held, version, at=now, reason="")
        else:
            await scheduled_store.call_off(tx, [found.id], outcome)
    after = await _found(tx, scheduled_change_id)
    await tx.audit(
        "subscription.scheduled_change_canceled",
        held.id,
        before={"scheduled_change_id": found.id, "status": found.status},
        after={"scheduled_change_id": found.id, "status": after.status},
    )
    return after


async def _found(tx: Tx, scheduled_change_id: ScheduledChangeId) -> ScheduledChange:
    found = await scheduled_store.find_scheduled(tx, scheduled_change_id)
    if found is None:
        raise ScheduledChangeNotFoundError(scheduled_change_id)
    return found
