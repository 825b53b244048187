"""Tax settings and tax lines, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from candela.billing.v1 import invoice_pb2, tax_pb2, tax_service_pb2

from candela_server.customer.wire import address_from_proto, address_to_proto
from candela_server.kernel.errors import FieldViolations, Unserved
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import country_code, decimal, text

from .model import TaxTerms
from .rules.places import US, US_STATES, region_key
from .tax_settings import TaxMode, TaxRate, TaxSettings
from .update_tax_settings import UpdateTaxSettings

MAX_RATES: Final = 1000
_MAX_NAME_LENGTH: Final = 50
_MAX_SELLER_NAME: Final = 200
_MAX_REGION_LENGTH: Final = 100

_MODES: Final = {
    TaxMode.NONE: tax_pb2.TAX_MODE_NONE,
    TaxMode.DEFAULT_RATE: tax_pb2.TAX_MODE_DEFAULT_RATE,
    TaxMode.MANUAL_RATES: tax_pb2.TAX_MODE_MANUAL_RATES,
}
_percent = decimal(least=Decimal(0), most=Decimal(100), max_places=6)
_name = text(0, _MAX_NAME_LENGTH)


def update_tax_settings_from_proto(
    request: tax_service_pb2.UpdateTaxSettingsRequest,
) -> UpdateTaxSettings:
    """The command; raises InvalidInput with every wrong field, and Unserved for automatic taxes."""
    if request.tax_settings.mode == tax_pb2.TAX_MODE_AUTOMATIC:
        raise Unserved("TAX_MODE_AUTOMATIC", "TAX-2, PAY-1", field="tax_settings.mode")
    with FieldViolations() as fields:
        if not request.HasField("tax_settings"):
            fields.add("tax_settings", "must be given: the settings are replaced whole")
        return UpdateTaxSettings(
            settings=fields.read("tax_settings", _settings_from_proto, request.tax_settings),
            expected_version=request.expected_version
            if request.HasField("expected_version")
            else None,
        )


def settings_to_proto(settings: TaxSettings) -> tax_pb2.TaxSettings:
    """The settings as the contract shows them."""
    return tax_pb2.TaxSettings(
        mode=_MODES[settings.mode],
        default_percent=""
        if settings.default_percent is None
        else format_decimal(settings.default_percent),
        rates=[
            tax_pb2.TaxRate(
                country=one.country,
                region=one.region,
                name=one.name,
                percent=format_decimal(one.percent),
            )
            for one in settings.rates
        ],
        us_nexus_states=sorted(settings.us_nexus_states),
        prices_include_tax=settings.prices_include_tax,
        seller_country=settings.seller_country,
        seller_tax_id=settings.seller_tax_id,
        seller_address=address_to_proto(settings.seller_address),
        seller_business_name=settings.seller_business_name,
        default_name=settings.default_name,
        version=settings.version,
    )


def tax_to_proto(terms: TaxTerms, base: Any, amount: Any) -> invoice_pb2.TaxAmount:
    """A tax line of a document."""
    return invoice_pb2.TaxAmount(
        name=terms.name,
        percent=format_decimal(terms.percent),
        base=base,
        amount=amount,
        reason=terms.reason,
        inclusive=terms.inclusive,
        country=terms.country,
        region=terms.region,
    )


def _settings_from_proto(settings: tax_pb2.TaxSettings) -> TaxSettings:
    with FieldViolations() as fields:
        mode = fields.read("mode", _mode, settings.mode)
        if mode is TaxMode.DEFAULT_RATE and not settings.default_percent:
            fields.add("default_percent", 'must be given for DEFAULT_RATE; "0" taxes nobody')
        if mode is TaxMode.MANUAL_RATES and not settings.rates:
            fields.add("rates", "must have one rate at least for MANUAL_RATES")
        if mode in (TaxMode.DEFAULT_RATE, TaxMode.MANUAL_RATES) and not settings.seller_country:
            fields.add(
                "seller_country",
                "must be given for this mode: it decides whether a sale crosses a border",
            )
        return TaxSettings(
            mode=mode,
            default_name=fields.read("default_name", _name, settings.default_name),
            default_percent=fields.read("default_percent", _percent, settings.default_percent)
            if settings.default_percent
            else None,
            rates=_rates_from_proto(fields, settings.rates),
            us_nexus_states=frozenset(
                fields.read_each("us_nexus_states", _us_state, settings.us_nexus_states)
            ),
            prices_include_tax=settings.prices_include_tax,
            seller_country=fields.read("seller_country", country_code, settings.seller_country)
            if settings.seller_country
            else "",
            seller_tax_id=fields.read("seller_tax_id", _name, settings.seller_tax_id),
            seller_address=address_from_proto(
                fields.nested("seller_address"), settings.seller_address
            )
            if settings.HasField("seller_address")
            else None,
            seller_business_name=fields.read(
                "seller_business_name", text(0, _MAX_SELLER_NAME), settings.seller_business_name
            ),
        )


def _rates_from_proto(
    fields: FieldViolations, rates: Sequence[tax_pb2.TaxRate]
) -> tuple[TaxRate, ...]:
    if len(rates) > MAX_RATES:
        fields.add("rates", f"must have at most {MAX_RATES} items, not {len(rates)}")
        return ()
    seen: dict[tuple[str, str], int] = {}
    for index, one in enumerate(rates):
        key = (one.country, region_key(one.country, one.region))
        first = seen.setdefault(key, index)
        if first != index:
            where = f"{one.country} {one.region}".strip()
            fields.add(f"rates[{index}]", f"{where} has a rate already, rates[{first}]")
    return tuple(fields.read_each("rates", _rate_from_proto, rates))


def _rate_from_proto(rate: tax_pb2.TaxRate) -> TaxRate:
    with FieldViolations() as fields:
        return TaxRate(
            country=fields.read("country", country_code, rate.country),
            region=fields.read(
                "region",
                _us_state if rate.country == US and rate.region else text(0, _MAX_REGION_LENGTH),
                rate.region,
            ),
            name=fields.read("name", _name, rate.name),
            percent=fields.read("percent", _percent, rate.percent),
        )


def _us_state(value: str) -> str:
    if value not in US_STATES:
        raise ValueError(f"must be the two-letter code of a US state, such as CA, not {value!r}")
    return value


def _mode(value: int) -> TaxMode:
    if value == tax_pb2.TAX_MODE_UNSPECIFIED:
        return TaxMode.NONE
    for mode, number in _MODES.items():
        if number == value:
            return mode
    raise ValueError("must be NONE, DEFAULT_RATE or MANUAL_RATES")
