"""Tells what happened to a subscription whose invoices are not what the model says, up to the first difference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from candela_server.billing.model import Invoice

from .expected import Expected
from .happening import Life, Use


def difference_of(want: Sequence[Expected], got: Sequence[Invoice]) -> int | None:
    """The number of the first invoice that is not as expected; None when all are."""
    for number, (a, b) in enumerate(zip_longest(want, got)):
        if a is None or b is None or _expected(a) != _made(b):
            return number
    return None


def _expected(one: Expected) -> tuple[object, ...]:
    tax = one.tax
    return (one.made_at, one.subtotal, tax.amount, tax.reason, one.total, one.due, one.status)


def _made(one: Invoice) -> tuple[object, ...]:
    return (
        one.created_at,
        one.subtotal,
        one.tax_amount,
        one.tax.reason,
        one.total,
        one.amount_due,
        one.status.value,
    )


def story(
    life: Life, name: str, want: Sequence[Expected], got: Sequence[Invoice], number: int
) -> str:
    """What was done until then, and the invoices of both sides around it."""
    told = [f"{name} in {life.time_zone}: invoice {number} differs"]
    around = slice(max(0, number - 2), number + 2)
    until = max([one.made_at for one in want[around]] + [one.created_at for one in got[around]])
    told += [
        f"  {one}"
        for one in life.operations
        if one.at <= until and one.subscription in name and not isinstance(one, Use)
    ]
    told += [f"  expected {' '.join(map(str, _expected(one)))}" for one in want[around]]
    for made in got[around]:
        told.append(f"  made     {' '.join(map(str, _made(made)))}")
        told += [f"      {line.kind}: {line.description} = {line.amount}" for line in made.lines]
    return "\n".join(told)
