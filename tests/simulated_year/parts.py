"""Components as plans are written down with: a fee, seats, usage."""

from __future__ import annotations

from typing import TypedDict, Unpack

from .sold import Part


class _Terms(TypedDict, total=False):
    """What a component may have besides its price, as in `Part`."""

    free_units: str
    minimum: str
    maximum: str
    percent_off: str
    off_periods: int
    minimum_seats: int
    included_seats: int
    bill_immediately: bool


def fee(
    amount: str, *, every: str = "month", arrears: bool = False, **terms: Unpack[_Terms]
) -> Part:
    """What is paid for each period."""
    return Part(
        name="Fee",
        kind="fixed",
        every=every,
        arrears=arrears,
        model="flat",
        terms=(amount,),
        **terms,
    )


def seats(amount: str, **terms: Unpack[_Terms]) -> Part:
    """What is paid for each month and seat."""
    return Part(
        name="Seat",
        kind="seats",
        every="month",
        arrears=False,
        model="flat",
        terms=(amount,),
        **terms,
    )


def usage(model: str, *terms: object, every: str = "month", **more: Unpack[_Terms]) -> Part:
    """What is paid for what is used."""
    return Part(
        name="Usage",
        kind="usage",
        every=every,
        arrears=True,
        model=model,
        terms=terms,
        **more,
    )
