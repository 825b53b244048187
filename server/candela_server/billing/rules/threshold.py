"""Invoices before a period ends: what is billed ahead, and how the period's own invoice takes it off again.

What a threshold invoice bills is a payment ahead of the period's invoice, and nothing else ever counts it: the period
is rated as a whole when it ends, as if there had been no such invoice, and then what was billed ahead is taken off. So
tiers never begin anew, credits are drawn once, commitments and late usage see what they always see, and all invoices
together, less what credit notes give back of what was billed ahead and is not owed any more, come to exactly what one
would.
"""

from __future__ import annotations

from collections import defaultdict
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

    Never more than the usage of that very period costs on it, so that no other charge pays for it, nor than the whole
    invoice bears: what is left is given back on the invoices that billed it. What was taken off too much, because one
    of those was voided since, is charged.
    """
    some = [one for one in ahead if one.amount]
    room = _Room(lines)
    found = []
    with exact():
        for one in sorted(some, key=lambda one: one.amount > 0):
            amount = -room.take(one.key, one.amount) if one.amount > 0 else -one.amount
            if one.amount < 0:
                room.total += amount
            if amount:
                found.append(_line(one, amount, names(one), time_zone, line_id()))
    return found


def still_taken_off(
    following: Iterable[InvoiceLine], lines: Sequence[InvoiceLine]
) -> list[InvoiceLine]:
    """The following lines of a draft, whose other lines were rated again: no more is taken off than usage costs now."""
    room = _Room(lines)
    kept = []
    with exact():
        for line in following:
            if line.kind is LineKind.THRESHOLD and line.amount < 0 and line.component_id:
                given = -room.left((line.component_id, line.period.start_at), -line.amount)
                line = replace(line, amount=given, rated_amount=given)
            kept.append(line)
    return kept


class _Room:
    """What usage costs on an invoice, by its period, and what the whole invoice bears."""

    def __init__(self, lines: Sequence[InvoiceLine]) -> None:
        self.total = sum((line.amount for line in lines), _ZERO)
        self._usage: defaultdict[Key, Decimal] = defaultdict(Decimal)
        for line in lines:
            if line.kind in (*_CHARGES, LineKind.THRESHOLD) and line.component_id is not None:
                self._usage[line.component_id, line.period.start_at] += line.amount

    def left(self, key: Key, wanted: Decimal) -> Decimal:
        """As much of what is wanted as the usage of the period bears."""
        found = max(min(wanted, self._usage[key]), _ZERO)
        self._usage[key] -= found
        return found

    def take(self, key: Key, wanted: Decimal) -> Decimal:
        """The same, and no more than the whole invoice bears."""
        found = self.left(key, min(wanted, max(self.total, _ZERO)))
        self.total -= found
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
