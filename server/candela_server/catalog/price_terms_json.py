"""Discounts, time rules and commitments as jsonb holds them: every number a text, so that it stays exact."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.kernel.money import format_decimal

from .price import (
    AmountOff,
    Charge,
    ChargeSwitch,
    Discount,
    DiscountDuration,
    MinimumCommitment,
    PercentOff,
    TimeRule,
)
from .terms_json import charge_from_json, charge_to_json


def discounts_to_json(discounts: Sequence[Discount]) -> list[dict[str, Any]]:
    """The discounts, in order."""
    return [
        {
            **_off_to_json(discount.off),
            "duration": discount.duration,
            "period_count": discount.period_count,
            "name": discount.name,
        }
        for discount in discounts
    ]


def discounts_from_json(stored: list[dict[str, Any]]) -> tuple[Discount, ...]:
    """The discounts that `discounts_to_json` stored."""
    return tuple(
        Discount(
            off=_off_from_json(one),
            duration=DiscountDuration(one["duration"]),
            period_count=one["period_count"],
            name=one["name"],
        )
        for one in stored
    )


def time_rules_to_json(rules: Sequence[TimeRule]) -> list[dict[str, Any]]:
    """The time rules, in order."""
    return [{**_since_to_json(rule.since), **_change_to_json(rule.change)} for rule in rules]


def time_rules_from_json(stored: list[dict[str, Any]]) -> tuple[TimeRule, ...]:
    """The rules that `time_rules_to_json` stored."""
    return tuple(
        TimeRule(since=_since_from_json(one), change=_change_from_json(one)) for one in stored
    )


def commitment_to_json(commitment: MinimumCommitment | None) -> dict[str, Any] | None:
    """The commitment, or nothing."""
    if commitment is None:
        return None
    return {
        "amount": format_decimal(commitment.amount),
        "recurrence_rule": commitment.recurrence_rule,
    }


def commitment_from_json(stored: dict[str, Any] | None) -> MinimumCommitment | None:
    """The commitment that `commitment_to_json` stored."""
    if stored is None:
        return None
    return MinimumCommitment(
        amount=Decimal(stored["amount"]), recurrence_rule=stored["recurrence_rule"]
    )


def _off_to_json(off: PercentOff | AmountOff) -> dict[str, str]:
    match off:
        case PercentOff(percent=percent):
            return {"percent": format_decimal(percent)}
        case AmountOff(amount=amount):
            return {"amount_off": format_decimal(amount)}


def _off_from_json(stored: dict[str, Any]) -> PercentOff | AmountOff:
    match stored:
        case {"percent": str() as text}:
            return PercentOff(percent=Decimal(text))
        case {"amount_off": str() as text}:
            return AmountOff(amount=Decimal(text))
        case _:
            raise AssertionError(f"no discount: {stored!r}")


def _since_to_json(since: int | datetime) -> dict[str, Any]:
    if isinstance(since, int):
        return {"after_period_count": since}
    return {"at": since.isoformat()}


def _since_from_json(stored: dict[str, Any]) -> int | datetime:
    match stored:
        case {"after_period_count": int() as count}:
            return count
        case {"at": str() as text}:
            return datetime.fromisoformat(text)
        case _:
            raise AssertionError(f"no time rule: {stored!r}")


def _change_to_json(change: Charge | ChargeSwitch) -> dict[str, Any]:
    if isinstance(change, Charge):
        return {"charge": charge_to_json(change)}
    return {"switch": change}


def _change_from_json(stored: dict[str, Any]) -> Charge | ChargeSwitch:
    match stored:
        case {"charge": dict() as charge}:
            return charge_from_json(charge)
        case {"switch": str() as switch}:
            return ChargeSwitch(switch)
        case _:
            raise AssertionError(f"no time rule: {stored!r}")
