"""Every SQL text over tax settings, and what a row of an invoice says of its tax; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from candela_server.customer.address_json import address_from_json, address_to_json
from candela_server.kernel.money import format_decimal
from candela_server.storage.postgres import Tx

from .model import TaxTerms
from .tax_settings import TaxMode, TaxRate, TaxSettings


async def get_tax_settings(tx: Tx) -> TaxSettings:
    """The merchant's settings; those of a merchant who never changed them are the defaults."""
    row = await tx.fetchrow(
        """
        SELECT mode, default_name, default_percent, rates, us_nexus_states, prices_include_tax,
               seller_country, seller_tax_id, seller_address, seller_business_name, version
        FROM tax_settings WHERE merchant_id = $1
        """,
        tx.merchant_id,
    )
    if row is None:
        return TaxSettings()
    return TaxSettings(
        mode=TaxMode(row["mode"]),
        default_name=row["default_name"],
        default_percent=row["default_percent"],
        rates=tuple(
            TaxRate(
                country=one["country"],
                region=one["region"],
                name=one["name"],
                percent=Decimal(one["percent"]),
            )
            for one in row["rates"]
        ),
        us_nexus_states=frozenset(row["us_nexus_states"]),
        prices_include_tax=row["prices_include_tax"],
        seller_country=row["seller_country"],
        seller_tax_id=row["seller_tax_id"],
        seller_address=address_from_json(row["seller_address"]),
        seller_business_name=row["seller_business_name"],
        version=row["version"],
    )


async def put_tax_settings(tx: Tx, settings: TaxSettings) -> None:
    """Stores the settings in place of earlier ones."""
    await tx.execute(
        """
        INSERT INTO tax_settings (merchant_id, mode, default_name, default_percent, rates,
                                  us_nexus_states, prices_include_tax, seller_country,
                                  seller_tax_id, version, seller_address, seller_business_name)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (merchant_id) DO UPDATE
        SET mode = $2, default_name = $3, default_percent = $4, rates = $5, us_nexus_states = $6,
            prices_include_tax = $7, seller_country = $8, seller_tax_id = $9, version = $10,
            seller_address = $11, seller_business_name = $12
        """,
        tx.merchant_id,
        settings.mode,
        settings.default_name,
        settings.default_percent,
        rates_to_json(settings),
        sorted(settings.us_nexus_states),
        settings.prices_include_tax,
        settings.seller_country,
        settings.seller_tax_id,
        settings.version,
        address_to_json(settings.seller_address),
        settings.seller_business_name,
    )


def rates_to_json(settings: TaxSettings) -> list[dict[str, Any]]:
    """The rates, as jsonb and the audit trail hold them."""
    return [
        {
            "country": one.country,
            "region": one.region,
            "name": one.name,
            "percent": format_decimal(one.percent),
        }
        for one in settings.rates
    ]


def tax_from_row(row: Mapping[str, Any]) -> TaxTerms:
    """How an invoice was taxed."""
    return TaxTerms(
        percent=row["tax_percent"],
        reason=row["tax_reason"],
        name=row["tax_name"],
        country=row["tax_country"],
        region=row["tax_region"],
        inclusive=row["tax_inclusive"],
    )
