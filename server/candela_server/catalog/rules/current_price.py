"""Which of a plan's prices are on public sale: the latest of each currency and interval (CAT-5)."""

from __future__ import annotations

from collections.abc import Iterable

from candela_server.catalog.price import Price


def current_prices(prices: Iterable[Price]) -> tuple[Price, ...]:
    """The latest price of each currency and interval; private and archived ones are never among them (CAT-7)."""
    latest: dict[tuple[str, tuple[str, ...]], Price] = {}
    for price in sorted(prices, key=lambda price: (price.created_at, price.id)):
        if price.private_customer_id is None and price.archived_at is None:
            latest[price.currency, price.cadence] = price
    return tuple(latest.values())
