"""Discounts, time rules and commitments, between the contract and the model (DSL-4, DSL-10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from candela.catalog.v1 import price_terms_pb2

from candela_server.contract.values import timestamp_to_proto
from candela_server.kernel import read_fields
from candela_server.kernel.errors import FieldViolations, InvalidInput
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import decimal, instant, whole_number
from candela_server.kernel.read_names import line
from candela_server.kernel.recurrence_text import time_zone_in

from .charge_wire import ReadAmount, ShowAmount, charge_from_proto, charge_to_proto, owed
from .members import member_named
from .price import (
    AmountOff,
    Charge,
    ChargeSwitch,
    ComponentKind,
    Discount,
    DiscountDuration,
    MinimumCommitment,
    PercentOff,
    TimeRule,
)
from .rules.discount_shape import MAX_PERIODS, check_discounts
from .rules.price_shape import check_charge_fits
from .rules.time_rule_shape import check_time_rules

_DURATIONS = {
    DiscountDuration.ONCE: price_terms_pb2.DISCOUNT_DURATION_ONCE,
    DiscountDuration.REPEATING: price_terms_pb2.DISCOUNT_DURATION_REPEATING,
    DiscountDuration.FOREVER: price_terms_pb2.DISCOUNT_DURATION_FOREVER,
}


class RuleAndZone(NamedTuple):
    """A recurrence rule in its one spelling, and the zone that it names, if it does."""

    rule: str
    time_zone: str | None


def rule_and_zone(rule: str) -> RuleAndZone:
    """The rule and its zone apart; raises InvalidInput with the reason (DSL-5)."""
    recurrence = read_fields.recurrence(rule, "UTC")
    return RuleAndZone(str(recurrence), time_zone_in(rule))


def rule_with_zone(rule: str) -> str:
    """The rule in its one spelling, with its zone inside when it names one; raises InvalidInput."""
    found = rule_and_zone(rule)
    return f"{found.rule};TZID={found.time_zone}" if found.time_zone else found.rule


def discounts_from_proto(
    discounts: Sequence[price_terms_pb2.Discount], amount: ReadAmount
) -> tuple[Discount, ...]:
    """The discounts of a component or a price; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        read = fields.read_each("", lambda one: _discount_from_proto(one, amount), discounts)
    check_discounts(read)
    return read


def discount_to_proto(discount: Discount, show: ShowAmount) -> price_terms_pb2.Discount:
    """The discount as the contract shows it."""
    shown = price_terms_pb2.Discount(
        duration=_DURATIONS[discount.duration],
        period_count=discount.period_count or 0,
        name=discount.name,
    )
    match discount.off:
        case PercentOff(percent=percent):
            shown.percent = format_decimal(percent)
        case AmountOff(amount=amount):
            shown.amount_off.CopyFrom(show(amount))
    return shown


def time_rules_from_proto(
    rules: Sequence[price_terms_pb2.TimeRule], kind: ComponentKind, amount: ReadAmount
) -> tuple[TimeRule, ...]:
    """The time rules of a component; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        read = fields.read_each("", lambda one: _time_rule_from_proto(one, kind, amount), rules)
    check_time_rules(read)
    return read


def time_rule_to_proto(rule: TimeRule, show: ShowAmount) -> price_terms_pb2.TimeRule:
    """The rule as the contract shows it."""
    shown = price_terms_pb2.TimeRule()
    if isinstance(rule.since, int):
        shown.after_period_count = rule.since
    else:
        shown.at.CopyFrom(timestamp_to_proto(rule.since))
    match rule.change:
        case Charge():
            shown.charge.CopyFrom(charge_to_proto(rule.change, show))
        case ChargeSwitch.STOP:
            shown.stop = True
        case ChargeSwitch.START:
            shown.start = True
    return shown


def commitment_from_proto(
    commitment: price_terms_pb2.MinimumCommitment, amount: ReadAmount
) -> MinimumCommitment:
    """The commitment; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        least = fields.read("amount", owed(amount), commitment.amount)
        if not fields.any and not least:
            fields.add("amount", "must be above 0; leave minimum_commitment away for none")
        return MinimumCommitment(
            amount=least,
            recurrence_rule=fields.read(
                "recurrence_rule", rule_with_zone, commitment.recurrence_rule
            ),
        )


def commitment_to_proto(
    commitment: MinimumCommitment | None, show: ShowAmount
) -> price_terms_pb2.MinimumCommitment | None:
    """The commitment as the contract shows it, or None."""
    if commitment is None:
        return None
    return price_terms_pb2.MinimumCommitment(
        amount=show(commitment.amount), recurrence_rule=commitment.recurrence_rule
    )


def _discount_from_proto(discount: price_terms_pb2.Discount, amount: ReadAmount) -> Discount:
    with FieldViolations() as fields:
        duration = fields.read("duration", member_named, _DURATIONS, discount.duration)
        period_count: int | None = None
        if duration is DiscountDuration.REPEATING:
            period_count = fields.read(
                "period_count", whole_number(1, MAX_PERIODS), discount.period_count
            )
        elif discount.period_count:
            fields.add("period_count", "must be 0: only REPEATING discounts count periods")
        return Discount(
            off=_off_from_proto(fields, discount, amount),
            duration=duration,
            period_count=period_count,
            name=fields.read("name", line(0, 200), discount.name),
        )


def _off_from_proto(
    fields: FieldViolations, discount: price_terms_pb2.Discount, amount: ReadAmount
) -> PercentOff | AmountOff:
    match discount.WhichOneof("amount"):
        case "percent":
            return PercentOff(percent=fields.read("percent", _percent_off, discount.percent))
        case "amount_off":
            return AmountOff(
                amount=fields.read(
                    "amount_off", lambda off: _above_zero(owed(amount)(off)), discount.amount_off
                )
            )
        case _:
            raise InvalidInput("must be set: percent or amount_off", field="amount")


def _percent_off(value: str) -> Decimal:
    percent = decimal()(value)
    if not 0 < percent <= 100:
        raise ValueError(f"must be above 0 and at most 100, not {value}")
    return percent


def _above_zero(amount: Decimal) -> Decimal:
    if not amount:
        raise ValueError("must be above 0; leave the discount away for none")
    return amount


def _time_rule_from_proto(
    rule: price_terms_pb2.TimeRule, kind: ComponentKind, amount: ReadAmount
) -> TimeRule:
    with FieldViolations() as fields:
        since: int | datetime
        match rule.WhichOneof("from"):
            case "after_period_count":
                since = fields.read(
                    "after_period_count", whole_number(1, MAX_PERIODS), rule.after_period_count
                )
            case "at":
                since = fields.read("at", instant, rule.at)
            case _:
                fields.add("from", "must be set: after_period_count or at")
                since = 0
        change: Charge | ChargeSwitch
        match rule.WhichOneof("change"):
            case "charge":
                change = fields.read("charge", charge_from_proto, rule.charge, amount, kind)
                if isinstance(change, Charge):
                    fields.read("charge", check_charge_fits, kind, change)
            case "stop" if rule.stop:
                change = ChargeSwitch.STOP
            case "start" if rule.start:
                change = ChargeSwitch.START
            case "stop" | "start" as name:
                fields.add(name, "must be true; choose another change if it is not meant")
                change = ChargeSwitch.STOP
            case _:
                fields.add("change", "must be set: charge, stop or start")
                change = ChargeSwitch.STOP
        return TimeRule(since=since, change=change)
