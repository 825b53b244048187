"""Adds to invoices what changes in the middle of a period cost or give back (SEAT-1, SUB-6).

Every invoice of a subscription that was ever changed looks at the periods that a change cut; what is found is the
difference to all that was billed of them, on drafts too. So it is on one invoice, whichever comes first: the one that a
change asks for at once, or the next regular one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from candela_server.catalog.model import Offer
from candela_server.catalog.price import (
    BillingTiming,
    Component,
    ComponentKind,
    PercentOff,
)
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Proration, Subscription, SubscriptionId
from candela_server.subscription.rules.reschedule import BILLED

from . import credit_note_store
from .bill_periods import REMEMBERED, Context, read_billed_lines
from .model import InvoiceLine, LineId, LineKind
from .rules.changed_periods import State, cost_at_start, days_of, difference, held_at_start
from .rules.invoice_lines import BilledPeriod
from .rules.late_usage import within_total
from .rules.rate_invoice import InvoiceToRate, rate
from .rules.words import dates_of

_OF_PERIOD = frozenset({LineKind.RECURRING, LineKind.PRORATION})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """A component's period in which something changed first at `at`."""

    component: Component
    offer: Offer
    anchor_at: datetime
    number: int
    period: Interval
    at: datetime


async def with_changed_periods(
    tx: Tx,
    context: Context,
    lines: Mapping[SubscriptionId, list[InvoiceLine]],
    *,
    now: datetime,
    to_come: Mapping[SubscriptionId, Decimal],
) -> dict[SubscriptionId, list[InvoiceLine]]:
    """The lines of each subscription's new invoice with the differences of its cut periods behind them.

    What the invoice cannot give back, the next one does; `to_come` is what will be on it besides.
    """
    since = now - REMEMBERED
    changed = [
        one_id
        for one_id in lines
        if any(one.version.valid_from > since for one in context.histories[one_id][1:])
    ]
    found = dict(lines)
    if not changed:
        return found
    billed = await read_billed_lines(tx, changed, now)
    before = {one_id: [one.line for one in billed.get(one_id, ())] for one_id in changed}
    credited = await credit_note_store.sum_credited_of_lines(
        tx, [line.id for some in before.values() for line in some if line.kind in _OF_PERIOD]
    )
    for one_id in changed:
        history, due = context.histories[one_id], lines[one_id]
        known = [*before[one_id], *due]
        cuts = {
            (cut.component.id, cut.period.start_at): cut
            for cut in sorted(_cuts(history, context, since), key=lambda one: one.at, reverse=True)
        }
        made = []
        for cut in sorted(
            cuts.values(),
            key=lambda one: (one.period.start_at, one.offer.price.id, one.component.position),
        ):
            line = _difference(context, history, cut, known, credited)
            if line is not None:
                made.append(line)
        more = to_come.get(one_id, Decimal(0))
        if not due and not more and sum(line.amount for line in made) <= 0:
            # No invoice that only gives back; the next one does.
            continue
        kept = [line for line in within_total(due, made, to_come=more) if line.amount]
        found[one_id] = [*due, *kept]
    return found


def _cuts(history: Sequence[Subscription], context: Context, since: datetime) -> Iterator[_Cut]:
    """The periods of what is not usage within which a version began, of what was held before it or after."""
    for before, after in pairwise(history):
        at = after.version.valid_from
        if at <= since:
            continue
        for one in (before, after):
            if one.version.status not in BILLED or at < one.anchor_at:
                continue
            offer = context.offer_of(one)
            for component in offer.price.components:
                if component.kind is ComponentKind.USAGE:
                    continue
                rule = component.recurrence_in(one.time_zone)
                number = rule.period_number_at(one.anchor_at, at)
                period = rule.period(one.anchor_at, number)
                if period.start_at < at:
                    yield _Cut(
                        component=component,
                        offer=offer,
                        anchor_at=one.anchor_at,
                        number=number,
                        period=period,
                        at=at,
                    )


def _difference(
    context: Context,
    history: Sequence[Subscription],
    cut: _Cut,
    known: Sequence[InvoiceLine],
    credited: Mapping[LineId, Decimal],
) -> InvoiceLine | None:
    component, currency = cut.component, cut.offer.price.currency
    own = [
        line
        for line in known
        if line.component_id == component.id
        and line.period == cut.period
        and line.kind in _OF_PERIOD
    ]
    base = next((line for line in own if line.kind is LineKind.RECURRING), None)
    states = _states(context, history, cut, base)
    if all(one.held == states[0].held for one in states):
        return None
    days = days_of(states, cut.period, history[-1].time_zone)
    whole_first = held_at_start(states, cut.period)
    as_begun = len(days) == 1 and days[0].cost == cost_at_start(states, cut.period)
    if as_begun and whole_first and not any(one.kind is LineKind.PRORATION for one in own):
        return None
    # What was not billed as a whole, or is not yet, has nothing to be compared with.
    if base is None and (whole_first or component.timing is BillingTiming.IN_ARREARS):
        return None
    time_zone = history[-1].time_zone
    rule = component.recurrence_in(time_zone)
    whole = rule.whole_period(cut.anchor_at, 0) if cut.number == 0 else cut.period
    billed = Money(currency=currency, amount=sum((line.amount for line in own), Decimal(0)))
    due = difference(
        states,
        period=cut.period,
        whole=whole,
        time_zone=time_zone,
        billed=billed,
        credited=Money(
            currency=currency,
            amount=sum((credited.get(line.id, Decimal(0)) for line in own), Decimal(0)),
        ),
    )
    if due.is_zero:
        return None
    whole_days = civil_days(whole, time_zone)
    parts = [
        f"{one.count} of {whole_days} days at {one.cost.text}"
        for one in days
        if not one.cost.is_zero
    ]
    text = f"{component.name}, {dates_of(cut.period, time_zone)}: {' + '.join(parts) or 'not held'}"
    if own:
        text += f"; {billed.text} billed before"
    return InvoiceLine(
        id=LineId(new_id("line")),
        kind=LineKind.PRORATION,
        description=text,
        quantity=_held_last(context, history, cut),
        unit_name="seats" if component.seats else "",
        unit_amount=None,
        rated_amount=due.amount,
        amount=due.amount,
        component_id=component.id,
        price_id=cut.offer.price.id,
        plan_version_id=cut.offer.version.id,
        metric_id=None,
        period_number=cut.number,
        period=cut.period,
        source_line_id=base.id if base else None,
        draws=(),
        usage_seen_at=None,
        used_during=Interval(cut.at, cut.period.end_at),
    )


def _states(
    context: Context, history: Sequence[Subscription], cut: _Cut, base: InvoiceLine | None
) -> list[State]:
    """What was held of the component under each version, and what a whole period of that costs."""
    costs: dict[Decimal, Money] = {}
    states = []
    for one in history:
        quantity = _held(context, one, cut)
        if quantity is not None and quantity not in costs:
            costs[quantity] = _cost(one, cut, quantity, base)
        states.append(
            State(
                since=one.version.valid_from,
                held=quantity,
                cost=Money.zero(one.currency) if quantity is None else costs[quantity],
                prorated=one.version.proration is not Proration.NONE,
            )
        )
    return states


def _held(context: Context, one: Subscription, cut: _Cut) -> Decimal | None:
    """How much was held of the component under a version; 1 of a fixed one, None of what was not held."""
    held = (
        one.version.status in BILLED
        and any(each.id == cut.component.id for each in context.offer_of(one).price.components)
        and one.anchor_at == cut.anchor_at
    )
    if not held:
        return None
    if cut.component.kind is ComponentKind.FIXED:
        return Decimal(1)
    return one.version.quantities.get(cut.component.id, Decimal(0))


def _held_last(context: Context, history: Sequence[Subscription], cut: _Cut) -> Decimal:
    return next(
        (
            _held(context, one, cut) or Decimal(0)
            for one in reversed(history)
            if one.version.valid_from < cut.period.end_at
        ),
        Decimal(0),
    )


def _cost(one: Subscription, cut: _Cut, quantity: Decimal, base: InvoiceLine | None) -> Money:
    """What a whole period costs with so much held, net of discounts.

    Money off the price, which its components share, is that of the line that billed the period.
    """
    price = cut.offer.price
    percents = tuple(one for one in price.discounts if isinstance(one.off, PercentOff))
    bare = replace(price, discounts=percents, minimum_commitment=None)
    lines = rate(
        InvoiceToRate(
            offer=replace(cut.offer, price=bare),
            anchor_at=cut.anchor_at,
            time_zone=one.time_zone,
            periods=[
                BilledPeriod(
                    offer=replace(cut.offer, price=bare),
                    component=cut.component,
                    number=cut.number,
                    period=cut.period,
                    time_zone=one.time_zone,
                    held=quantity,
                    used=Decimal(0),
                    usage_seen_at=None,
                    grants=(),
                    line_id=LineId(""),
                    credit_line_id=LineId(""),
                )
            ],
        )
    )
    shared = sum(
        (
            discount.amount
            for discount in (base.discounts if base else ())
            if discount.of_price and discount.percent is None
        ),
        Decimal(0),
    )
    amount = sum((line.amount for line in lines), Decimal(0)) - shared
    return Money(currency=price.currency, amount=max(amount, Decimal(0)))
