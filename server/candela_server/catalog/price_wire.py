"""Prices, between the contract and the model; what cannot be billed is refused here with its field (DSL-3)."""

from __future__ import annotations

from decimal import Decimal

from candela.catalog.v1 import plan_pb2, price_pb2
from candela.type.v1 import money_pb2
from google.protobuf.message import Message

from candela_server.contract.values import (
    money_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import (
    currency_code,
    optional,
    time_zone,
    typed_id,
    whole_number,
)
from candela_server.kernel.read_names import line

from .charge_wire import (
    ReadAmount,
    ShowAmount,
    amount_reader,
    amount_shower,
    charge_from_proto,
    charge_to_proto,
)
from .create_price import NewComponent, NewPrice, component_of
from .members import member_named
from .model import MetricId
from .price import BillingTiming, Charge, Component, ComponentKind, Price, SeatTerms
from .price_terms_wire import (
    RuleAndZone,
    commitment_from_proto,
    commitment_to_proto,
    discount_to_proto,
    discounts_from_proto,
    rule_and_zone,
    time_rule_to_proto,
    time_rules_from_proto,
)
from .rules.display_amount import display_amounts
from .rules.free_plan import is_free
from .rules.price_shape import MAX_COMPONENTS, check_charge_fits, kind_admits_metric

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


def price_from_proto(new: plan_pb2.NewPrice) -> NewPrice:
    """The new price; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if not 1 <= len(new.components) <= MAX_COMPONENTS:
            fields.add("components", f"must have 1 to {MAX_COMPONENTS}, not {len(new.components)}")
        currency = fields.read("currency", currency_code, new.currency)
        amount = amount_reader(new.currency)
        return NewPrice(
            name=fields.read("name", line(0, 200), new.name),
            currency=currency,
            components=fields.read_each(
                "components",
                lambda component: _component_from_proto(component, amount),
                new.components,
            ),
            private_customer_id=fields.read(
                "private_customer_id", optional(typed_id("cus")), new.private_customer_id
            ),
            discounts=fields.read("discounts", discounts_from_proto, new.discounts, amount),
            minimum_commitment=fields.read(
                "minimum_commitment", commitment_from_proto, new.minimum_commitment, amount
            )
            if new.HasField("minimum_commitment")
            else None,
            billing_threshold=fields.read("billing_threshold", _threshold, new, amount)
            if new.HasField("billing_threshold")
            else None,
        )


def _threshold(new: plan_pb2.NewPrice, amount: ReadAmount) -> Decimal:
    """The amount of usage charges that is invoiced at once."""
    found = amount(new.billing_threshold)
    if not found:
        raise ValueError("must be above 0; leave billing_threshold away for none")
    if all(one.kind != price_pb2.COMPONENT_KIND_USAGE for one in new.components):
        raise ValueError("must be absent: no component charges usage, which alone reaches it")
    return found


def swapped_in_from_proto(
    component: price_pb2.PriceComponent,
) -> tuple[NewComponent, str | None]:
    """A component that comes alone, and the currency of its amounts; None when it has none.

    Raises InvalidInput with every wrong field, for amounts in several currencies too.
    """
    currency = _first_currency(component)
    return _component_from_proto(component, amount_reader(currency or "")), currency


def component_to_proto(new: NewComponent, currency: str) -> price_pb2.PriceComponent:
    """A component that does not exist yet, as the contract shows it; its metric is shown by its slug."""
    metric = {new.metric_slug: MetricId(new.metric_slug)} if new.metric_slug else {}
    shown = _component_to_proto(component_of(new, 0, metric), amount_shower(currency))
    shown.id = ""
    return shown


def price_to_proto(price: Price) -> price_pb2.Price:
    """The price as the contract shows it."""
    show = amount_shower(price.currency)
    return price_pb2.Price(
        id=price.id,
        plan_id=price.plan_id,
        name=price.name,
        currency=price.currency,
        components=[_component_to_proto(one, show) for one in price.components],
        discounts=[discount_to_proto(one, show) for one in price.discounts],
        minimum_commitment=commitment_to_proto(price.minimum_commitment, show),
        billing_threshold=None
        if price.billing_threshold is None
        else show(price.billing_threshold),
        private_customer_id=price.private_customer_id,
        free=is_free(price),
        display_amounts=[
            price_pb2.DisplayAmount(amount=money_to_proto(shown.amount), per=shown.per)
            for shown in display_amounts(price)
        ],
        created_at=timestamp_to_proto(price.created_at),
        archived_at=optional_timestamp_to_proto(price.archived_at),
    )


def _first_currency(message: Message) -> str | None:
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for one in value if field.is_repeated else [value]:
            if isinstance(one, money_pb2.Money):
                return one.currency
            found = _first_currency(one)
            if found is not None:
                return found
    return None


def _component_from_proto(component: price_pb2.PriceComponent, amount: ReadAmount) -> NewComponent:
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
        if kind in _KINDS:
            fields.read("metric", kind_admits_metric, kind, bool(component.metric))
        if component.HasField("seats") and kind is not ComponentKind.PER_UNIT:
            fields.add("seats", "must be absent: only PER_UNIT components count seats")
        if not component.HasField("charge"):
            fields.add("charge", "must be set")
        charge = fields.read("charge", charge_from_proto, component.charge, amount, kind)
        if isinstance(charge, Charge):
            fields.read("charge", check_charge_fits, kind, charge)
        recurrence = fields.read("", _recurrence_from_proto, component)
        return NewComponent(
            name=fields.read("name", line(1, 200), component.name),
            kind=kind,
            timing=timing,
            metric_slug=component.metric or None,
            charge=charge,
            seats=fields.read_given(component, "seats", _seats_from_proto),
            discounts=fields.read("discounts", discounts_from_proto, component.discounts, amount),
            time_rules=fields.read(
                "time_rules", time_rules_from_proto, component.time_rules, kind, amount
            ),
            # Last, because a wrong rule leaves nothing to read them from.
            recurrence_rule=recurrence.rule,
            own_time_zone=recurrence.time_zone,
        )


def _recurrence_from_proto(component: price_pb2.PriceComponent) -> RuleAndZone:
    """The rule and the zone that is named, inside it or beside it (D20)."""
    with FieldViolations() as fields:
        beside = fields.read("time_zone", optional(time_zone), component.time_zone)
        found = fields.read("recurrence_rule", rule_and_zone, component.recurrence_rule)
        if not fields.any and beside and found.time_zone not in (None, beside):
            fields.add(
                "time_zone",
                f"names another zone than the rule, which says {found.time_zone}; keep one of them",
            )
        return RuleAndZone(found.rule, found.time_zone or beside)


def _seats_from_proto(seats: price_pb2.SeatTerms) -> SeatTerms:
    with FieldViolations() as fields:
        bounds = whole_number(0, MAX_SEATS)
        return SeatTerms(
            minimum_seats=fields.read("minimum_seats", bounds, seats.minimum_seats),
            included_seats=fields.read("included_seats", bounds, seats.included_seats),
            bill_immediately=seats.bill_immediately,
        )


def _component_to_proto(component: Component, show: ShowAmount) -> price_pb2.PriceComponent:
    seats = component.seats
    return price_pb2.PriceComponent(
        id=component.id,
        name=component.name,
        kind=_KINDS[component.kind],
        recurrence_rule=component.recurrence_rule,
        time_zone=component.own_time_zone or "",
        timing=_TIMINGS[component.timing],
        metric=component.metric_id or "",
        charge=charge_to_proto(component.charge, show),
        seats=price_pb2.SeatTerms(
            minimum_seats=seats.minimum_seats,
            included_seats=seats.included_seats,
            bill_immediately=seats.bill_immediately,
        )
        if seats
        else None,
        discounts=[discount_to_proto(one, show) for one in component.discounts],
        time_rules=[time_rule_to_proto(one, show) for one in component.time_rules],
    )
