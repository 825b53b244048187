"""What lines say of tiers, discounts, credits and calculations, as jsonb holds it: amounts are exact texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from decimal import Decimal
from typing import Any

from candela_server.credit.model import Draw, GrantId
from candela_server.kernel.money import Money, format_decimal

from .calculation import Calculation
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


def draws_to_json(draws: Sequence[Draw]) -> list[dict[str, Any]]:
    """What grants pay, with what that was sold for."""
    stored: list[dict[str, Any]] = []
    for one in draws:
        said: dict[str, Any] = {"grant_id": one.grant_id, "quantity": format_decimal(one.amount)}
        if one.cost_basis is not None:
            said["cost_amount"] = format_decimal(one.cost_basis.amount)
            said["cost_currency"] = one.cost_basis.currency
        stored.append(said)
    return stored


def draws_from_json(stored: Sequence[Mapping[str, Any]]) -> tuple[Draw, ...]:
    """The draws that `draws_to_json` stored."""
    return tuple(
        Draw(
            GrantId(one["grant_id"]),
            Decimal(one["quantity"]),
            Money(currency=one["cost_currency"], amount=Decimal(one["cost_amount"]))
            if "cost_currency" in one
            else None,
        )
        for one in stored
    )


def calculation_text(made: Calculation | None) -> str | None:
    """The calculation as JSON, without what says nothing: most lines say little."""
    if made is None:
        return None
    said: dict[str, Any] = {}
    for one in fields(Calculation):
        value = getattr(made, one.name)
        if value != one.default:
            said[one.name] = format_decimal(value) if isinstance(value, Decimal) else value
    return json.dumps(said)


def calculation_from_json(stored: Mapping[str, Any] | None) -> Calculation | None:
    """The calculation that `calculation_text` wrote."""
    if stored is None:
        return None
    said: dict[str, Any] = {
        name: Decimal(value) if isinstance(value, str) and name != "bound" else value
        for name, value in stored.items()
    }
    return Calculation(**said)
