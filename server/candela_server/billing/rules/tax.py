"""Which tax an invoice carries, and why: a table of which the first row that fits counts (TAX-1, TAX-2).

One invoice has one seller, one buyer and one date, so it has one tax line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final

from candela_server.billing.model import TaxTerms
from candela_server.billing.tax_settings import TaxMode, TaxRate, TaxSettings
from candela_server.customer.model import Customer

from .places import EU, US, US_STATES, region_key
from .vat_id import is_vat_id_of

B2C_NOT_SUPPORTED = "b2c_tax_not_supported"
NOT_CONFIGURED = "tax_not_configured"
NO_US_NEXUS = "no_us_nexus"
US_STATE_UNKNOWN = "us_state_unknown"
REVERSE_CHARGE = "reverse_charge"
CUSTOMER_COUNTRY_UNKNOWN = "customer_country_unknown"
NO_TAX_RATE = "no_tax_rate"
VAT_ID_MISSING = "vat_id_missing"
VAT_ID_INVALID = "vat_id_invalid"
AS_SET = ""
"""The reason of a rate that simply applies."""

NO_TAX = Decimal(0)


@dataclass(frozen=True)
class Sale:
    """Who sells to whom. Without slots: what is looked up once is kept."""

    buyer: Customer
    settings: TaxSettings

    @property
    def country(self) -> str:
        """Where the buyer is; empty when unknown."""
        return self.buyer.address.country if self.buyer.address else ""

    @property
    def region(self) -> str:
        """The buyer's region, in the spelling that all of its spellings share."""
        return region_key(self.country, self.buyer.address.region) if self.buyer.address else ""

    @property
    def is_to_consumer(self) -> bool:
        """Neither a tax id nor a business name is known (TAX-1)."""
        return self.buyer.tax_id is None and self.buyer.business_name is None

    @property
    def crosses_into_eu(self) -> bool:
        """The buyer is in a member of the EU in which the seller is not established."""
        return self.country in EU and self.country != self.settings.seller_country

    @property
    def has_vat_id(self) -> bool:
        """The buyer's tax id is a VAT id of the buyer's own country."""
        return self.buyer.tax_id is not None and is_vat_id_of(self.country, self.buyer.tax_id)

    @cached_property
    def rate(self) -> TaxRate | None:
        """What the merchant set for where the buyer is; the region's rate before the country's."""
        if self.settings.mode is TaxMode.DEFAULT_RATE:
            assert self.settings.default_percent is not None, "the mode requires it"
            return TaxRate(
                country=self.country,
                region="",
                name=self.settings.default_name,
                percent=self.settings.default_percent,
            )
        fitting = [
            one
            for one in self.settings.rates
            if one.country == self.country
            and (not one.region or region_key(one.country, one.region) == self.region)
        ]
        return max(fitting, key=lambda one: bool(one.region), default=None)


@dataclass(frozen=True, slots=True)
class _Row:
    fits: Callable[[Sale], bool]
    is_taxed: bool
    reason: str


NOTHING: Final = False
THE_RATE: Final = True

_TABLE: Final = (
    # When                                                                          charge    because
    _Row(lambda sale: sale.is_to_consumer, NOTHING, B2C_NOT_SUPPORTED),
    _Row(lambda sale: sale.settings.mode is TaxMode.NONE, NOTHING, NOT_CONFIGURED),
    # A state's sales tax is due where the seller has nexus, and nowhere else in the United States.
    _Row(
        lambda sale: sale.country == US and sale.region not in US_STATES, NOTHING, US_STATE_UNKNOWN
    ),
    _Row(
        lambda sale: sale.country == US and sale.region not in sale.settings.us_nexus_states,
        NOTHING,
        NO_US_NEXUS,
    ),
    # Directive 2006/112/EC, articles 44 and 196: the business that receives the service accounts for the tax itself
    # when the seller is not established in its country, whether in another member's or outside of the Union.
    _Row(lambda sale: sale.crosses_into_eu and sale.has_vat_id, NOTHING, REVERSE_CHARGE),
    _Row(lambda sale: sale.rate is None and not sale.country, NOTHING, CUSTOMER_COUNTRY_UNKNOWN),
    _Row(lambda sale: sale.rate is None, NOTHING, NO_TAX_RATE),
    _Row(lambda sale: sale.crosses_into_eu and sale.buyer.tax_id is None, THE_RATE, VAT_ID_MISSING),
    _Row(lambda sale: sale.crosses_into_eu, THE_RATE, VAT_ID_INVALID),
    _Row(lambda _sale: True, THE_RATE, AS_SET),
)


def tax_for(buyer: Customer, settings: TaxSettings) -> TaxTerms:
    """The one rate of a buyer's invoice, whose tax it is, and why it is that one."""
    sale = Sale(buyer, settings)
    row = next(row for row in _TABLE if row.fits(sale))
    rate = sale.rate if row.is_taxed else None
    # A state's tax is the state's, also when the merchant set one rate for everybody.
    in_state = sale.country == US and sale.region in US_STATES
    return TaxTerms(
        percent=rate.percent if rate else NO_TAX,
        reason=row.reason,
        name=rate.name if rate else "",
        country=sale.country,
        region=sale.region if in_state else (rate.region if rate else ""),
        inclusive=settings.prices_include_tax and row.is_taxed,
    )
