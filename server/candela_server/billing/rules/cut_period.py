"""What a period in which something changed costs by its days, less what was billed of it (SEAT-1, SUB-6).

What a state costs is told by the code that bills periods, with the discounts that the period had: so a state that goes
on costs what was billed for it. A short first period is its own measure: its days share what all of it comes to, money
off it included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.billing.credit_note import CreditedOfLine
from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.catalog.model import Offer
from candela_server.catalog.price import (
    AmountOff,
    BillingTiming,
    Component,
    ComponentKind,
    Discount,
)
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days
from candela_server.subscription.model import Proration, Subscription
from candela_server.subscription.rules.reschedule import BILLED

from .changed_periods import State, cost_at_start, days_of, difference, held_at_start
from .invoice_lines import BilledPeriod
from .rate_invoice import InvoiceToRate, rate
from .words import dates_of

OF_PERIOD = frozenset({LineKind.RECURRING, LineKind.PRORATION})
"""The lines that bill a period of what is not usage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A component's period in which something changed first at `at`."""

    component: Component
    offer: Offer
    anchor_at: datetime
    number: int
    period: Interval
    at: datetime


NOT_CREDITED = CreditedOfLine()


def cut_difference(
    line_id: LineId,
    history: Sequence[Subscription],
    offer_of: Callable[[Subscription], Offer],
    cut: Cut,
    known: Sequence[InvoiceLine],
    credited: Mapping[LineId, CreditedOfLine],
) -> InvoiceLine | None:
    """The line that brings what is billed of the period to what its days cost; None when it does already.

    `offer_of` says what each version of the subscription was sold by: a component may belong to several prices.
    `known` are the subscription's lines, those of the invoice that is being made too; `credited` is what credit notes
    took back of them. What they took back for days is billed no more; the rest only bounds what can be given back.
    """
    component, currency = cut.component, cut.offer.price.currency
    own = lines_of_cut(cut, known)
    notes = [credited.get(line.id, NOT_CREDITED) for line in own]
    base = next((line for line in own if line.kind is LineKind.RECURRING), None)
    states = _states(history, offer_of, cut, base)
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
    billed = Money(
        currency=currency,
        amount=sum((line.amount for line in own), Decimal(0))
        - sum((one.for_days for one in notes), Decimal(0)),
    )
    due = difference(
        states,
        period=cut.period,
        time_zone=time_zone,
        billed=billed,
        credited=Money(
            currency=currency,
            amount=sum((one.otherwise for one in notes), Decimal(0)),
        ),
    )
    if due.is_zero:
        return None
    all_days = civil_days(cut.period, time_zone)
    parts = [
        f"{one.count} of {all_days} days at {one.cost.text}" for one in days if not one.cost.is_zero
    ]
    text = f"{component.name}, {dates_of(cut.period, time_zone)}: {' + '.join(parts) or 'not held'}"
    if own:
        text += f"; {billed.text} billed before"
    return InvoiceLine(
        id=line_id,
        kind=LineKind.PRORATION,
        description=text,
        quantity=_held_last(states, cut),
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


def lines_of_cut(cut: Cut, known: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    """The lines that bill the cut period."""
    return [
        line
        for line in known
        if line.component_id == cut.component.id
        and line.period == cut.period
        and line.kind in OF_PERIOD
    ]


def _states(
    history: Sequence[Subscription],
    offer_of: Callable[[Subscription], Offer],
    cut: Cut,
    base: InvoiceLine | None,
) -> list[State]:
    """What was held of the component under each version, and what a whole period of that costs."""
    costs: dict[Decimal, Money] = {}
    states = []
    for one in history:
        quantity = _held(one, offer_of(one), cut)
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


def _held(one: Subscription, offer: Offer, cut: Cut) -> Decimal | None:
    """How much was held of the component under a version; 1 of a fixed one, None of what was not held."""
    held = (
        one.version.status in BILLED
        and any(each.id == cut.component.id for each in offer.price.components)
        and one.anchor_at == cut.anchor_at
    )
    if not held:
        return None
    if cut.component.kind is ComponentKind.FIXED:
        return Decimal(1)
    return one.version.quantities.get(cut.component.id, Decimal(0))


def _held_last(states: Sequence[State], cut: Cut) -> Decimal:
    for one in reversed(states):
        if one.since < cut.period.end_at:
            return one.held if isinstance(one.held, Decimal) else Decimal(0)
    return Decimal(0)


def _cost(one: Subscription, cut: Cut, quantity: Decimal, base: InvoiceLine | None) -> Money:
    """What the whole period costs with so much held, net of discounts.

    Money off the price, which its components share, takes what it took off the line that billed the period.
    """
    price = cut.offer.price
    discounts = tuple(
        _off_the_line(discount, position, base) for position, discount in enumerate(price.discounts)
    )
    offer = replace(cut.offer, price=replace(price, discounts=discounts, minimum_commitment=None))
    rule = cut.component.recurrence_in(one.time_zone)
    lines = rate(
        InvoiceToRate(
            offer=offer,
            anchor_at=cut.anchor_at,
            time_zone=one.time_zone,
            periods=[
                BilledPeriod(
                    offer=offer,
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
                    whole=rule.whole_period(cut.anchor_at, cut.number),
                )
            ],
        )
    )
    amount = sum((line.amount for line in lines), Decimal(0))
    return Money(currency=price.currency, amount=amount)


def _off_the_line(discount: Discount, position: int, base: InvoiceLine | None) -> Discount:
    """A price's discount, with what it took off this line for its amount."""
    if not isinstance(discount.off, AmountOff):
        return discount
    taken = sum(
        (
            one.amount
            for one in (base.discounts if base else ())
            if one.of_price and one.position == position
        ),
        Decimal(0),
    )
    return replace(discount, off=AmountOff(amount=taken))
