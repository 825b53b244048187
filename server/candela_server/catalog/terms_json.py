"""Charges and values as their jsonb columns hold them: every number a text, so that it stays exact."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from candela_server.kernel.money import format_decimal

from .model import FeatureValue, FilterOperator, PropertyFilter
from .price import (
    Charge,
    ChargeModel,
    FlatCharge,
    GraduatedCharge,
    PackageCharge,
    PercentageCharge,
    SeatTerms,
    Tier,
    VolumeCharge,
)


def value_to_json(value: FeatureValue) -> dict[str, Any]:
    """A feature's value with its kind."""
    if isinstance(value, bool):
        return {"boolean": value}
    if isinstance(value, Decimal):
        return {"number": format_decimal(value)}
    return {"text": value}


def value_from_json(stored: dict[str, Any]) -> FeatureValue:
    """The value that `value_to_json` stored."""
    match stored:
        case {"boolean": bool() as value}:
            return value
        case {"number": str() as text}:
            return Decimal(text)
        case {"text": str() as text}:
            return text
        case _:
            raise AssertionError(f"no feature value: {stored!r}")


def value_to_text(value: FeatureValue) -> str:
    """The same as one line, to tell other processes."""
    return json.dumps(value_to_json(value), ensure_ascii=False)


def value_from_text(told: str) -> FeatureValue:
    """The value that `value_to_text` told."""
    return value_from_json(json.loads(told))


def filters_to_json(filters: Sequence[PropertyFilter]) -> list[dict[str, Any]]:
    """The filters of a metric, in order."""
    return [
        {"property": one.property, "operator": one.operator, "values": list(one.values)}
        for one in filters
    ]


def filters_from_json(stored: list[dict[str, Any]]) -> tuple[PropertyFilter, ...]:
    """The filters that `filters_to_json` stored."""
    return tuple(
        PropertyFilter(one["property"], FilterOperator(one["operator"]), tuple(one["values"]))
        for one in stored
    )


def charge_to_json(charge: Charge) -> dict[str, Any]:
    """A charge: its model by name, and the steps around it."""
    return {
        "model": _model_to_json(charge.model),
        "free_units": format_decimal(charge.free_units),
        "minimum": _optional_text(charge.minimum),
        "maximum": _optional_text(charge.maximum),
    }


def charge_from_json(stored: dict[str, Any]) -> Charge:
    """The charge that `charge_to_json` stored."""
    return Charge(
        model=_model_from_json(stored["model"]),
        free_units=Decimal(stored["free_units"]),
        minimum=_optional_decimal(stored["minimum"]),
        maximum=_optional_decimal(stored["maximum"]),
    )


def seats_to_json(seats: SeatTerms | None) -> dict[str, Any] | None:
    """Seat terms, or nothing."""
    if seats is None:
        return None
    return {
        "minimum_seats": seats.minimum_seats,
        "included_seats": seats.included_seats,
        "bill_immediately": seats.bill_immediately,
    }


def seats_from_json(stored: dict[str, Any] | None) -> SeatTerms | None:
    """The terms that `seats_to_json` stored."""
    return None if stored is None else SeatTerms(**stored)


def _model_to_json(model: ChargeModel) -> dict[str, Any]:
    match model:
        case FlatCharge():
            return {"kind": "flat", "unit_price": format_decimal(model.unit_price)}
        case GraduatedCharge():
            return {"kind": "graduated", "tiers": [_tier_to_json(tier) for tier in model.tiers]}
        case VolumeCharge():
            return {"kind": "volume", "tiers": [_tier_to_json(tier) for tier in model.tiers]}
        case PackageCharge():
            return {
                "kind": "package",
                "package_size": format_decimal(model.package_size),
                "package_price": format_decimal(model.package_price),
            }
        case PercentageCharge():
            return {
                "kind": "percentage",
                "percent": format_decimal(model.percent),
                "fee_per_event": _optional_text(model.fee_per_event),
            }


def _model_from_json(stored: dict[str, Any]) -> ChargeModel:
    match stored["kind"]:
        case "flat":
            return FlatCharge(unit_price=Decimal(stored["unit_price"]))
        case "graduated":
            return GraduatedCharge(tiers=tuple(_tier_from_json(tier) for tier in stored["tiers"]))
        case "volume":
            return VolumeCharge(tiers=tuple(_tier_from_json(tier) for tier in stored["tiers"]))
        case "package":
            return PackageCharge(
                package_size=Decimal(stored["package_size"]),
                package_price=Decimal(stored["package_price"]),
            )
        case "percentage":
            return PercentageCharge(
                percent=Decimal(stored["percent"]),
                fee_per_event=_optional_decimal(stored["fee_per_event"]),
            )
        case kind:
            raise AssertionError(f"no charge model {kind!r}")


def _tier_to_json(tier: Tier) -> dict[str, Any]:
    return {
        "up_to": _optional_text(tier.up_to),
        "unit_price": format_decimal(tier.unit_price),
        "flat_fee": format_decimal(tier.flat_fee),
    }


def _tier_from_json(stored: dict[str, Any]) -> Tier:
    return Tier(
        up_to=_optional_decimal(stored["up_to"]),
        unit_price=Decimal(stored["unit_price"]),
        flat_fee=Decimal(stored["flat_fee"]),
    )


def _optional_text(value: Decimal | None) -> str | None:
    return None if value is None else format_decimal(value)


def _optional_decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
