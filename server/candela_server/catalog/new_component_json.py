"""A component that does not exist yet, as the JSON that a scheduled swap is kept in, and back (SUB-5, SUB-6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .create_price import NewComponent
from .price import BillingTiming, ComponentKind
from .price_terms_json import (
    discounts_from_json,
    discounts_to_json,
    time_rules_from_json,
    time_rules_to_json,
)
from .terms_json import charge_from_json, charge_to_json, seats_from_json, seats_to_json


def new_component_to_json(new: NewComponent) -> dict[str, Any]:
    """The component as it is stored."""
    return {
        "name": new.name,
        "kind": new.kind,
        "recurrence_rule": new.recurrence_rule,
        "own_time_zone": new.own_time_zone,
        "timing": new.timing,
        "metric": new.metric_slug,
        "charge": charge_to_json(new.charge),
        "seats": seats_to_json(new.seats),
        "discounts": discounts_to_json(new.discounts),
        "time_rules": time_rules_to_json(new.time_rules),
    }


def new_component_from_json(stored: Mapping[str, Any]) -> NewComponent:
    """The component from what was stored."""
    return NewComponent(
        name=stored["name"],
        kind=ComponentKind(stored["kind"]),
        recurrence_rule=stored["recurrence_rule"],
        own_time_zone=stored["own_time_zone"],
        timing=BillingTiming(stored["timing"]),
        metric_slug=stored["metric"],
        charge=charge_from_json(stored["charge"]),
        seats=seats_from_json(stored["seats"]),
        discounts=discounts_from_json(stored["discounts"]),
        time_rules=time_rules_from_json(stored["time_rules"]),
    )
