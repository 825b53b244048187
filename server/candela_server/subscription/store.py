"""Every SQL text over subscriptions, their versions and what is billed next; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from .model import (
    CollectionMethod,
    LastTerms,
    Proration,
    ScheduledPeriod,
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
    rows = await tx.fetch(
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


async def insert_schedule(tx: Tx, rows: Sequence[ScheduledPeriod]) -> None:
    """Writes what is billed next of components."""
    terms = [row.last_terms for row in rows]
    await tx.execute(
        """
        INSERT INTO component_schedule (merchant_id, subscription_id, component_id, test_clock_id,
                                        period_number, period_start, period_end, due_at, price_id,
                                        plan_version_id, held)
        SELECT $1, u.*
        FROM unnest($2::text[], $3::text[], $4::text[], $5::int[], $6::timestamptz[],
                    $7::timestamptz[], $8::timestamptz[], $9::text[], $10::text[],
                    $11::numeric[]) AS u
        """,
        tx.merchant_id,
        [row.subscription_id for row in rows],
        [row.component_id for row in rows],
        [row.test_clock_id for row in rows],
        [row.period_number for row in rows],
        [row.period.start_at for row in rows],
        [row.period.end_at for row in rows],
        [row.due_at for row in rows],
        [one.price_id if one else None for one in terms],
        [one.plan_version_id if one else None for one in terms],
        [one.held if one else None for one in terms],
    )


async def delete_schedule(tx: Tx, rows: Sequence[ScheduledPeriod]) -> None:
    """Forgets what was billed, or will not be."""
    await tx.execute(
        """
        DELETE FROM component_schedule c
        USING unnest($2::text[], $3::text[], $4::timestamptz[])
            AS u (subscription_id, component_id, period_start)
        WHERE c.merchant_id = $1 AND c.subscription_id = u.subscription_id
          AND c.component_id = u.component_id AND c.period_start = u.period_start
        """,
        tx.merchant_id,
        [row.subscription_id for row in rows],
        [row.component_id for row in rows],
        [row.period.start_at for row in rows],
    )


async def park(tx: Tx, ids: Sequence[SubscriptionId], at: datetime) -> None:
    """Stops billing of these subscriptions until a person looks."""
    await tx.execute(
        """
        UPDATE component_schedule SET parked_at = $3
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(ids),
        at,
    )


async def lock_due_subscriptions(
    tx: Tx, *, until: datetime, test_clock_id: TestClockId | None, limit: int
) -> list[SubscriptionId]:
    """Locks subscriptions that have something due, the longest due first, passing by those another worker holds.

    `limit` bounds the components that are looked at, so that a claim costs the same however much is due.
    """
    # IS NOT DISTINCT FROM cannot use an index, hence two texts; $4 is compared in one of them only.
    on_clock = (
        "c.test_clock_id IS NULL AND $4::text IS NULL"
        if test_clock_id is None
        else "c.test_clock_id = $4"
    )
    rows = await tx.fetch(
        f"""
        SELECT s.id FROM component_schedule c
        JOIN subscription s ON s.merchant_id = c.merchant_id AND s.id = c.subscription_id
        WHERE c.merchant_id = $1 AND c.due_at <= $2 AND c.parked_at IS NULL AND {on_clock}
        ORDER BY c.due_at LIMIT $3
        FOR UPDATE OF s SKIP LOCKED
        """,
        tx.merchant_id,
        until,
        limit,
        test_clock_id,
    )
    return list(dict.fromkeys(row["id"] for row in rows))


async def list_first_due(
    tx: Tx, ids: Sequence[SubscriptionId], until: datetime
) -> list[ScheduledPeriod]:
    """Of each subscription, the periods that are due first, if they are due by `until`."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, component_id, test_clock_id, period_number, period_start, period_end,
               due_at, price_id, plan_version_id, held
        FROM (
            SELECT c.*, min(c.due_at) OVER (PARTITION BY c.subscription_id) AS first_due_at
            FROM component_schedule c
            WHERE c.merchant_id = $1 AND c.subscription_id = ANY($2::text[])
              AND c.parked_at IS NULL
        ) AS due
        WHERE merchant_id = $1 AND due_at = first_due_at AND due_at <= $3
        ORDER BY subscription_id, component_id
        """,
        tx.merchant_id,
        list(ids),
        until,
    )
    return [scheduled_from_row(row) for row in rows]


def scheduled_from_row(row: Mapping[str, Any]) -> ScheduledPeriod:
    """A period from a row of component_schedule."""
    return ScheduledPeriod(
        subscription_id=row["subscription_id"],
        component_id=row["component_id"],
        test_clock_id=row["test_clock_id"],
        period_number=row["period_number"],
        period=Interval(row["period_start"], row["period_end"]),
        due_at=row["due_at"],
        last_terms=LastTerms(
            plan_version_id=row["plan_version_id"], price_id=row["price_id"], held=row["held"]
        )
        if row["price_id"]
        else None,
    )


async def next_due_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When something next falls due on a test clock."""
    found: datetime | None = await tx.fetchval(
        """
        SELECT min(due_at) FROM component_schedule
        WHERE merchant_id = $1 AND test_clock_id = $2 AND parked_at IS NULL
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return found


async def list_merchants_with_due(tx: Tx, until: datetime) -> list[str]:
    """The merchants for whom something is due in real time; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM component_schedule
        WHERE test_clock_id IS NULL AND due_at <= $1 AND parked_at IS NULL
        """,
        until,
    )
    return [row["merchant_id"] for row in rows]


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
