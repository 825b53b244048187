"""The time-weighted sum: how much was held on average over a window (EVT-5).

Values are changes of a level. What came before the window is held for all of it; what came inside it, from its event
to the window's end:

    weighted sum = sum(value × (end - max(instant, start))) / (end - start)

So it is linear: the order of events changes nothing, a customer's is the sum of its users', and a late or a corrected
event moves it by its own part alone. Products are of decimals and whole microseconds, hence exact.
"""

from __future__ import annotations

from decimal import Decimal

from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact

from .bucket import to_microseconds


def length_us(window: Interval) -> int:
    """How many microseconds a window has."""
    return to_microseconds(window.end_at) - to_microseconds(window.start_at)


def total_held(carried: Decimal, held_inside: Decimal, window: Interval) -> Decimal:
    """Values times the microseconds that they were held within the window.

    `carried` is the sum of the values from before it, `held_inside` the same total of those that came inside it.
    """
    with exact():
        return carried * length_us(window) + held_inside
