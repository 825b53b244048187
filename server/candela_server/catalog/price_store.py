"""Every SQL text over prices and their components; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.storage.postgres import Tx

from .price import BillingTiming, Component, ComponentId, ComponentKind, Price, PriceId
from .price_terms_json import (
    commitment_from_json,
    commitment_to_json,
    discounts_from_json,
    discounts_to_json,
    time_rules_from_json,
    time_rules_to_json,
)
from .terms_json import charge_from_json, charge_to_json, seats_from_json, seats_to_json

_PRICE = """id, plan_id, name, currency, private_customer_id, discounts, minimum_commitment, created_at,
            archived_at, varies_price_id, kept_component_ids, billing_threshold"""


async def insert_price(tx: Tx, price: Price) -> None:
    """Stores a new price with its components."""
    await _insert_price(tx, price)
    await _insert_components(tx, price.id, price.components)


async def insert_variation(tx: Tx, price: Price, own: Component) -> None:
    """Stores a price of which one component is its own; the others are those of the price before it."""
    await _insert_price(tx, price, kept=[one.id for one in price.components if one.id != own.id])
    await _insert_components(tx, price.id, [own])


async def _insert_price(tx: Tx, price: Price, kept: Sequence[ComponentId] = ()) -> None:
    await tx.execute(
        """
        INSERT INTO price (merchant_id, id, plan_id, name, currency, private_customer_id, discounts,
                           minimum_commitment, created_at, archived_at, varies_price_id,
                           kept_component_ids, billing_threshold)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        tx.merchant_id,
        price.id,
        price.plan_id,
        price.name,
        price.currency,
        price.private_customer_id,
        discounts_to_json(price.discounts),
        commitment_to_json(price.minimum_commitment),
        price.created_at,
        price.archived_at,
        price.varies,
        list(kept),
        price.billing_threshold,
    )


async def _insert_components(tx: Tx, price_id: PriceId, components: Sequence[Component]) -> None:
    await tx.executemany(
        """
        INSERT INTO price_component (merchant_id, id, price_id, position, name, kind,
                                     recurrence_rule, own_time_zone, timing, metric_id, charge, seats,
                                     discounts, time_rules, varies_component_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        [
            (
                tx.merchant_id,
                component.id,
                price_id,
                component.position,
                component.name,
                component.kind,
                component.recurrence_rule,
                component.own_time_zone,
                component.timing,
                component.metric_id,
                charge_to_json(component.charge),
                seats_to_json(component.seats),
                discounts_to_json(component.discounts),
                time_rules_to_json(component.time_rules),
                component.varies,
            )
            for component in components
        ],
    )


async def set_price_archived(tx: Tx, price_id: PriceId, archived_at: datetime) -> None:
    """Takes a price out of sale; the time at which one was archived before stays."""
    await tx.execute(
        """
        UPDATE price SET archived_at = $3
        WHERE merchant_id = $1 AND id = $2 AND archived_at IS NULL
        """,
        tx.merchant_id,
        price_id,
        archived_at,
    )


async def list_prices_by_id(tx: Tx, ids: Sequence[str], *, lock: bool = False) -> list[Price]:
    """The prices with these ids, in no particular order; locked until commit when asked."""
    rows = await tx.fetch(
        f"""
        SELECT {_PRICE} FROM price WHERE merchant_id = $1 AND id = ANY($2::text[])
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        list(ids),
    )
    return await _with_components(tx, rows)


async def list_prices_of_plan(
    tx: Tx,
    plan_id: str,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    include_archived: bool,
) -> list[Price]:
    """One page of a plan's prices by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_PRICE} FROM price
        WHERE merchant_id = $1 AND plan_id = $2
          AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
          AND ($5 OR archived_at IS NULL)
        ORDER BY created_at, id LIMIT $6
        """,
        tx.merchant_id,
        plan_id,
        after_at,
        after_id,
        include_archived,
        limit,
    )
    return await _with_components(tx, rows)


async def list_sellable_prices(
    tx: Tx, plan_id: str, *, customer_id: str | None = None
) -> list[Price]:
    """A plan's prices that are not archived: the public ones, and those that are private to the customer."""
    rows = await tx.fetch(
        f"""
        SELECT {_PRICE} FROM price
        WHERE merchant_id = $1 AND plan_id = $2 AND archived_at IS NULL
          AND (private_customer_id IS NULL OR private_customer_id = $3)
        ORDER BY created_at, id
        """,
        tx.merchant_id,
        plan_id,
        customer_id,
    )
    return await _with_components(tx, rows)


async def _with_components(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[Price]:
    found = await tx.fetch(
        """
        SELECT id, price_id, position, name, kind, recurrence_rule, own_time_zone, timing, metric_id,
               charge, seats, discounts, time_rules, varies_component_id
        FROM price_component
        WHERE merchant_id = $1 AND (price_id = ANY($2::text[]) OR id = ANY($3::text[]))
        ORDER BY price_id, position
        """,
        tx.merchant_id,
        [row["id"] for row in rows],
        sorted({one for row in rows for one in row["kept_component_ids"]}),
    )
    by_price: dict[str, list[Component]] = {}
    by_id: dict[str, Component] = {}
    for row in found:
        component = _component_from_row(row)
        by_id[component.id] = component
        by_price.setdefault(row["price_id"], []).append(component)
    return [
        Price(
            id=PriceId(row["id"]),
            plan_id=row["plan_id"],
            name=row["name"],
            currency=row["currency"],
            components=tuple(_in_order(by_price.get(row["id"], []), row, by_id)),
            private_customer_id=row["private_customer_id"],
            discounts=discounts_from_json(row["discounts"]),
            minimum_commitment=commitment_from_json(row["minimum_commitment"]),
            billing_threshold=row["billing_threshold"],
            created_at=row["created_at"],
            archived_at=row["archived_at"],
            varies=row["varies_price_id"],
        )
        for row in rows
    ]


def _in_order(
    own: list[Component], row: Mapping[str, Any], by_id: Mapping[str, Component]
) -> list[Component]:
    """A price's own components, in their order, and those that it shares with another where they stand there."""
    kept = [by_id[one] for one in row["kept_component_ids"]]
    return sorted([*own, *kept], key=lambda one: one.position) if kept else own


def _component_from_row(row: Mapping[str, Any]) -> Component:
    return Component(
        id=ComponentId(row["id"]),
        position=row["position"],
        name=row["name"],
        kind=ComponentKind(row["kind"]),
        recurrence_rule=row["recurrence_rule"],
        own_time_zone=row["own_time_zone"],
        timing=BillingTiming(row["timing"]),
        metric_id=row["metric_id"],
        charge=charge_from_json(row["charge"]),
        seats=seats_from_json(row["seats"]),
        discounts=discounts_from_json(row["discounts"]),
        time_rules=time_rules_from_json(row["time_rules"]),
        varies=row["varies_component_id"],
    )
