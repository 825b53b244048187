"""What a period costs in which something changed: each day costs what was held on it (SEAT-1, SUB-6).

Nothing is charged or given back for a change as such. The period is rated as a whole, by its days, and what is billed
is the difference to all that was billed of it before: so a change and its undo on one day cost nothing, no change gives
back more than was charged, and it does not matter how many changes there were, or how often somebody looked.

The unit is the calendar day of the subscription's time zone. A day on which something changes belongs to the new
state, and the last of several on one day counts. The denominator is the period, also where a first one is short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction

from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, rounded_fraction
from candela_server.kernel.time_zone import civil_days, local_date


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """From an instant on so much was held of a component, and all of the period costs so much then, net of discounts.

    `held` is anything that tells states apart; None when nothing was held. `prorated` is whether the change to this
    state cuts the period; where it does not, the period goes on as it was until the next change that does.
    """

    since: datetime
    held: object | None
    cost: Money
    prorated: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """So many of the period's days cost as if the whole period cost so much."""

    count: int
    cost: Money


def days_of(states: Sequence[State], period: Interval, time_zone: str) -> list[Days]:
    """The period's days by what was held on them, in order of time; `states` are in order of time too."""
    nothing = Money.zero(states[0].cost.currency)
    cost, held = nothing, None
    first_day, end_day = (local_date(at, time_zone) for at in (period.start_at, period.end_at))
    steps: list[tuple[date, Money]] = []
    for state in states:
        if state.since <= period.start_at:
            cost, held = state.cost, state.held
    steps.append((first_day, cost))
    for state in states:
        if not period.start_at < state.since < period.end_at or state.held == held:
            continue
        held = state.held
        if state.prorated:
            steps.append((local_date(state.since, time_zone), state.cost))
    found = []
    for index, (day, cost) in enumerate(steps):
        until = steps[index + 1][0] if index + 1 < len(steps) else end_day
        if until > day:
            found.append(Days(count=(until - day).days, cost=cost))
    return found


def cost_of_days(days: Sequence[Days], all_days: int, currency: str) -> Money:
    """What the days come to, of a period of `all_days`; rounded once."""
    exactly = sum(
        (Fraction(one.cost.amount) * Fraction(one.count, all_days) for one in days), Fraction(0)
    )
    return rounded_fraction(currency, exactly)


def held_at_start(states: Sequence[State], period: Interval) -> bool:
    """Whether something was held when the period began, so that it was billed as a whole then."""
    found = None
    for state in states:
        if state.since <= period.start_at:
            found = state.held
    return found is not None


def cost_at_start(states: Sequence[State], period: Interval) -> Money:
    """What the whole period costs by what was held when it began."""
    found = Money.zero(states[0].cost.currency)
    for state in states:
        if state.since <= period.start_at:
            found = state.cost
    return found


def difference(
    states: Sequence[State],
    *,
    period: Interval,
    time_zone: str,
    billed: Money,
    credited: Money,
) -> Money:
    """What is still to be billed of the period; negative when it is to be given back.

    `credited` is what credit notes took back of it: nothing is given back twice.
    """
    all_days = civil_days(period, time_zone)
    if all_days == 0:
        # A period within one day: whoever holds it at its end has held it.
        return Money.zero(billed.currency)
    due = cost_of_days(days_of(states, period, time_zone), all_days, billed.currency) - billed
    return max(due, -(billed - credited)) if due.is_negative else due
