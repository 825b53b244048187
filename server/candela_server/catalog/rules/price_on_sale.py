"""Which of a plan's prices are sold, and which one a customer gets who names none (CAT-5, CAT-7, D19)."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.catalog.price import Price


def on_sale(prices: Sequence[Price]) -> list[Price]:
    """The latest public price of each currency and cadence, of prices that are not archived."""
    latest: dict[tuple[str, tuple[str, ...]], Price] = {}
    for price in sorted(prices, key=_age):
        if price.private_customer_id is None:
            latest[price.currency, price.cadence] = price
    return list(latest.values())


def price_for(
    prices: Sequence[Price],
    *,
    customer_id: str,
    currency: str | None,
    default_currency: str | None = None,
) -> Price | None:
    """What a customer gets who names no price: the latest that was negotiated with them, else the latest on sale.

    Of `currency` when that is named, and None when there is none; else of the default currency before any other.
    `prices` are a plan's that are not archived.
    """
    own = [price for price in prices if price.private_customer_id == customer_id]
    for offered in (own, on_sale(prices)):
        fitting = [price for price in offered if currency in (None, price.currency)]
        if fitting:
            usual = [price for price in fitting if price.currency == default_currency]
            return max(usual or fitting, key=_age)
    return None


def _age(price: Price) -> tuple[object, str]:
    return price.created_at, price.id
