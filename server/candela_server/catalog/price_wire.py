"""Prices, between the contract and the model; what cannot be billed is refused here with its field (DSL-3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from candela.catalog.v1 import plan_pb2, price_pb2, price_terms_pb2
from candela.type.v1 import money_pb2

from candela_server.contract.values import (
    money_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.kernel import read_fields
from candela_server.kernel.errors import FieldViolations, InvalidInput, Reason, Unserved
from candela_server.kernel.money import Money, format_decimal
from candela_server.kernel.read_fields import (
    currency_code,
    decimal,
    optional,
    positive_decimal,
    text,
    time_zone,
    typed_id,
    whole_number,
)
from candela_server.kernel.recurrence import time_zone_in

from .create_price import NewComponent, NewPrice
from .members import member_named
from .price import (
    BillingTiming,
    Charge,
    ChargeModel,
    Component,
    ComponentKind,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    Price,
    SeatTerms,
    Tier,
    VolumeCharge,
)
from .rules.display_amount import display_amounts
from .rules.free_plan import is_free
from .rules.price_shape import MAX_COMPONENTS, check_tiers, kind_admits_metric

MAX_SEATS = 1_000_000

_KINDS = {
    ComponentKind.FIXED: price_pb2.COMPONENT_KIND_FIXED,
    ComponentKind.PER_UNIT: price_pb2.COMPONENT_KIND_PER_UNIT,
    ComponentKind.USAGE: price_pb2.COMPONENT_KIND_USAGE,
}
_TIMINGS = {
    BillingTiming.IN_ADVANCE: price_pb2.BILLING_TIMING_IN_ADVANCE,
    BillingTiming.IN_ARREARS: price_pb2.BILLING_TIMING_IN_ARREARS,
}

_ReadAmount = Callable[[money_pb2.Money], Decimal]


def price_from_proto(new: plan_pb2.NewPrice) -> NewPrice:
    """The new price; raises InvalidInput with every wrong field."""
    if new.discounts:
        raise Unserved("NewPrice.discounts", "DSL-4", field="discounts")
    if new.HasField("minimum_commitment"):
        raise Unserved("NewPrice.minimum_commitment", "DSL-10", field="minimum_commitment")
    with FieldViolations() as fields:
        if not 1 <= len(new.components) <= MAX_COMPONENTS:
            fields.add("components", f"must have 1 to {MAX_COMPONENTS}, not {len(new.components)}")
        currency = fields.read("currency", currency_code, new.currency)
        amount = _amount_reader(new.currency)
        return NewPrice(
            name=fields.read("name", text(0, 200), new.name),
            currency=currency,
            components=fields.read_each(
                "components",
                lambda component: _component_from_proto(component, amount),
                new.components,
            ),
            private_customer_id=fields.read(
                "private_customer_id", optional(typed_id("cus")), new.private_customer_id
            ),
        )


def price_to_proto(price: Price) -> price_pb2.Price:
    """The price as the contract shows it."""
    return price_pb2.Price(
        id=price.id,
        plan_id=price.plan_id,
        name=price.name,
        currency=price.currency,
        components=[_component_to_proto(one, price.currency) for one in price.components],
        private_customer_id=price.private_customer_id,
        free=is_free(price),
        display_amounts=[
            price_pb2.DisplayAmount(amount=money_to_proto(shown.amount), per=shown.per)
            for shown in display_amounts(price)
        ],
        created_at=timestamp_to_proto(price.created_at),
        archived_at=optional_timestamp_to_proto(price.archived_at),
    )


def _component_from_proto(component: price_pb2.PriceComponent, amount: _ReadAmount) -> NewComponent:
    if component.discounts:
        raise Unserved("PriceComponent.discounts", "DSL-4", field="discounts")
    if component.time_rules:
        raise Unserved("PriceComponent.time_rules", "DSL-4", field="time_rules")
    with FieldViolations() as fields:
        kind = fields.read("kind", member_named, _KINDS, component.kind)
        fallback = (
            BillingTiming.IN_ARREARS if kind is ComponentKind.USAGE else BillingTiming.IN_ADVANCE
        )
        timing = fields.read(
            "timing", member_named, _TIMINGS, component.timing or _TIMINGS[fallback]
        )
        if kind is ComponentKind.USAGE and timing is BillingTiming.IN_ADVANCE:
            fields.add("timing", "must be IN_ARREARS: usage is known at the period's end only")
        fields.read("metric", kind_admits_metric, kind, bool(component.metric))
        recurrence = fields.read(
            "recurrence_rule",
            read_fields.recurrence,
            component.recurrence_rule,
            component.time_zone or "UTC",
        )
        named_zone = component.time_zone or time_zone_in(component.recurrence_rule) or ""
        if component.HasField("seats") and kind is not ComponentKind.PER_UNIT:
            fields.add("seats", "must be absent: only PER_UNIT components count seats")
        if not component.HasField("charge"):
            fields.add("charge", "must be set")
        charge = fields.read("charge", _charge_from_proto, component.charge, amount)
        if kind is ComponentKind.FIXED and not component.charge.HasField("flat"):
            fields.add("charge", "must be flat: a FIXED component has no quantity")
        return NewComponent(
            name=fields.read("name", text(1, 200), component.name),
            kind=kind,
            recurrence_rule=str(recurrence),
            own_time_zone=fields.read("time_zone", optional(time_zone), named_zone),
            timing=timing,
            metric_slug=component.metric or None,
            charge=charge,
            seats=fields.read("seats", _seats_from_proto, component.seats)
            if component.HasField("seats")
            else None,
        )


def _charge_from_proto(charge: price_terms_pb2.ChargeModel, amount: _ReadAmount) -> Charge:
    with FieldViolations() as fields:
        minimum = _optional_amount(fields, "minimum", charge, amount)
        maximum = _optional_amount(fields, "maximum", charge, amount)
        model = _model_from_proto(fields, charge, amount)
        free_units = (
            fields.read("free_units", decimal(least=Decimal(0)), charge.free_units)
            if charge.free_units
            else Decimal(0)
        )
        if minimum is not None and maximum is not None and not fields.any and maximum < minimum:
            fields.add("maximum", f"must be at least the minimum {minimum}, not {maximum}")
        return Charge(model=model, free_units=free_units, minimum=minimum, maximum=maximum)


def _model_from_proto(
    fields: FieldViolations, charge: price_terms_pb2.ChargeModel, amount: _ReadAmount
) -> ChargeModel:
    match charge.WhichOneof("model"):
        case "flat":
            return FlatCharge(
                unit_price=fields.read("flat.unit_price", amount, charge.flat.unit_price)
            )
        case "graduated":
            return GraduatedCharge(
                tiers=_tiers(fields, "graduated.tiers", charge.graduated.tiers, amount)
            )
        case "volume":
            return VolumeCharge(tiers=_tiers(fields, "volume.tiers", charge.volume.tiers, amount))
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
            raise Unserved("PercentageCharge", "DSL-3", field="percentage")
        case _:
            raise InvalidInput("must be set", field="model")


def _tiers(
    fields: FieldViolations,
    path: str,
    tiers: Iterable[price_terms_pb2.Tier],
    amount: _ReadAmount,
) -> tuple[Tier, ...]:
    read = fields.read_each(path, lambda tier: _tier_from_proto(tier, amount), tiers)
    if not fields.any:
        fields.read(path, check_tiers, read)
    return read


def _tier_from_proto(tier: price_terms_pb2.Tier, amount: _ReadAmount) -> Tier:
    with FieldViolations() as fields:
        return Tier(
            up_to=fields.read("up_to", positive_decimal, tier.up_to)
            if tier.HasField("up_to")
            else None,
            unit_price=fields.read("unit_price", amount, tier.unit_price),
            flat_fee=fields.read("flat_fee", amount, tier.flat_fee)
            if tier.HasField("flat_fee")
            else Decimal(0),
        )


def _seats_from_proto(seats: price_pb2.SeatTerms) -> SeatTerms:
    with FieldViolations() as fields:
        bounds = whole_number(0, MAX_SEATS)
        return SeatTerms(
            minimum_seats=fields.read("minimum_seats", bounds, seats.minimum_seats),
            included_seats=fields.read("included_seats", bounds, seats.included_seats),
            bill_immediately=seats.bill_immediately,
        )


def _amount_reader(currency: str) -> _ReadAmount:
    """Reads amounts of 0 or more in the price's one currency."""

    def read_amount(value: money_pb2.Money) -> Decimal:
        money = read_fields.money(value)
        if money.currency != currency:
            raise CurrencyMismatchError(currency, money.currency)
        if money.amount < 0:
            raise ValueError(f"must be 0 or more, not {value.amount}")
        return money.amount

    return read_amount


class CurrencyMismatchError(InvalidInput):
    """One price has one currency."""

    reason = Reason.CURRENCY_MISMATCH

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(
            f"must be in the price's currency {expected}, not {actual}",
            expected=expected,
            actual=actual,
        )


def _optional_amount(
    fields: FieldViolations, name: str, charge: price_terms_pb2.ChargeModel, amount: _ReadAmount
) -> Decimal | None:
    if name == "minimum":
        return fields.read(name, amount, charge.minimum) if charge.HasField("minimum") else None
    return fields.read(name, amount, charge.maximum) if charge.HasField("maximum") else None


def _component_to_proto(component: Component, currency: str) -> price_pb2.PriceComponent:
    seats = component.seats
    return price_pb2.PriceComponent(
        id=component.id,
        name=component.name,
        kind=_KINDS[component.kind],
        recurrence_rule=component.recurrence_rule,
        time_zone=component.own_time_zone or "",
        timing=_TIMINGS[component.timing],
        metric=component.metric_id or "",
        charge=_charge_to_proto(component.charge, currency),
        seats=price_pb2.SeatTerms(
            minimum_seats=seats.minimum_seats,
            included_seats=seats.included_seats,
            bill_immediately=seats.bill_immediately,
        )
        if seats
        else None,
    )


def _charge_to_proto(charge: Charge, currency: str) -> price_terms_pb2.ChargeModel:
    def money(amount: Decimal) -> money_pb2.Money:
        return money_to_proto(Money(currency=currency, amount=amount))

    shown = price_terms_pb2.ChargeModel(
        free_units=format_decimal(charge.free_units),
        minimum=None if charge.minimum is None else money(charge.minimum),
        maximum=None if charge.maximum is None else money(charge.maximum),
    )
    match charge.model:
        case FlatCharge():
            shown.flat.unit_price.CopyFrom(money(charge.model.unit_price))
        case GraduatedCharge(tiers=tiers):
            shown.graduated.tiers.extend(_tier_to_proto(tier, money) for tier in tiers)
        case VolumeCharge(tiers=tiers):
            shown.volume.tiers.extend(_tier_to_proto(tier, money) for tier in tiers)
        case PackageCharge():
            shown.package.package_size = format_decimal(charge.model.package_size)
            shown.package.package_price.CopyFrom(money(charge.model.package_price))
    return shown


def _tier_to_proto(tier: Tier, money: Callable[[Decimal], money_pb2.Money]) -> price_terms_pb2.Tier:
    return price_terms_pb2.Tier(
        up_to=None if tier.up_to is None else format_decimal(tier.up_to),
        unit_price=money(tier.unit_price),
        flat_fee=money(tier.flat_fee) if tier.flat_fee else None,
    )
