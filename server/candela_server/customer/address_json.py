"""Addresses as jsonb, documents and the audit trail hold them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .model import Address


def address_to_json(address: Address | None) -> dict[str, Any] | None:
    """An address, field by field."""
    if address is None:
        return None
    return {
        "country": address.country,
        "region": address.region,
        "city": address.city,
        "postal_code": address.postal_code,
        "lines": list(address.lines),
    }


def address_from_json(stored: Mapping[str, Any] | None) -> Address | None:
    """The address that `address_to_json` made."""
    return Address(**{**stored, "lines": tuple(stored["lines"])}) if stored else None
