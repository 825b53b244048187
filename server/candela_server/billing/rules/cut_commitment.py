"""What is missing to a minimum commitment that was in force for a part of its period only (DSL-10, SUB-6).

The rule. A commitment is prorated as a fee is: by the calendar days of its period, in the subscription's zone, on which
the price was held; the day of a change belongs to what is held at its end. So the parts of two prices that follow on
one another add up to whole periods, and a change and its undo on one day change nothing. A pause and an end cut it too.
A change that prorates nothing leaves it whole until its period ends, as it leaves the fees.

For its days a price costs at least its part of the commitment: what counts is what its own components were billed for
that period, net of discounts and of what was given back for other days, by invoices or by credit notes, usage up to the
instant of the change. Two prices are never made up for together, nor are the periods before an end and after a return.
It is settled once, as a difference to what was billed: when the price is held no more and its last usage is billed, or
else when the period is over. A price that is taken up again within the period is settled for all its days at its end.

Where components were swapped, the price is still the one that was sold, and its commitment goes on as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentId, Price, PriceId
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, exact
from candela_server.kernel.time_zone import civil_days

from .changed_periods import State, cost_of_days, days_of
from .commitment import CommittedPeriod, counted_charges, missing, periods_ending
from .words import dates_of

_MICROSECOND = timedelta(microseconds=1)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was held from an instant on: `offer` is None where nothing is billed, as in a pause or after the end.

    Other quantities leave a commitment whole, but what they charge and give back within its period counts.
    """

    since: datetime
    offer: Offer | None
    anchor_at: datetime
    prorated: bool = True
    quantities: Mapping[ComponentId, Decimal] = field(default_factory=dict)

    @property
    def committed_to(self) -> tuple[PriceId, datetime] | None:
        """Whose commitment is in force, and what its periods are counted from."""
        if self.offer is None or self.offer.price.minimum_commitment is None:
            return None
        return self.offer.price.sold_as, self.anchor_at


@dataclass(frozen=True, slots=True, kw_only=True)
class CutCommitment:
    """One period of a price's commitment in which, or at whose ends, the terms changed.

    `offers` are those of the price and of its variations, the last one held at the end. `anchored_until` is when
    periods were counted anew from another instant, as after a return; None when they never were.
    """

    offers: Sequence[Offer]
    anchor_at: datetime
    anchored_until: datetime | None
    committed: CommittedPeriod

    @property
    def offer(self) -> Offer:
        """By what its lines are made."""
        return self.offers[-1]

    @property
    def key(self) -> tuple[PriceId, datetime, int]:
        """Tells it apart."""
        return self.offer.price.sold_as, self.anchor_at, self.committed.number

    @property
    def prices(self) -> list[Price]:
        """The prices whose lines count."""
        return [one.price for one in self.offers]

    def is_of_its_time(self, period: Interval) -> bool:
        """Whether the period of a charge is counted as those of the commitment are."""
        until = self.anchored_until
        return self.anchor_at <= period.start_at and (until is None or period.start_at < until)

    def charges(self, lines: Sequence[InvoiceLine]) -> Decimal:
        """What of these lines counts for it."""
        own = [line for line in lines if self.is_of_its_time(line.period)]
        return counted_charges(self.prices, self.committed.period, own)

    def held_in(self, terms: Terms) -> bool:
        """Whether it is in force under these terms."""
        return terms.committed_to == self.key[:2]

    def is_over(self, now_held: Terms, now: datetime) -> bool:
        """Whether no day can be added to it any more, but by taking the price up again."""
        return self.committed.period.end_at <= now or not self.held_in(now_held)


def committed_to_at(history: Sequence[Terms], instant: datetime) -> tuple[PriceId, datetime] | None:
    """Whose commitment is in force at an instant, and what its periods are counted from; None for nobody's."""
    return next((terms.committed_to for terms in reversed(history) if terms.since <= instant), None)


def cut_commitments(
    history: Sequence[Terms], time_zone: str, *, since: datetime | None = None
) -> list[CutCommitment]:
    """The periods around each change of what is held, or of how much, after an instant; oldest first.

    With them are whole ones that were over before a change, but that nothing was billed after which would have settled
    them. Most histories have none.
    """
    if not any(one.committed_to for one in history):
        return []
    # What changes nothing, such as an end that is called off, begins nothing either.
    steps = [
        one for one, last in zip(history, [None, *history], strict=False) if not _same(last, one)
    ]
    found: dict[tuple[PriceId, datetime, int], CutCommitment] = {}
    for before, after in pairwise(steps):
        if since is not None and after.since <= since:
            continue
        for one in _around(history, before, after, time_zone):
            found.setdefault(one.key, one)
    return sorted(found.values(), key=lambda one: (one.committed.period.start_at, one.key))


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


def is_true_up_of(line: InvoiceLine, one: CutCommitment) -> bool:
    """Whether a line bills, or corrects, what was missing to the commitment in its period."""
    return (
        line.component_id is None
        and line.kind in (LineKind.TRUE_UP, LineKind.ADJUSTMENT)
        and line.period == one.committed.period
        and line.price_id in {price.id for price in one.prices}
    )


def _same(before: Terms | None, after: Terms) -> bool:
    def what(terms: Terms | None) -> object:
        return terms and (
            terms.anchor_at,
            terms.offer.price.id if terms.offer else None,
            terms.quantities,
        )

    return what(before) == what(after)


def _around(
    history: Sequence[Terms], before: Terms, after: Terms, time_zone: str
) -> list[CutCommitment]:
    at = after.since
    found = []
    if _was_in_force(before, at - _MICROSECOND):
        assert before.offer is not None, "it is committed to"
        ended = periods_ending(before.offer.price, before.anchor_at, time_zone, at)
        found += [
            _cut(history, before, each) for each in ended if before.since < each.period.end_at
        ]
        found.append(_cut(history, before, _period_at(before, at - _MICROSECOND, time_zone)))
    if _was_in_force(after, at):
        begun = _period_at(after, at, time_zone)
        # What begins with a period is cut by nothing.
        if begun.period.start_at < at:
            found.append(_cut(history, after, begun))
    return found


def _was_in_force(terms: Terms, instant: datetime) -> bool:
    """Whether a commitment was; what was left at the very instant at which it was taken never was."""
    return terms.committed_to is not None and instant >= max(terms.anchor_at, terms.since)


def _period_at(terms: Terms, instant: datetime, time_zone: str) -> CommittedPeriod:
    assert terms.offer is not None, "it is committed to"
    commitment = terms.offer.price.minimum_commitment
    assert commitment is not None, "it is committed to"
    rule = commitment.recurrence_in(time_zone)
    number = rule.period_number_at(terms.anchor_at, instant)
    return CommittedPeriod(
        number=number,
        period=rule.period(terms.anchor_at, number),
        whole=rule.whole_period(terms.anchor_at, number),
    )


def _cut(history: Sequence[Terms], terms: Terms, committed: CommittedPeriod) -> CutCommitment:
    offers: dict[PriceId, Offer] = {}
    for one in history:
        if (
            one.offer
            and one.committed_to == terms.committed_to
            and one.since < committed.period.end_at
        ):
            # The one held last stands at the end.
            offers.pop(one.offer.price.id, None)
            offers[one.offer.price.id] = one.offer
    return CutCommitment(
        offers=tuple(offers.values()),
        anchor_at=terms.anchor_at,
        anchored_until=min(
            (one.anchor_at for one in history if one.anchor_at > terms.anchor_at), default=None
        ),
        committed=committed,
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
