"""What differs between the terms of two plan versions, as paths and texts that people read (CAT-9).

Features are told apart by slug and credits by name, because both outlive a version while ids do not: a credit
definition belongs to one version, and its copy in the next one has another id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.catalog.model import (
    CreditDefinition,
    FeatureId,
    FeatureValue,
    LimitScope,
    MetricId,
    PlanFeature,
)
from candela_server.kernel.money import format_decimal

_AS_THE_PRICE_DECIDES = "as the price decides"
# What a new or a vanished entry need not mention: the contract's own defaults.
_FEATURE_DEFAULTS = {
    "limit_behavior": _AS_THE_PRICE_DECIDES,
    "limit_scope": LimitScope.CUSTOMER.value,
}
_CREDIT_DEFAULTS = {
    "renew_on_billing": "false",
    "billing_visible": "false",
    "rollover_cap": "0",
    "priority": "0",
}
_MARKS_OF_A_PATH = frozenset('[]"#')


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a version grants, with the slugs of all that it names."""

    features: Sequence[PlanFeature]
    credit_definitions: Sequence[CreditDefinition]
    feature_slugs: Mapping[FeatureId, str]
    metric_slugs: Mapping[MetricId, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs; `before` is empty when it is new, `after` when it is gone."""

    path: str
    before: str
    after: str


_Entry = Mapping[str, str]


def version_difference(before: Terms, after: Terms) -> list[Difference]:
    """Every difference, features by slug first, then credits by name; none for equal terms, whatever their order."""
    return [
        *_differences(
            "features", _feature_entries(before), _feature_entries(after), _FEATURE_DEFAULTS
        ),
        *_differences(
            "credit_definitions", _credit_entries(before), _credit_entries(after), _CREDIT_DEFAULTS
        ),
    ]


def _differences(
    what: str, before: Mapping[str, _Entry], after: Mapping[str, _Entry], defaults: _Entry
) -> Iterator[Difference]:
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            one = one or _absent(other, defaults)
            other = other or _absent(one, defaults)
        for field, was in one.items():
            if was != other[field]:
                yield Difference(f"{what}[{name}].{field}", was, other[field])


def _absent(entry: _Entry | None, defaults: _Entry) -> _Entry:
    """What stands against an entry that is new or gone: nothing, but for what it has only by default."""
    return {
        field: told if told == defaults.get(field) else "" for field, told in (entry or {}).items()
    }


def _feature_entries(terms: Terms) -> dict[str, _Entry]:
    return {
        terms.feature_slugs[granted.feature_id]: {
            "value": _value_text(granted.value),
            "limit_behavior": granted.limit_behavior.value
            if granted.limit_behavior
            else _AS_THE_PRICE_DECIDES,
            "limit_scope": granted.limit_scope.value,
        }
        for granted in terms.features
    }


def _credit_entries(terms: Terms) -> dict[str, _Entry]:
    return _named(
        (definition.name, _credit_entry(definition, terms))
        for definition in terms.credit_definitions
    )


def _named(entries: Iterable[tuple[str, _Entry]]) -> dict[str, _Entry]:
    """The entries by name; the second of one name is called "name#2", in an order that ids have no part in."""
    named: dict[str, _Entry] = {}
    for name, entry in sorted(entries, key=lambda pair: (pair[0], tuple(pair[1].values()))):
        shown = json.dumps(name, ensure_ascii=False) if _MARKS_OF_A_PATH & set(name) else name
        key, number = shown, 1
        while key in named:
            number += 1
            key = f"{shown}#{number}"
        named[key] = entry
    return named


def _credit_entry(definition: CreditDefinition, terms: Terms) -> _Entry:
    return {
        "feature": terms.feature_slugs[definition.feature_id] if definition.feature_id else "",
        "metric": terms.metric_slugs[definition.metric_id] if definition.metric_id else "",
        "scope": definition.scope.value,
        "application_type": definition.application_type.value,
        "price_id": definition.price_id or "",
        "price_component_id": definition.component_id or "",
        "default_amount": format_decimal(definition.default_amount),
        "refill_amount": format_decimal(definition.refill_amount),
        "currency": definition.currency or "",
        "renew_on_billing": _value_text(definition.renew_on_billing),
        "renewal_rule": definition.renewal_rule or "",
        "billing_visible": _value_text(definition.billing_visible),
        "basis": definition.basis.value,
        "expires_after": str(definition.expires_after) if definition.expires_after else "",
        "rollover_cap": format_decimal(definition.rollover_cap),
        "priority": str(definition.priority),
    }


def _value_text(value: FeatureValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format_decimal(value)
    # In quotes, so that an empty text is told apart from nothing.
    return json.dumps(value, ensure_ascii=False)
