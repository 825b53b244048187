"""Which discounts can go together (DSL-4)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.price import Discount, DiscountDuration, PercentOff
from candela_server.kernel.errors import FieldViolations

MAX_DISCOUNTS = 20
MAX_PERIODS = 1200
"""A hundred years of months: what begins or ends later never does."""

_HUNDRED = Decimal(100)


def check_discounts(discounts: Sequence[Discount]) -> None:
    """Raises InvalidInput for discounts that could never take anything off.

    Discounts follow on one another, each on what the one before it left: two of 10 % take 19 %, and no stack takes
    more than there is. So after one of 100 % there is nothing left for as long as that one lasts.
    """
    with FieldViolations() as fields:
        if len(discounts) > MAX_DISCOUNTS:
            fields.add("", f"must be at most {MAX_DISCOUNTS}, not {len(discounts)}")
        for number, discount in enumerate(discounts):
            for before, whole in enumerate(discounts[:number]):
                if _takes_all(whole) and _lasts(whole) >= _lasts(discount):
                    fields.add(
                        f"[{number}]",
                        f"could never take anything off: [{before}] before it takes 100 % of the "
                        f"same periods; leave one of them away",
                    )
                    break


def _takes_all(discount: Discount) -> bool:
    return isinstance(discount.off, PercentOff) and discount.off.percent == _HUNDRED


def _lasts(discount: Discount) -> int:
    """How many periods a discount lasts; one more than any count for ever."""
    match discount.duration:
        case DiscountDuration.ONCE:
            return 1
        case DiscountDuration.REPEATING:
            assert discount.period_count is not None, "the wire requires it"
            return discount.period_count
        case DiscountDuration.FOREVER:
            return MAX_PERIODS + 1
