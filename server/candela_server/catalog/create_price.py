"""Adds a price to a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import price_store
from .model import MetricId, PlanId
from .price import (
    BillingTiming,
    Charge,
    Component,
    ComponentId,
    ComponentKind,
    Discount,
    MinimumCommitment,
    Price,
    PriceId,
    SeatTerms,
    TimeRule,
)
from .price_terms_json import commitment_to_json, discounts_to_json, time_rules_to_json
from .rules.charged_twice import charged_twice
from .rules.falling_bill import warnings
from .terms_json import charge_to_json, seats_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComponent:
    """One charge of a new price; `metric_slug` names the metric of a usage component."""

    name: str
    kind: ComponentKind
    recurrence_rule: str
    own_time_zone: str | None
    timing: BillingTiming
    metric_slug: str | None
    charge: Charge
    seats: SeatTerms | None
    discounts: tuple[Discount, ...] = ()
    time_rules: tuple[TimeRule, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """What the new price charges."""

    name: str
    currency: str
    components: tuple[NewComponent, ...]
    private_customer_id: str | None
    discounts: tuple[Discount, ...] = ()
    minimum_commitment: MinimumCommitment | None = None
    billing_threshold: Decimal | None = None

    @property
    def cadence(self) -> tuple[str, ...]:
        """As `Price.cadence`."""
        return tuple(sorted({component.recurrence_rule for component in self.components}))


async def create_price(
    tx: Tx, clock: Clock, plan_id: PlanId, new: NewPrice, metrics: Mapping[str, MetricId]
) -> tuple[Price, list[str]]:
    """Adds a price, with what its seller should know; `metrics` are the ids of all slugs it names (CAT-4)."""
    price = Price(
        id=PriceId(new_id("price")),
        plan_id=plan_id,
        name=new.name,
        currency=new.currency,
        components=tuple(
            component_of(component, position, metrics)
            for position, component in enumerate(new.components)
        ),
        private_customer_id=new.private_customer_id,
        discounts=new.discounts,
        minimum_commitment=new.minimum_commitment,
        billing_threshold=new.billing_threshold,
        created_at=clock.now(),
    )
    await price_store.insert_price(tx, price)
    await tx.audit("price.created", price.id, after=trace_of(price))
    return price, [*warnings(price), *charged_twice(price)]


def component_of(new: NewComponent, position: int, metrics: Mapping[str, MetricId]) -> Component:
    """The component that a new one becomes, at its place in a price."""
    return Component(
        id=ComponentId(new_id("comp")),
        position=position,
        name=new.name,
        kind=new.kind,
        recurrence_rule=new.recurrence_rule,
        own_time_zone=new.own_time_zone,
        timing=new.timing,
        metric_id=metrics[new.metric_slug] if new.metric_slug else None,
        charge=new.charge,
        seats=new.seats,
        discounts=new.discounts,
        time_rules=new.time_rules,
    )


def trace_of(price: Price) -> dict[str, Any]:
    """A new price as the audit log shows it."""
    return {
        "plan_id": price.plan_id,
        "currency": price.currency,
        "private_customer_id": price.private_customer_id,
        "discounts": discounts_to_json(price.discounts),
        "minimum_commitment": commitment_to_json(price.minimum_commitment),
        "billing_threshold": price.billing_threshold,
        "components": [
            {
                "id": component.id,
                "name": component.name,
                "kind": component.kind,
                "recurrence_rule": component.recurrence_rule,
                "timing": component.timing,
                "metric_id": component.metric_id,
                "charge": charge_to_json(component.charge),
                "seats": seats_to_json(component.seats),
                "discounts": discounts_to_json(component.discounts),
                "time_rules": time_rules_to_json(component.time_rules),
            }
            for component in price.components
        ],
    }
