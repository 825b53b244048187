"""Charge models, between the contract and the model; what cannot be billed is refused here with its field (DSL-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from candela.catalog.v1 import price_terms_pb2
from candela.type.v1 import money_pb2

from candela_server.contract.values import money_to_proto
from candela_server.kernel import read_fields
from candela_server.kernel.currency import minor_digits
from candela_server.kernel.errors import FieldViolations, InvalidInput, Reason
from candela_server.kernel.money import Money, format_decimal
from candela_server.kernel.read_fields import decimal, positive_decimal

from .price import (
    Charge,
    ChargeModel,
    ComponentKind,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    Tier,
    VolumeCharge,
)
from .rules.price_shape import check_tiers

ReadAmount = Callable[[money_pb2.Money], Decimal]
ShowAmount = Callable[[Decimal], money_pb2.Money]

_HUNDRED = Decimal(100)


class CurrencyMismatchError(InvalidInput):
    """One price has one currency."""

    reason = Reason.CURRENCY_MISMATCH

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"must be in the price's currency {expected}, not {actual}",
            expected=expected,
            actual=actual,
        )


def amount_reader(currency: str) -> ReadAmount:
    """Reads amounts of 0 or more in the price's one currency."""

    def read_amount(value: money_pb2.Money) -> Decimal:
        money = read_fields.money(value)
        if money.currency != currency:
            raise CurrencyMismatchError(currency, money.currency)
        if money.amount < 0:
            raise ValueError(f"must be 0 or more, not {value.amount}")
        return money.amount

    return read_amount


def owed(amount: ReadAmount) -> ReadAmount:
    """Reads amounts that are charged or taken off as they stand: nobody can pay a part of the minor unit (INV-8).

    What is multiplied by a quantity, a unit's price, a package's or an event's fee, may be finer: its line is rounded.
    """

    def read_owed(value: money_pb2.Money) -> Decimal:
        found = amount(value)
        check_whole(found, value.currency)
        return found

    return read_owed


def check_whole(amount: Decimal, currency: str) -> None:
    """Raises ValueError when an amount has more decimals than its currency."""
    if Money(currency=currency, amount=amount).rounded().amount != amount:
        digits = minor_digits(currency)
        most = f"at most {digits} decimals" if digits else "no decimals"
        raise ValueError(
            f"must have {most}, as {currency} has, not be {format_decimal(amount)}: it is charged as it stands; "
            f"only prices of units, packages and events may be finer"
        )


def amount_shower(currency: str) -> ShowAmount:
    """Shows amounts in the price's one currency."""
    return lambda amount: money_to_proto(Money(currency=currency, amount=amount))


def charge_from_proto(
    charge: price_terms_pb2.ChargeModel, amount: ReadAmount, kind: ComponentKind
) -> Charge:
    """The charge of a component of this kind; raises InvalidInput with every wrong field."""
    if kind is ComponentKind.FIXED:
        # There is no quantity: what stands as a unit's price is what a period costs.
        amount = owed(amount)
    with FieldViolations() as fields:
        minimum = (
            fields.read("minimum", owed(amount), charge.minimum)
            if charge.HasField("minimum")
            else None
        )
        maximum = (
            fields.read("maximum", owed(amount), charge.maximum)
            if charge.HasField("maximum")
            else None
        )
        if minimum is not None and maximum is not None and not fields.any and maximum < minimum:
            fields.add("maximum", f"must be at least the minimum {minimum}, not {maximum}")
        free_units = (
            fields.read("free_units", decimal(least=Decimal(0)), charge.free_units)
            if charge.free_units
            else Decimal(0)
        )
        model = _model_from_proto(fields, charge, amount)
        return Charge(model=model, free_units=free_units, minimum=minimum, maximum=maximum)


def charge_to_proto(charge: Charge, show: ShowAmount) -> price_terms_pb2.ChargeModel:
    """The charge as the contract shows it."""
    shown = price_terms_pb2.ChargeModel(
        free_units=format_decimal(charge.free_units),
        minimum=None if charge.minimum is None else show(charge.minimum),
        maximum=None if charge.maximum is None else show(charge.maximum),
    )
    match charge.model:
        case FlatCharge():
            shown.flat.unit_price.CopyFrom(show(charge.model.unit_price))
        case GraduatedCharge(tiers=tiers):
            shown.graduated.tiers.extend(_tier_to_proto(tier, show) for tier in tiers)
        case VolumeCharge(tiers=tiers):
            shown.volume.tiers.extend(_tier_to_proto(tier, show) for tier in tiers)
        case PackageCharge():
            shown.package.package_size = format_decimal(charge.model.package_size)
            shown.package.package_price.CopyFrom(show(charge.model.package_price))
        case PercentageCharge(percent=percent, fee_per_event=fee):
            shown.percentage.percent = format_decimal(percent)
            if fee is not None:
                shown.percentage.fee_per_event.CopyFrom(show(fee))
    return shown


def _model_from_proto(
    fields: FieldViolations, charge: price_terms_pb2.ChargeModel, amount: ReadAmount
) -> ChargeModel:
    match charge.WhichOneof("model"):
        case "flat":
            return FlatCharge(
                unit_price=fields.read("flat.unit_price", amount, charge.flat.unit_price)
            )
        case "graduated":
            return GraduatedCharge(
                tiers=fields.read(
                    "graduated.tiers", _tiers_from_proto, charge.graduated.tiers, amount
                )
            )
        case "volume":
            return VolumeCharge(
                tiers=fields.read("volume.tiers", _tiers_from_proto, charge.volume.tiers, amount)
            )
        case "package":
            return PackageCharge(
                package_size=fields.read(
                    "package.package_size", positive_decimal, charge.package.package_size
                ),
                package_price=fields.read(
                    "package.package_price", amount, charge.package.package_price
                ),
            )
        case "percentage":
            shown = charge.percentage
            return PercentageCharge(
                percent=fields.read(
                    "percentage.percent", decimal(least=Decimal(0), most=_HUNDRED), shown.percent
                ),
                fee_per_event=fields.read("percentage.fee_per_event", amount, shown.fee_per_event)
                if shown.HasField("fee_per_event")
                else None,
            )
        case _:
            raise InvalidInput("must be set", field="model")


def _tiers_from_proto(
    tiers: Iterable[price_terms_pb2.Tier], amount: ReadAmount
) -> tuple[Tier, ...]:
    with FieldViolations() as fields:
        read = fields.read_each("", lambda tier: _tier_from_proto(tier, amount), tiers)
    check_tiers(read)
    return read


def _tier_from_proto(tier: price_terms_pb2.Tier, amount: ReadAmount) -> Tier:
    with FieldViolations() as fields:
        return Tier(
            up_to=fields.read("up_to", positive_decimal, tier.up_to)
            if tier.HasField("up_to")
            else None,
            unit_price=fields.read("unit_price", amount, tier.unit_price),
            flat_fee=fields.read("flat_fee", owed(amount), tier.flat_fee)
            if tier.HasField("flat_fee")
            else Decimal(0),
        )


def _tier_to_proto(tier: Tier, show: ShowAmount) -> price_terms_pb2.Tier:
    return price_terms_pb2.Tier(
        up_to=None if tier.up_to is None else format_decimal(tier.up_to),
        unit_price=show(tier.unit_price),
        flat_fee=show(tier.flat_fee) if tier.flat_fee else None,
    )
