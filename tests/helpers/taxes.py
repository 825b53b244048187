"""Tax settings and buyers for tests; each names only what a test is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from candela_server.billing.tax_settings import TaxMode, TaxRate, TaxSettings
from candela_server.customer.model import Address, Customer, CustomerId


def settings(
    mode: str = "manual_rates",
    *,
    seller: str = "DE",
    percent: str | None = None,
    rates: Mapping[str, str] | None = None,
    nexus: tuple[str, ...] = (),
    inclusive: bool = False,
) -> TaxSettings:
    """What a merchant set; rates by COUNTRY or COUNTRY-REGION."""
    return TaxSettings(
        mode=TaxMode(mode),
        default_percent=None if percent is None else Decimal(percent),
        default_name="VAT",
        rates=tuple(
            TaxRate(
                country=place.partition("-")[0],
                region=place.partition("-")[2],
                name="VAT",
                percent=Decimal(one),
            )
            for place, one in (rates or {}).items()
        ),
        us_nexus_states=frozenset(nexus),
        prices_include_tax=inclusive,
        seller_country=seller,
    )


def buyer(
    place: str = "", *, tax_id: str | None = None, business_name: str | None = None
) -> Customer:
    """Who buys, at COUNTRY or COUNTRY-REGION; nowhere known when empty."""
    country, _, region = place.partition("-")
    return Customer(
        id=CustomerId("cus_1"),
        name="Acme",
        external_id=None,
        email=None,
        business_name=business_name,
        tax_id=tax_id,
        address=Address(country=country, region=region) if country else None,
        time_zone="UTC",
        test_clock_id=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
