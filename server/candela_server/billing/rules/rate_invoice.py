"""Rating: what is due together becomes the lines of one invoice. Pure: no clock, no database, no chance.

In this one order: each component's period is rated and its credits drawn (`invoice_lines`), its own discounts follow,
then the price's (`discount`), each line is rounded once, and at last the price's commitment is looked after
(`commitment`). Tax comes afterwards, on what these lines say.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.catalog.model import Offer
from candela_server.catalog.price import (
    AmountOff,
    Component,
    ComponentKind,
    PercentOff,
    Price,
    PriceId,
)
from candela_server.credit.model import GrantId
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, exact
from candela_server.kernel.recurrence import Recurrence

from .beside import Beside
from .commitment import (
    CommittedPeriod,
    committed_amount,
    counted_charges,
    left_to_reissues,
    missing,
)
from .discount import applies, reduced_anew, reduced_by, reduced_together
from .invoice_lines import BilledPeriod, Charged, charge_of
from .usage_cost import NO_PARTS, earlier_parts
from .used_beside import UsedBeside
from .words import dates_of

_ONE = Decimal(1)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueUp:
    """A commitment's period that ends with what is billed, and the id of the line that may come of it."""

    line_id: LineId
    committed: CommittedPeriod


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceToRate:
    """What falls due for one subscription at one instant, and what it depends on.

    `earlier` are the lines of the subscription's other invoices, void ones aside; needed only where
    `depends_on_earlier` says so. `voided` is what void invoices billed; needed where there are `true_ups`.
    `same_tariff` are the prices that the offer's is one with, where components were swapped (SUB-6). With `is_anew` it
    is one closed period, which is rated after all that was billed beside it. `beside` is usage that others bill, and
    that takes of the same credits in its turn, the oldest first.
    """

    offer: Offer
    anchor_at: datetime
    time_zone: str
    periods: Sequence[BilledPeriod]
    earlier: Sequence[InvoiceLine] = ()
    voided: Sequence[InvoiceLine] = ()
    true_ups: Sequence[TrueUp] = ()
    same_tariff: frozenset[PriceId] = frozenset()
    beside: Sequence[UsedBeside] = ()
    is_anew: bool = False

    @property
    def tariff(self) -> frozenset[PriceId]:
        """The prices whose lines count as this one's."""
        return self.same_tariff | {self.offer.price.id}


def rate(invoice: InvoiceToRate) -> list[InvoiceLine]:
    """The lines of an invoice, in the order of its periods; what one line draws from a grant is gone for the next."""
    charges = _price_discounts(invoice, _charges(invoice))
    lines = [line for charged in charges for line in charged.lines]
    for true_up in invoice.true_ups:
        lines += _true_up(invoice, true_up, lines)
    return lines


def depends_on_earlier(price: Price) -> bool:
    """Whether what the price costs depends on what was billed before: commitments, and amounts off a period.

    A part of a period whose beginning was cut off does so whatever its price: see `may_follow_a_part`.
    """
    return price.minimum_commitment is not None or any(
        isinstance(discount.off, AmountOff) for discount in price.discounts
    )


def may_follow_a_part(component: Component, period: Interval, whole: Interval | None) -> bool:
    """Whether usage of an earlier part of the whole period may have been billed before this part of it."""
    cut_off = whole is not None and whole.start_at < period.start_at
    return component.kind is ComponentKind.USAGE and cut_off


def _charges(invoice: InvoiceToRate) -> list[Charged]:
    """What the periods cost, in their order: the parts of one period in the order of time."""
    payers = [one.grants for one in invoice.periods] + [one.grants for one in invoice.beside]
    left = {grant.id: grant.balance for grants in payers for grant in grants}
    beside = deque(invoice.beside)
    charges: list[Charged] = []
    for billed in invoice.periods:
        while beside and beside[0].part.start_at < billed.period.start_at:
            beside.popleft().take_from(left)
        grants = [replace(grant, balance=left[grant.id]) for grant in billed.grants]
        whole, earlier = billed.whole, NO_PARTS
        if whole is not None and may_follow_a_part(billed.component, billed.period, whole):
            made = [line for charged in charges for line in charged.lines]
            earlier = earlier_parts(
                billed.component.id,
                billed.period,
                whole,
                billed.time_zone,
                [*invoice.earlier, *made],
            )
        charged = charge_of(replace(billed, grants=grants, earlier=earlier))
        if charged is None:
            continue
        charges.append(charged)
        for grant_id, amount in draws_of([charged.line, charged.credit_line]):
            left[grant_id] -= amount
    return charges


def draws_of(lines: Iterable[InvoiceLine | None]) -> list[tuple[GrantId, Decimal]]:
    """What the lines draw from which grants."""
    return [(draw.grant_id, draw.amount) for line in lines if line for draw in line.draws]


def _price_discounts(invoice: InvoiceToRate, charges: list[Charged]) -> list[Charged]:
    price = invoice.offer.price
    if not price.discounts or not charges:
        return charges
    rule = price_rule(price, invoice)
    numbers = [
        rule.period_number_at(invoice.anchor_at, one.line.period.start_at) for one in charges
    ]
    for position, discount in enumerate(price.discounts):
        lasting = [index for index, number in enumerate(numbers) if applies(discount, number)]
        match discount.off:
            case PercentOff():
                for index in lasting:
                    cost = reduced_by(charges[index].cost, discount, position, of_price=True)
                    charges[index] = replace(charges[index], cost=cost)
            case AmountOff(amount=amount):
                by_number: defaultdict[int, list[int]] = defaultdict(list)
                for index in lasting:
                    by_number[numbers[index]].append(index)
                for number, together in by_number.items():
                    beside = _beside(invoice, rule, number)
                    left = amount - beside.taken(position)
                    costs = [charges[index].cost for index in together]
                    if invoice.is_anew:
                        [cost] = costs
                        room = beside.room(price.discounts[position + 1 :])
                        reduced = [reduced_anew(cost, discount, position, left, room)]
                    else:
                        reduced = reduced_together(costs, discount, position, left)
                    for index, cost in zip(together, reduced, strict=True):
                        charges[index] = replace(charges[index], cost=cost)
    return charges


def price_rule(price: Price, invoice: InvoiceToRate) -> Recurrence:
    """When the price as a whole recurs: with the component that recurs most often, the first of several.

    The price's discounts count these periods; a line belongs to the one in which its own period begins.
    """

    def length(component: Component) -> tuple[timedelta, int]:
        period = component.recurrence_in(invoice.time_zone).period(invoice.anchor_at, 1)
        return period.duration, component.position

    return min(price.components, key=length).recurrence_in(invoice.time_zone)


def _beside(invoice: InvoiceToRate, rule: Recurrence, number: int) -> Beside:
    """What other lines bill of the price's period of this number."""
    return Beside(
        currency=invoice.offer.price.currency,
        number=number,
        lines=[
            line
            for line in invoice.earlier
            # What was billed before periods were counted anew is none of theirs.
            if line.price_id in invoice.tariff
            and line.component_id is not None
            and line.period.start_at >= invoice.anchor_at
            and rule.period_number_at(invoice.anchor_at, line.period.start_at) == number
        ],
    )


def _true_up(
    invoice: InvoiceToRate, true_up: TrueUp, lines: Sequence[InvoiceLine]
) -> list[InvoiceLine]:
    price, committed = invoice.offer.price, true_up.committed
    with exact():
        least = committed_amount(price, committed, invoice.time_zone)
        # What was charged before periods were counted anew, as by a return, counted then.
        known = [*invoice.earlier, *lines]
        known += left_to_reissues(invoice.voided, known)
        since = [one for one in known if one.period.start_at >= invoice.anchor_at]
        charges = counted_charges([price], committed.period, since)
        amount = missing(least, charges)
    if not amount:
        return []
    text = (
        f"Up to the minimum of {_text(price, least)} after charges of {_text(price, charges)}, "
        f"{dates_of(committed.period, invoice.time_zone)}"
    )
    return [
        true_up_line(
            invoice.offer, true_up.line_id, committed.number, committed.period, amount, text
        )
    ]


def true_up_line(
    offer: Offer, line_id: LineId, number: int, period: Interval, amount: Decimal, text: str
) -> InvoiceLine:
    """A line that belongs to a price and a period of its commitment, not to a component."""
    return InvoiceLine(
        id=line_id,
        kind=LineKind.TRUE_UP,
        description=text,
        quantity=_ONE,
        unit_name="",
        unit_amount=None,
        rated_amount=amount,
        amount=amount,
        component_id=None,
        price_id=offer.price.id,
        plan_version_id=offer.version.id,
        metric_id=None,
        period_number=number,
        period=period,
        source_line_id=None,
        draws=(),
        usage_seen_at=None,
    )


def _text(price: Price, amount: Decimal) -> str:
    return Money(currency=price.currency, amount=amount).text
