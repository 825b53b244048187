"""What is billed next after a change: what goes is billed a last time, what comes from then on (SUB-6).

Amounts are none of this: a component that is held for a part of its period is billed for all of it, and what the rest
comes to is found by billing, as the difference between what the days cost and what was billed (`changed_periods`).
Usage alone is cut here, at the instant: what was used before belongs to the old price, what is used later to the new.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from candela_server.catalog.model import PlanVersionId
from candela_server.catalog.price import (
    BillingTiming,
    Component,
    ComponentId,
    ComponentKind,
    Price,
    PriceId,
)
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.subscription.model import (
    LastTerms,
    ScheduledPeriod,
    Status,
    Subscription,
)

from .schedule import scheduled_period

BILLED = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})
"""States in which what is held is billed."""

ENDED = frozenset({Status.CANCELED, Status.EXPIRED})
"""States from which nothing comes back but with a new anchor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One version of a subscription, with the price that it is at."""

    subscription: Subscription
    price: Price

    @property
    def components(self) -> dict[ComponentId, Component]:
        """What is billed under it: nothing while it is paused or has ended."""
        if self.subscription.version.status not in BILLED:
            return {}
        return {one.id: one for one in self.price.components}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescheduling:
    """Which rows of the schedule go, and which come instead."""

    gone: Sequence[ScheduledPeriod]
    fresh: Sequence[ScheduledPeriod]


def reschedule(
    before: Held,
    after: Held,
    rows: Sequence[ScheduledPeriod],
    *,
    at: datetime,
    at_once: bool,
    test_clock_id: TestClockId | None,
) -> Rescheduling:
    """What a change at `at` makes of a subscription's whole schedule.

    `at_once` makes what is billed a last time due at that instant. Otherwise it waits for whatever is due next, if
    anything is.
    """
    old, new = before.components, after.components
    moved = before.subscription.anchor_at != after.subscription.anchor_at
    leaving = [one for one in old.values() if moved or one.id not in new]
    coming = [one for one in new.values() if moved or one.id not in old]
    open_rows = {row.component_id: row for row in rows if row.last_terms is None}
    last = _last_periods(before, leaving, open_rows, at)
    ended = {one.id for one in leaving}
    gone = [row for row in open_rows.values() if row.component_id in ended]
    first = [_first_period(after, one, at, test_clock_id) for one in coming]
    # What comes back before it was billed a last time goes on as if nothing had been.
    waiting = [*last, *(row for row in rows if row.last_terms is not None)]
    for index, row in enumerate(first):
        earlier = _continued(row, waiting)
        if earlier is not None:
            waiting.remove(earlier)
            if earlier in last:
                last.remove(earlier)
            else:
                gone.append(earlier)
            first[index] = replace(row, period=Interval(earlier.period.start_at, row.period.end_at))
    kept = [row for row in open_rows.values() if row.component_id not in ended]
    next_due_at = min((row.due_at for row in [*kept, *first] if row.due_at > at), default=at)
    ends = after.subscription.version.status in ENDED
    due_at = at if at_once or ends else next_due_at
    usage = {one.id for one in leaving if one.kind is ComponentKind.USAGE}
    return Rescheduling(
        gone=gone,
        fresh=[
            # What is held for days may be held again before its period ends, and is billed only then.
            *(
                _due_by(row, due_at, at) if ends or row.component_id in usage else row
                for row in last
            ),
            *first,
        ],
    )


def _last_periods(
    before: Held,
    leaving: Iterable[Component],
    open_rows: dict[ComponentId, ScheduledPeriod],
    at: datetime,
) -> list[ScheduledPeriod]:
    """The periods of what is not held any more that began before `at` and are not billed yet."""
    found = []
    held = before.subscription
    for component in leaving:
        row = open_rows[component.id]
        terms = LastTerms(
            plan_version_id=PlanVersionId(held.version.plan_version_id),
            price_id=PriceId(held.version.price_id),
            held=held.version.quantities.get(component.id),
        )
        while row.period.start_at < at:
            period = row.period
            if component.kind is ComponentKind.USAGE:
                period = Interval(period.start_at, min(period.end_at, at))
            found.append(replace(row, period=period, last_terms=terms))
            row = scheduled_period(
                component,
                row.period_number + 1,
                subscription_id=held.id,
                anchor_at=held.anchor_at,
                time_zone=held.time_zone,
                test_clock_id=row.test_clock_id,
            )
    return found


def _first_period(
    after: Held, component: Component, at: datetime, test_clock_id: TestClockId | None
) -> ScheduledPeriod:
    """The first period that will be billed of what is held from `at` on.

    What is left of a period charged in advance is billed as a difference, so that it is the period after that one.
    """
    held = after.subscription
    rule = component.recurrence_in(held.time_zone)
    number = rule.period_number_at(held.anchor_at, at)
    whole = rule.period(held.anchor_at, number)
    if component.timing is BillingTiming.IN_ADVANCE and whole.start_at < at:
        number += 1
    row = scheduled_period(
        component,
        number,
        subscription_id=held.id,
        anchor_at=held.anchor_at,
        time_zone=held.time_zone,
        test_clock_id=test_clock_id,
    )
    if component.kind is ComponentKind.USAGE:
        return replace(row, period=Interval(at, row.period.end_at))
    return row


def _continued(row: ScheduledPeriod, waiting: Iterable[ScheduledPeriod]) -> ScheduledPeriod | None:
    """The last period, not billed yet, that a first one is the continuation of."""
    for one in waiting:
        same = (
            one.component_id == row.component_id
            and one.period_number == row.period_number
            and one.period.start_at <= row.period.start_at
        )
        if same and one.period.end_at in (row.period.start_at, row.period.end_at):
            return one
    return None


def _due_by(row: ScheduledPeriod, due_at: datetime, at: datetime) -> ScheduledPeriod:
    """When a last period is billed: when it was due before the change, otherwise `due_at`."""
    return row if row.due_at <= at else replace(row, due_at=max(due_at, row.period.start_at))
