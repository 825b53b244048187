"""Changes how a merchant's invoices are taxed from now on (TAX-2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from candela_server.customer.address_json import address_to_json
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import tax_store
from .tax_settings import TaxSettings, TaxSettingsVersionMismatchError


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateTaxSettings:
    """The settings, whole; their own version does not count."""

    settings: TaxSettings
    expected_version: int | None


async def update_tax_settings(tx: Tx, command: UpdateTaxSettings) -> TaxSettings:
    """Replaces the settings; drafts take them over when they are finalized, finalized invoices stay.

    Raises TaxSettingsVersionMismatchError.
    """
    # The merchant's row, as the settings may have none yet: of two changes, one waits for the other.
    seller = await merchant.get_merchant(tx, lock=True)
    before = await tax_store.get_tax_settings(tx)
    if command.expected_version not in (None, before.version):
        raise TaxSettingsVersionMismatchError(command.expected_version, before.version)
    after = replace(command.settings, version=before.version + 1)
    await tax_store.put_tax_settings(tx, after)
    await tx.audit("tax_settings.updated", seller.id, before=_trace(before), after=_trace(after))
    return after


def _trace(settings: TaxSettings) -> dict[str, Any]:
    return {
        "mode": settings.mode,
        "default_name": settings.default_name,
        "default_percent": settings.default_percent,
        "rates": tax_store.rates_to_json(settings),
        "us_nexus_states": sorted(settings.us_nexus_states),
        "prices_include_tax": settings.prices_include_tax,
        "seller_country": settings.seller_country,
        "seller_tax_id": settings.seller_tax_id,
        "seller_address": address_to_json(settings.seller_address),
        "seller_business_name": settings.seller_business_name,
        "version": settings.version,
    }
