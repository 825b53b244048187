"""What a merchant says about taxes (TAX-2)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from candela_server.customer.model import Address
from candela_server.kernel.errors import Conflict, Reason


class TaxMode(StrEnum):
    """Who knows the rates. The payment provider, when payments are served."""

    NONE = "none"
    DEFAULT_RATE = "default_rate"
    MANUAL_RATES = "manual_rates"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRate:
    """The rate of one country, or of a region of it; `region` is empty for the whole country."""

    country: str
    region: str
    name: str
    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxSettings:
    """How a merchant's invoices are taxed. As made, nothing is; `version` counts the changes since."""

    mode: TaxMode = TaxMode.NONE
    default_name: str = ""
    default_percent: Decimal | None = None
    rates: tuple[TaxRate, ...] = ()
    us_nexus_states: frozenset[str] = frozenset()
    prices_include_tax: bool = False
    seller_country: str = ""
    seller_tax_id: str = ""
    seller_address: Address | None = None
    seller_business_name: str = ""
    version: int = 0


class TaxSettingsVersionMismatchError(Conflict):
    """The change was based on another version of the settings."""

    reason = Reason.VERSION_MISMATCH

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(
            f"the tax settings' version is {actual}, not {expected}; read them again, then repeat",
            expected=expected,
            actual=actual,
        )
