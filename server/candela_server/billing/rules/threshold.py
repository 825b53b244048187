"""Invoices before a period ends: what is billed ahead, and how the period's own invoice takes it off again.

What a threshold invoice bills is a payment ahead of the period's invoice, and nothing else ever counts it: the period
is rated as a whole when it ends, as if there had been no such invoice, and then what was billed ahead is taken off. So
tiers never begin anew, credits are drawn once, commitments and late usage see what they always see, and all invoices
together come to exactly what one would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.catalog.model import MetricId, Offer, PlanVersionId
from candela_server.catalog.price import Charge, ComponentId, PriceId
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact

from .words import dates_of

_ZERO = Decimal(0)
_CHARGES = frozenset({LineKind.USAGE, LineKind.USAGE_CREDIT})

Key = tuple[ComponentId, datetime]
"""A component's period, by its beginning: a change may still move its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledAhead:
    """What threshold invoices billed of one period, less what was taken off again; negative when that was too much,
    because one of them was voided since.
    """

    component_id: ComponentId
    price_id: PriceId
    plan_version_id: PlanVersionId
    metric_id: MetricId
    number: int
    period: Interval
    first_line_id: LineId
    amount: Decimal

    @property
    def key(self) -> Key:
        """Which period it is."""
        return self.component_id, self.period.start_at


def as_it_runs(offer: Offer) -> Offer:
    """The offer by which a running period is looked at: a period's minimum is not owed before it ends."""
    components = tuple(
        replace(
            one,
            charge=replace(one.charge, minimum=None),
            time_rules=tuple(
                replace(rule, change=replace(rule.change, minimum=None))
                if isinstance(rule.change, Charge)
                else rule
                for rule in one.time_rules
            ),
        )
        for one in offer.price.components
    )
    price = replace(offer.price, components=components, minimum_commitment=None)
    return replace(offer, price=price)


def reaches(
    threshold: Decimal,
    charges: Sequence[InvoiceLine],
    ahead: Iterable[BilledAhead],
    void: Decimal = _ZERO,
) -> bool:
    """Whether what was charged since the last threshold invoice is enough for another.

    What void ones billed (`void`) is owed, but does not make another by itself: it was voided for a reason.
    """
    with exact():
        billed = sum((one.amount for one in ahead), _ZERO)
        new = sum((line.amount for line in charges), _ZERO) - billed
    return new > 0 and new - void >= threshold


def charges_so_far(lines: Sequence[InvoiceLine], now: datetime) -> list[InvoiceLine]:
    """The usage charges among the lines of running periods, as a threshold invoice shows them.

    They draw nothing: what credits cover is not charged, and is drawn by the period's own invoice.
    """
    return [
        replace(
            line,
            kind=LineKind.THRESHOLD,
            description=f"So far: {line.description}",
            used_during=Interval(line.period.start_at, min(now, line.period.end_at)),
            draws=(),
        )
        for line in lines
        if line.kind in _CHARGES
    ]


def taken_off(
    ahead: Iterable[BilledAhead],
    lines: Sequence[InvoiceLine],
    *,
    names: Callable[[BilledAhead], str],
    time_zone: str,
    line_id: Callable[[], LineId],
) -> list[InvoiceLine]:
    """The lines that take what was billed ahead off an invoice with these other lines.

    As far as the invoice bears it, whose total is never negative: what is left is found again by the next one. What was
    taken off too much, because a threshold invoice was voided since, is charged.
    """
    some = [one for one in ahead if one.amount]
    with exact():
        room = sum((line.amount for line in lines), _ZERO)
        room += sum((-one.amount for one in some if one.amount < 0), _ZERO)
        found = []
        for one in some:
            amount = -min(one.amount, max(room, _ZERO)) if one.amount > 0 else -one.amount
            room += min(amount, _ZERO)
            if amount:
                found.append(_line(one, amount, names(one), time_zone, line_id()))
    return found


def _line(
    one: BilledAhead, amount: Decimal, name: str, time_zone: str, line_id: LineId
) -> InvoiceLine:
    text = "Billed already" if amount < 0 else "Billed already, on an invoice that is void now"
    return InvoiceLine(
        id=line_id,
        kind=LineKind.THRESHOLD,
        description=f"{text}: {name}, {dates_of(one.period, time_zone)}",
        quantity=Decimal(1),
        unit_name="",
        unit_amount=None,
        rated_amount=amount,
        amount=amount,
        component_id=one.component_id,
        price_id=one.price_id,
        plan_version_id=one.plan_version_id,
        metric_id=one.metric_id,
        period_number=one.number,
        period=one.period,
        source_line_id=one.first_line_id,
        draws=(),
        usage_seen_at=None,
    )
