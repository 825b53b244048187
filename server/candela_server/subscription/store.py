"""Every SQL text over subscriptions and their versions; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.kernel.money import format_decimal
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx

from .model import (
    CollectionMethod,
    Proration,
    Status,
    Subscription,
    SubscriptionId,
    SubscriptionVersion,
)

_SUBSCRIPTION = """s.id, s.customer_id, s.currency, COALESCE(v.anchor_at, s.anchor_at) AS anchor_at,
                   s.time_zone, s.collection_method, s.metadata, s.created_at, v.number, v.status,
                   v.plan_id, v.plan_version_id, v.price_id, v.quantities, v.valid_from, v.valid_to,
                   v.reason, v.actor, v.anchor_at AS own_anchor_at, v.cancel_at, v.terms_since,
                   v.proration"""
_JOIN = """subscription s JOIN subscription_version v
           ON v.merchant_id = s.merchant_id AND v.subscription_id = s.id"""


async def insert_subscription(tx: Tx, subscription: Subscription) -> None:
    """Stores a new subscription with its first version."""
    await tx.execute(
        """
        INSERT INTO subscription (merchant_id, id, customer_id, plan_id, currency, anchor_at,
                                  time_zone, collection_method, metadata, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        tx.merchant_id,
        subscription.id,
        subscription.customer_id,
        subscription.version.plan_id,
        subscription.currency,
        subscription.anchor_at,
        subscription.time_zone,
        subscription.collection_method,
        dict(subscription.metadata),
        subscription.created_at,
    )
    version = subscription.version
    await tx.execute(
        """
        INSERT INTO subscription_version (merchant_id, subscription_id, number, status, plan_id,
                                          plan_version_id, price_id, quantities, valid_from, reason,
                                          actor)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        tx.merchant_id,
        subscription.id,
        version.number,
        version.status,
        version.plan_id,
        version.plan_version_id,
        version.price_id,
        {key: format_decimal(value) for key, value in version.quantities.items()},
        version.valid_from,
        version.reason,
        version.actor,
    )


async def find_subscription(
    tx: Tx, subscription_id: SubscriptionId, as_of: datetime | None
) -> Subscription | None:
    """The subscription in the version in force, or in the one of an instant."""
    row = await tx.fetchrow(
        f"""
        SELECT {_SUBSCRIPTION} FROM {_JOIN}
        WHERE s.merchant_id = $1 AND s.id = $2
          AND CASE WHEN $3::timestamptz IS NULL THEN v.valid_to IS NULL
                   ELSE v.valid_from <= $3 AND (v.valid_to IS NULL OR $3 < v.valid_to) END
        """,
        tx.merchant_id,
        subscription_id,
        as_of,
    )
    return _subscription_from_row(row) if row else None


async def list_subscriptions_by_id(tx: Tx, ids: Sequence[SubscriptionId]) -> list[Subscription]:
    """The subscriptions with these ids in the version in force, in no particular order."""
    rows = await tx.fetch(
        f"""
        SELECT {_SUBSCRIPTION} FROM {_JOIN}
        WHERE s.merchant_id = $1 AND s.id = ANY($2::text[]) AND v.valid_to IS NULL
        """,
        tx.merchant_id,
        list(ids),
    )
    return [_subscription_from_row(row) for row in rows]


async def list_subscriptions_of_customers(
    tx: Tx, customer_ids: Sequence[str]
) -> list[Subscription]:
    """All subscriptions of these customers in the version in force, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_SUBSCRIPTION} FROM {_JOIN}
        WHERE s.merchant_id = $1 AND s.customer_id = ANY($2::text[]) AND v.valid_to IS NULL
        ORDER BY s.created_at, s.id
        """,
        tx.merchant_id,
        list(customer_ids),
    )
    return [_subscription_from_row(row) for row in rows]


async def page_subscriptions(
    tx: Tx,
    *,
    customer_id: str | None,
    statuses: Sequence[Status],
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[Subscription]:
    """One page of subscriptions by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_SUBSCRIPTION} FROM {_JOIN}
        WHERE s.merchant_id = $1 AND v.valid_to IS NULL
          AND ($2::text IS NULL OR s.customer_id = $2)
          AND (cardinality($3::text[]) = 0 OR v.status = ANY($3::text[]))
          AND ($4::timestamptz IS NULL OR (s.created_at, s.id) > ($4, $5))
        ORDER BY s.created_at, s.id LIMIT $6
        """,
        tx.merchant_id,
        customer_id,
        list(statuses),
        after_at,
        after_id,
        limit,
    )
    return [_subscription_from_row(row) for row in rows]


async def list_versions(
    tx: Tx, subscription_id: SubscriptionId, *, after_number: int, limit: int
) -> list[Subscription]:
    """One page of a subscription's history by number."""
    rows = await tx.fetch(
        f"""
        SELECT {_SUBSCRIPTION} FROM {_JOIN}
        WHERE s.merchant_id = $1 AND s.id = $2 AND v.number > $3
        ORDER BY v.number LIMIT $4
        """,
        tx.merchant_id,
        subscription_id,
        after_number,
        limit,
    )
    return [_subscription_from_row(row) for row in rows]


async def list_versions_of(tx: Tx, ids: Sequence[SubscriptionId]) -> list[Subscription]:
    """All versions of these subscriptions, by subscription and number."""
    rows = await tx.fetch(
        f"""
        SELECT {_SUBSCRIPTION} FROM {_JOIN}
        WHERE s.merchant_id = $1 AND s.id = ANY($2::text[])
        ORDER BY s.id, v.number
        """,
        tx.merchant_id,
        list(ids),
    )
    return [_subscription_from_row(row) for row in rows]


def _subscription_from_row(row: Mapping[str, Any]) -> Subscription:
    return Subscription(
        id=row["id"],
        customer_id=row["customer_id"],
        currency=row["currency"],
        anchor_at=row["anchor_at"],
        time_zone=row["time_zone"],
        collection_method=CollectionMethod(row["collection_method"]),
        metadata=row["metadata"],
        created_at=row["created_at"],
        version=SubscriptionVersion(
            number=row["number"],
            status=Status(row["status"]),
            plan_id=row["plan_id"],
            plan_version_id=row["plan_version_id"],
            price_id=row["price_id"],
            quantities={key: Decimal(text) for key, text in row["quantities"].items()},
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
            reason=row["reason"],
            actor=row["actor"],
            anchor_at=row["own_anchor_at"],
            cancel_at=row["cancel_at"],
            terms_since=row["terms_since"],
            proration=Proration(row["proration"]),
        ),
    )
