"""A share of what was measured, and a fee for each event that was (DSL-3)."""

from __future__ import annotations

from decimal import Decimal

_ZERO = Decimal(0)


def percentage_amount(
    quantity: Decimal, percent: Decimal, event_count: Decimal, fee_per_event: Decimal | None
) -> Decimal:
    """What `percent` of `quantity` and the fees of so many events come to. Not rounded.

    The quantity is an amount of money in the price's currency; a share of a negative one is nothing.
    """
    share = (max(quantity, _ZERO) * percent).scaleb(-2)
    return share + event_count * (fee_per_event or _ZERO)
