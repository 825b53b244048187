"""What lines say of tiers and discounts, as jsonb holds it: every number a text, so that it stays exact."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from candela_server.kernel.money import format_decimal

from .model import AppliedDiscount, RatedPart


def parts_to_json(parts: Sequence[RatedPart]) -> list[dict[str, Any]]:
    """The parts, in order."""
    return [
        {
            "quantity": format_decimal(part.quantity),
            "unit_amount": format_decimal(part.unit_amount),
            "flat_fee": format_decimal(part.flat_fee),
            "up_to": None if part.up_to is None else format_decimal(part.up_to),
        }
        for part in parts
    ]


def parts_from_json(stored: list[dict[str, Any]]) -> tuple[RatedPart, ...]:
    """The parts that `parts_to_json` stored."""
    return tuple(
        RatedPart(
            quantity=Decimal(one["quantity"]),
            unit_amount=Decimal(one["unit_amount"]),
            flat_fee=Decimal(one["flat_fee"]),
            up_to=None if one["up_to"] is None else Decimal(one["up_to"]),
        )
        for one in stored
    )


def discounts_to_json(discounts: Sequence[AppliedDiscount]) -> list[dict[str, Any]]:
    """The discounts, in the order of their application."""
    return [
        {
            "name": one.name,
            "percent": None if one.percent is None else format_decimal(one.percent),
            "amount": format_decimal(one.amount),
            "of_price": one.of_price,
            "position": one.position,
        }
        for one in discounts
    ]


def discounts_from_json(stored: list[dict[str, Any]]) -> tuple[AppliedDiscount, ...]:
    """The discounts that `discounts_to_json` stored."""
    return tuple(
        AppliedDiscount(
            name=one["name"],
            percent=None if one["percent"] is None else Decimal(one["percent"]),
            amount=Decimal(one["amount"]),
            of_price=one["of_price"],
            position=one["position"],
        )
        for one in stored
    )
