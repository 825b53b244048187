"""What a closed period owes after its events have changed: rated anew as a whole, less what was billed (EVT-9).

Cumulative minus billed: the period is rated as if nothing had been billed, by its own price, number and credits, and
only the difference is charged. So tiers do not begin anew, packages are not rounded twice, and it does not matter how
often it is asked, in which order events came, or how many invoices bill parts of one period: what is on them is never
charged again, and what is not on any is never lost.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from candela_server.billing.model import AppliedDiscount, InvoiceLine, LineId, LineKind
from candela_server.credit.model import Draw, GrantId
from candela_server.kernel.money import exact

from .rate_invoice import InvoiceToRate, rate
from .words import dates_of, number_of

_ZERO = Decimal(0)
_FOLLOWING = frozenset({LineKind.ADJUSTMENT, LineKind.PRORATION})
_OF_USAGE = frozenset({LineKind.USAGE, LineKind.ADJUSTMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class LatePeriod:
    """A closed period of a usage component, as it stands now.

    `invoice` holds this one period, with the usage known now and grants that hold what this period may draw in all:
    what its lines drew already and what was unspent at its end; and, as earlier lines, those of other periods. `billed`
    are this period's own lines on all invoices but void ones.
    """

    line_id: LineId
    invoice: InvoiceToRate
    billed: Sequence[InvoiceLine]


def adjustment_of(late: LatePeriod) -> InvoiceLine | None:
    """The line that brings what was billed to what is owed; None when they agree.

    Negative when usage became less. It says what the difference consists of: usage, discounts, and what grants pay or
    get back.
    """
    [billed_period] = late.invoice.periods
    now = rate(replace(late.invoice, is_anew=True))
    if not now:
        return None
    with exact():
        quantity = _quantity(now) - _quantity(late.billed)
        amount = _amount(now) - _amount(late.billed)
        rated = _rated(now) - _rated(late.billed)
        draws = _draws(now, late.billed)
        discounts = _discounts(now, late.billed)
        before = _amount(late.billed) + _taken(late.billed)
    if not (quantity or amount or draws):
        return None
    first = late.billed[0]
    usage = now[0]
    component = billed_period.component
    word = "Late usage" if (quantity or amount) >= 0 else "Usage taken back"
    count = f" × {number_of(quantity)}" if quantity else ""
    return InvoiceLine(
        id=late.line_id,
        kind=LineKind.ADJUSTMENT,
        description=(
            f"{word}: {component.name}{count}, "
            f"{dates_of(billed_period.period, billed_period.time_zone)}"
        ),
        quantity=quantity,
        unit_name=usage.unit_name,
        unit_amount=usage.unit_amount,
        rated_amount=rated,
        amount=amount,
        component_id=component.id,
        price_id=usage.price_id,
        plan_version_id=first.plan_version_id,
        metric_id=usage.metric_id,
        period_number=billed_period.number,
        period=billed_period.period,
        source_line_id=first.id,
        draws=draws,
        usage_seen_at=usage.usage_seen_at,
        discounts=discounts,
        # The line of credits, if there is one, knows what they left.
        parts=now[-1].parts,
        calculation=now[-1].calculation and replace(now[-1].calculation, billed_amount=before),
    )


def within_total(
    lines: Sequence[InvoiceLine],
    adjustments: Sequence[InvoiceLine],
    *,
    to_come: Decimal = _ZERO,
) -> list[InvoiceLine]:
    """The adjustments as far as an invoice with these other lines can bear them: its total is never negative.

    `to_come` is what will be on the invoice besides, at least.

    What an invoice cannot give back is owed still: it is not billed, so whoever looks next finds it again.
    """
    with exact():
        room = (
            to_come + _amount(lines) + sum((max(one.amount, _ZERO) for one in adjustments), _ZERO)
        )
        kept = []
        for line in adjustments:
            if line.amount < 0:
                given = max(line.amount, -max(room, _ZERO))
                room += given
                if given != line.amount:
                    line = replace(
                        line,
                        amount=given,
                        rated_amount=given,
                        discounts=(),
                        calculation=line.calculation
                        and replace(
                            line.calculation,
                            billed_amount=line.calculation.billed_amount + _taken([line]),
                            left_amount=line.calculation.left_amount + line.amount - given,
                        ),
                    )
            kept.append(line)
    return [
        line
        for line in kept
        if line.amount or line.draws or (line.quantity and line.kind is not LineKind.THRESHOLD)
    ]


def leaves_something(lines: Sequence[InvoiceLine]) -> bool:
    """Whether these lines of an invoice say that it could not give all back of some usage."""
    return any(line.calculation is not None and line.calculation.left_amount for line in lines)


def borne(
    lines: Sequence[InvoiceLine],
    *,
    to_come: Decimal = _ZERO,
    returning: Collection[GrantId] = (),
) -> list[InvoiceLine]:
    """The lines of a new invoice with what it cannot give back left out: of late usage and of changed periods together.

    None at all where it would only give back, or ask for nothing: the next one does, and after an end give_back_days
    and give_back_usage do. But what gives credits back to grants of `returning` is on an invoice of nothing, where no
    other can say it. `to_come` is what will be on the invoice besides, at least.
    """
    billed = [line for line in lines if line.kind not in _FOLLOWING]
    kept = [
        line
        for line in within_total(
            billed, [line for line in lines if line.kind in _FOLLOWING], to_come=to_come
        )
        if line.amount or line.kind is LineKind.ADJUSTMENT
    ]
    if not billed and not to_come and _amount(kept) <= 0:
        return within_total([], [line for line in lines if _returns(line, returning)])
    return [*billed, *kept]


def _returns(line: InvoiceLine, grants: Collection[GrantId]) -> bool:
    return line.amount <= 0 and any(
        draw.amount < 0 and draw.grant_id in grants for draw in line.draws
    )


def _amount(lines: Sequence[InvoiceLine]) -> Decimal:
    return sum((line.amount for line in lines), _ZERO)


def _taken(lines: Sequence[InvoiceLine]) -> Decimal:
    """What discounts took off."""
    return sum((one.amount for line in lines for one in line.discounts), _ZERO)


def _rated(lines: Sequence[InvoiceLine]) -> Decimal:
    return sum((line.rated_amount for line in lines), _ZERO)


def _quantity(lines: Sequence[InvoiceLine]) -> Decimal:
    return sum((line.quantity for line in lines if line.kind in _OF_USAGE), _ZERO)


def _draws(now: Sequence[InvoiceLine], billed: Sequence[InvoiceLine]) -> tuple[Draw, ...]:
    """What each grant pays more than before; negative when it gets something back."""
    more: dict[GrantId, Draw] = {}
    for sign, lines in ((1, now), (-1, billed)):
        for line in lines:
            for draw in line.draws:
                before = more.get(draw.grant_id, Draw(draw.grant_id, _ZERO))
                cost = draw.cost_basis and replace(
                    draw.cost_basis,
                    amount=sign * draw.cost_basis.amount
                    + (before.cost_basis.amount if before.cost_basis else _ZERO),
                )
                more[draw.grant_id] = Draw(
                    draw.grant_id, before.amount + sign * draw.amount, cost or before.cost_basis
                )
    return tuple(draw for draw in more.values() if draw.amount)


def _discounts(
    now: Sequence[InvoiceLine], billed: Sequence[InvoiceLine]
) -> tuple[AppliedDiscount, ...]:
    """What each discount takes more than before."""
    found: dict[tuple[bool, int], AppliedDiscount] = {}
    for sign, lines in ((1, now), (-1, billed)):
        for line in lines:
            for one in line.discounts:
                key = one.of_price, one.position
                before = found.get(key, replace(one, amount=_ZERO))
                found[key] = replace(before, amount=before.amount + sign * one.amount)
    return tuple(one for one in found.values() if one.amount)
