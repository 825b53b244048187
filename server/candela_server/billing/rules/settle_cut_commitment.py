"""What is missing to a commitment that changes cut, for the days on which it was in force (DSL-10, SUB-6): see
`cut_commitment`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, exact
from candela_server.kernel.time_zone import civil_days

from .changed_periods import State, cost_of_days, days_of
from .commitment import missing
from .cut_commitment import CutCommitment, Terms, is_true_up_of
from .words import dates_of

_ZERO = Decimal(0)


def least_of(one: CutCommitment, history: Sequence[Terms], time_zone: str) -> tuple[Money, int]:
    """The least that the price costs for the days of the period on which it was held, and how many these are."""
    commitment = one.offer.price.minimum_commitment
    assert commitment is not None, "it is cut"
    currency = one.offer.price.currency
    whole = Money(currency=currency, amount=commitment.amount)
    states = [
        State(
            since=terms.since,
            held=True if one.held_in(terms) else None,
            cost=whole if one.held_in(terms) else Money.zero(currency),
            prorated=terms.prorated,
        )
        for terms in history
    ]
    days = [
        each for each in days_of(states, one.committed.period, time_zone) if not each.cost.is_zero
    ]
    whole_days = civil_days(one.committed.whole, time_zone)
    return cost_of_days(days, whole_days, currency), sum(each.count for each in days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a cut commitment still asks for, or gives back, and how that comes about."""

    amount: Decimal
    text: str
    in_force: Interval
    is_first: bool


def settlement(
    one: CutCommitment,
    history: Sequence[Terms],
    lines: Sequence[InvoiceLine],
    *,
    time_zone: str,
    credited: Decimal = _ZERO,
    given_back: Decimal = _ZERO,
) -> Settlement | None:
    """The difference between what is missing to the least and what was billed of it; None when there is none.

    `lines` are all of the subscription, on this invoice and on others; `credited` is what credit notes took back of
    true-ups: nothing is given back twice. `given_back` is what they gave back of the other lines for unused days.
    """
    least, count = least_of(one, history, time_zone)
    own = [line for line in lines if is_true_up_of(line, one)]
    with exact():
        charges = one.charges(lines) - given_back
        billed = sum((line.amount for line in own), _ZERO)
        due = missing(least.amount, charges) - billed
        due = max(due, min(credited - billed, _ZERO)) if due < 0 else due
    if not due:
        return None
    currency = one.offer.price.currency
    commitment = one.offer.price.minimum_commitment
    assert commitment is not None, "it is cut"
    whole = Money(currency=currency, amount=commitment.amount).text
    in_force = _in_force(one, history)
    text = (
        f"Up to the minimum of {least.text} for {count} of "
        f"{civil_days(one.committed.whole, time_zone)} days at {whole} after charges of "
        f"{Money(currency=currency, amount=charges).text}, {dates_of(in_force, time_zone)}"
    )
    if own:
        text += f"; {Money(currency=currency, amount=billed).text} billed before"
    return Settlement(
        amount=due,
        text=text,
        in_force=in_force,
        is_first=not any(line.kind is LineKind.TRUE_UP for line in own),
    )


def _in_force(one: CutCommitment, history: Sequence[Terms]) -> Interval:
    """From when it was in force first to when it was last, in the period."""
    period = one.committed.period
    ends = [*(after.since for after in history[1:]), period.end_at]
    spans = [
        (max(terms.since, period.start_at), min(end_at, period.end_at))
        for terms, end_at in zip(history, ends, strict=True)
        if one.held_in(terms)
    ]
    begun = [(start_at, end_at) for start_at, end_at in spans if start_at < end_at]
    if not begun:
        return period
    return Interval(min(start for start, _ in begun), max(end for _, end in begun))
