"""Invoices before a period ends, when its usage reaches the price's threshold, and how they are taken off again.

They are payments ahead of the period's own invoice. That is rated as if there had been none; then as much is taken off
as its usage bears, and what is left is given back on the invoices that billed it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from .charges import Charge
from .expected import Expected
from .lines import Line, total

Key = tuple[object, ...]
_ZERO = Decimal(0)


def ahead_of(invoices: Sequence[Expected], *, void: bool = False) -> dict[Key, Decimal]:
    """What is billed ahead of each span and neither taken off nor given back; or what void invoices billed so."""
    found: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for made in invoices:
        if (made.status == "void") == void:
            for line in made.lines:
                if line.is_ahead:
                    found[line.charge.key] += line.amount - line.noted
    return dict(found)


def is_reached(threshold: Decimal, lines: Sequence[Line], invoices: Sequence[Expected]) -> bool:
    """Whether what was used since the last invoice is enough for one; what a void one billed does not make another."""
    keys = {line.charge.key for line in lines}
    billed, void = (
        sum((amount for key, amount in some.items() if key in keys), _ZERO)
        for some in (ahead_of(invoices), ahead_of(invoices, void=True))
    )
    new = total(lines) - billed
    return new > 0 and new - void >= threshold


def taken_off(
    lines: Sequence[Line], ahead: Mapping[Key, Decimal], spans: Sequence[Charge]
) -> list[Line]:
    """What was billed ahead of these spans, as far as their usage and the whole invoice bear it."""
    usage, room = _usage(lines), total(lines)
    found = []
    for one in sorted(spans, key=lambda one: (ahead.get(one.key, _ZERO) > 0, one.start)):
        amount = ahead.get(one.key, _ZERO)
        if amount > 0:
            amount = max(min(amount, usage[one.key], room), _ZERO)
            usage[one.key] -= amount
        room -= amount
        if amount:
            found.append(Line(charge=one, amount=-amount, is_ahead=True))
    return found


def still_taken_off(billed: Sequence[Line], following: Sequence[Line]) -> list[Line]:
    """The same of a draft that was rated again: no more than usage costs now."""
    usage = _usage(billed)
    kept = []
    for one in following:
        if one.is_ahead and one.amount < 0:
            given = max(min(-one.amount, usage[one.charge.key]), _ZERO)
            usage[one.charge.key] -= given
            one = replace(one, amount=-given)
        kept.append(one)
    return kept


def left_of(invoices: Sequence[Expected]) -> list[tuple[Expected, Decimal]]:
    """What is given back of which invoice, noted at its lines, once the period is billed."""
    if any(made.status == "draft" for made in invoices):
        return []
    closed = {
        line.charge.key
        for made in invoices
        if made.status != "void"
        for line in made.lines
        if line.charge.is_usage and not (line.is_change or line.is_ahead)
    }
    left = {key: one for key, one in ahead_of(invoices).items() if key in closed and one > 0}
    found = []
    made_ahead = [made for made in invoices if made.is_ahead]
    for made in sorted(
        reversed(made_ahead),
        key=lambda made: min(line.charge.start for line in made.lines),
        reverse=True,
    ):
        if made.status not in ("finalized", "paid"):
            continue
        amount = _ZERO
        for line, room in zip(made.lines, made.creditable, strict=True):
            given = min(left.get(line.charge.key, _ZERO), room)
            if given > 0:
                left[line.charge.key] -= given
                line.noted += given
                amount += given
        if amount:
            found.append((made, amount))
    return found


def _usage(lines: Sequence[Line]) -> defaultdict[Key, Decimal]:
    found: defaultdict[Key, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line.charge.is_usage and not line.is_change:
            found[line.charge.key] += line.amount
    return found
