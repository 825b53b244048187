"""Tells what happened to a subscription whose invoices are not what the model says, up to the first difference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from candela_server.billing.model import Invoice

from .happening import Life, Operation, Use
from .model import Account, Expected


def difference_of(want: Sequence[Expected], got: Sequence[Invoice]) -> int | None:
    """The number of the first invoice that is not as expected; None when all are."""
    for number, (a, b) in enumerate(zip_longest(want, got)):
        if a is None or b is None or _expected(a) != _made(b):
            return number
    return None


def _expected(one: Expected) -> tuple[object, ...]:
    return (one.made_at, one.subtotal, one.tax.amount, one.tax.reason, one.total)


def _made(one: Invoice) -> tuple[object, ...]:
    return (one.created_at, one.subtotal, one.tax_amount, one.tax.reason, one.total)


def story(
    life: Life,
    name: str,
    account: Account,
    got: Sequence[Invoice],
    refused: Sequence[Operation],
    number: int,
) -> str:
    """What was done until then, and the invoices of both sides around it."""
    told = [f"{name} in {life.time_zone}: invoice {number} differs"]
    if refused != account.refused:
        told.append(f"  refused {refused}, expected {account.refused}")
    around = slice(max(0, number - 2), number + 2)
    until = max(
        [one.made_at for one in account.invoices[around]] + [one.created_at for one in got[around]]
    )
    told += [
        f"  {one}" for one in life.of(name) if one.at <= until and not isinstance(one, Use)
    ]
    told += [f"  expected {' '.join(map(str, _expected(one)))}" for one in account.invoices[around]]
    for one in got[around]:
        told.append(f"  made     {' '.join(map(str, _made(one)))}")
        told += [f"      {line.kind}: {line.description} = {line.amount}" for line in one.lines]
    return "\n".join(told)
