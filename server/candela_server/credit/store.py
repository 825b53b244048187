"""Every SQL text over grants: what a customer was given, with what is left of it; nothing here decides.

What moves a balance is in ledger_store.py, when something ends in end_store.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.catalog.model import CreditApplicationType, CreditScope
from candela_server.customer.model import CustomerId
from candela_server.kernel.money import Money
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx

from .model import CreditGrant, Funding

_GRANT = """g.id, g.customer_id, g.subscription_id, g.definition_id, g.application_type, g.scope,
            g.feature_id, g.metric_id, g.component_id, g.currency, g.amount, g.effective_at,
            g.expires_at, g.priority, g.funding, g.billing_visible, g.reason, g.created_at,
            g.cost_amount, g.cost_currency, g.ordinal,
            (SELECT COALESCE(sum(t.amount), 0) FROM credit_transaction t
             WHERE t.merchant_id = g.merchant_id AND t.grant_id = g.id) AS balance"""


async def insert_grants(tx: Tx, grants: Sequence[CreditGrant]) -> set[str]:
    """Stores new grants and returns the ids of those that were not there for their period already."""
    rows = await tx.fetch(
        """
        INSERT INTO credit_grant (
            merchant_id, id, customer_id, subscription_id, definition_id, application_type, scope,
            feature_id, metric_id, component_id, currency, amount, effective_at, expires_at,
            priority, funding, billing_visible, reason, created_at, cost_amount, cost_currency,
            ordinal)
        SELECT $1, u.*
        FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::text[], $9::text[], $10::text[], $11::text[], $12::numeric[],
                    $13::timestamptz[], $14::timestamptz[], $15::int[], $16::text[], $17::bool[],
                    $18::text[], $19::timestamptz[], $20::numeric[], $21::text[], $22::int[]) AS u
        ON CONFLICT ON CONSTRAINT credit_grant_once_per_period DO NOTHING
        RETURNING id
        """,
        tx.merchant_id,
        [one.id for one in grants],
        [one.customer_id for one in grants],
        [one.subscription_id for one in grants],
        [one.definition_id for one in grants],
        [one.application_type for one in grants],
        [one.scope for one in grants],
        [one.feature_id for one in grants],
        [one.metric_id for one in grants],
        [one.component_id for one in grants],
        [one.currency for one in grants],
        [one.amount for one in grants],
        [one.effective_at for one in grants],
        [one.expires_at for one in grants],
        [one.priority for one in grants],
        [one.funding for one in grants],
        [one.billing_visible for one in grants],
        [one.reason for one in grants],
        [one.created_at for one in grants],
        [one.cost_basis and one.cost_basis.amount for one in grants],
        [one.cost_basis and one.cost_basis.currency for one in grants],
        [one.ordinal for one in grants],
    )
    return {row["id"] for row in rows}


async def list_grants_counting_at(
    tx: Tx, customer_ids: Sequence[str], instant: datetime
) -> list[CreditGrant]:
    """The customers' grants that can pay for usage of this instant, in no particular order.

    One that was ordered counts once it is filled: before that it promises nothing.
    """
    rows = await tx.fetch(
        f"""
        SELECT {_GRANT} FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.customer_id = ANY($2::text[])
          AND g.effective_at <= $3 AND (g.expires_at IS NULL OR $3 < g.expires_at)
          AND (g.funding <> 'paid' OR EXISTS (
              SELECT FROM credit_transaction t
              WHERE t.merchant_id = g.merchant_id AND t.grant_id = g.id))
        """,
        tx.merchant_id,
        list(customer_ids),
        instant,
    )
    return [_grant_from_row(row) for row in rows]


async def next_starts_at(tx: Tx, after: Mapping[CustomerId, datetime]) -> dict[str, datetime]:
    """When the first grant of each customer begins that had not by the customer's instant."""
    rows = await tx.fetch(
        """
        SELECT g.customer_id, min(g.effective_at) AS begins_at
        FROM unnest($2::text[], $3::timestamptz[]) AS holder (id, now_at)
        JOIN credit_grant g ON g.customer_id = holder.id AND g.effective_at > holder.now_at
        WHERE g.merchant_id = $1 GROUP BY g.customer_id
        """,
        tx.merchant_id,
        list(after),
        list(after.values()),
    )
    return {row["customer_id"]: row["begins_at"] for row in rows}


async def list_grants_counting_for(
    tx: Tx, at: Mapping[CustomerId, datetime], since: Mapping[CustomerId, datetime] | None = None
) -> list[CreditGrant]:
    """As list_grants_counting_at, for each customer at an instant of its own.

    With `since`, an instant before that for each, also usage credit that ended in between.
    """
    rows = await tx.fetch(
        f"""
        SELECT {_GRANT} FROM unnest($2::text[], $3::timestamptz[], $4::timestamptz[])
                             AS holder (id, now_at, since)
        JOIN credit_grant g ON g.customer_id = holder.id AND g.effective_at <= holder.now_at
                           AND (g.expires_at IS NULL OR holder.now_at < g.expires_at
                                OR (holder.since < g.expires_at AND g.application_type = 'usage'))
        WHERE g.merchant_id = $1
          AND (g.funding <> 'paid' OR EXISTS (
              SELECT FROM credit_transaction t
              WHERE t.merchant_id = g.merchant_id AND t.grant_id = g.id))
        """,
        tx.merchant_id,
        list(at),
        list(at.values()),
        list(at.values()) if since is None else [since[one] for one in at],
    )
    return [_grant_from_row(row) for row in rows]


async def list_grants_of_customers(
    tx: Tx, customer_ids: Sequence[str], *, since: datetime | None, until: datetime
) -> list[CreditGrant]:
    """The customers' grants that began before `until`, in no particular order.

    With `since`, of those that had ended by then only such as may have something left: their ends are still noted. The
    others, as many as a customer ever had, are looked up in an index, and what was drawn from them is not read.
    """
    rows = await tx.fetch(
        f"""
        WITH ended AS MATERIALIZED (
            SELECT id FROM credit_grant
            WHERE merchant_id = $1 AND customer_id = ANY($2::text[]) AND expires_at <= $4::timestamptz)
        SELECT {_GRANT} FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.customer_id = ANY($2::text[]) AND g.effective_at < $3
          AND ($4::timestamptz IS NULL OR g.expires_at IS NULL OR g.expires_at > $4)
        UNION ALL
        SELECT {_GRANT} FROM ended
        JOIN credit_expiry e ON e.merchant_id = $1 AND e.grant_id = ended.id
        JOIN credit_grant g ON g.merchant_id = e.merchant_id AND g.id = e.grant_id
        WHERE g.merchant_id = $1 AND g.effective_at < $3
        """,
        tx.merchant_id,
        list(customer_ids),
        until,
        since,
    )
    return [_grant_from_row(row) for row in rows]


async def list_grants_of_subscription(tx: Tx, subscription_id: str) -> list[CreditGrant]:
    """All grants that ever came with a subscription, also those that have not begun; in no particular order."""
    rows = await tx.fetch(
        f"""
        SELECT {_GRANT} FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.subscription_id = $2
        """,
        tx.merchant_id,
        subscription_id,
    )
    return [_grant_from_row(row) for row in rows]


async def list_monetary_grants(
    tx: Tx, customer_ids: Sequence[str], until: datetime
) -> list[CreditGrant]:
    """The customers' monetary grants that began by an instant and have something left, by id."""
    rows = await tx.fetch(
        f"""
        SELECT * FROM (SELECT g.merchant_id, {_GRANT} FROM credit_grant g
                       WHERE g.merchant_id = $1 AND g.customer_id = ANY($2::text[])
                         AND g.application_type = 'monetary' AND g.effective_at <= $3) AS found
        WHERE merchant_id = $1 AND balance > 0 ORDER BY id
        """,
        tx.merchant_id,
        list(customer_ids),
        until,
    )
    return [_grant_from_row(row) for row in rows]


async def find_successor(tx: Tx, ended: CreditGrant) -> CreditGrant | None:
    """The grant of the same definition and subscription that is in force when another has ended."""
    row = await tx.fetchrow(
        f"""
        SELECT {_GRANT} FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.definition_id = $2 AND g.subscription_id = $3
          AND g.funding = 'included' AND g.effective_at <= $4
          AND (g.expires_at IS NULL OR $4 < g.expires_at)
        ORDER BY g.effective_at DESC, g.ordinal LIMIT 1
        """,
        tx.merchant_id,
        ended.definition_id,
        ended.subscription_id,
        ended.expires_at,
    )
    return _grant_from_row(row) if row else None


async def lock_grants(tx: Tx, ids: Sequence[str]) -> None:
    """Waits until nobody else draws from these grants; the lock is that of candela_check_grant_balance."""
    await tx.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended($1 || wanted.id, 0))
        FROM unnest($2::text[]) WITH ORDINALITY AS wanted (id, place) ORDER BY wanted.place
        """,
        tx.merchant_id,
        list(ids),
    )


async def list_grants_by_id(tx: Tx, ids: Sequence[str]) -> list[CreditGrant]:
    """The grants with these ids, by id."""
    rows = await tx.fetch(
        f"""
        SELECT {_GRANT} FROM credit_grant g
        WHERE g.merchant_id = $1 AND g.id = ANY($2::text[]) ORDER BY g.id
        """,
        tx.merchant_id,
        list(ids),
    )
    return [_grant_from_row(row) for row in rows]


async def page_grants(
    tx: Tx,
    customer_id: str,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    unended_at: datetime | None,
) -> list[CreditGrant]:
    """One page of a customer's grants by (created_at, id).

    With `unended_at`, only those that have something left and have not expired then; one that begins later counts.
    """
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        f"""
        SELECT * FROM (SELECT g.merchant_id, {_GRANT} FROM credit_grant g
                       WHERE g.merchant_id = $1 AND g.customer_id = $2
                         AND ($3::timestamptz IS NULL OR (g.created_at, g.id) > ($3, $4))
                         AND ($5::timestamptz IS NULL OR g.expires_at IS NULL OR $5 < g.expires_at)
                      ) AS found
        WHERE merchant_id = $1 AND ($5::timestamptz IS NULL OR balance > 0)
        ORDER BY created_at, id LIMIT $6
        """,
        tx.merchant_id,
        customer_id,
        after_at,
        after_id,
        unended_at,
        limit,
    )
    return [_grant_from_row(row) for row in rows]


def _grant_from_row(row: Mapping[str, Any]) -> CreditGrant:
    balance: Decimal = row["balance"]
    return CreditGrant(
        id=row["id"],
        customer_id=row["customer_id"],
        subscription_id=row["subscription_id"],
        definition_id=row["definition_id"],
        application_type=CreditApplicationType(row["application_type"]),
        scope=CreditScope(row["scope"]),
        feature_id=row["feature_id"],
        metric_id=row["metric_id"],
        component_id=row["component_id"],
        currency=row["currency"],
        amount=row["amount"],
        balance=balance,
        effective_at=row["effective_at"],
        expires_at=row["expires_at"],
        priority=row["priority"],
        funding=Funding(row["funding"]),
        billing_visible=row["billing_visible"],
        reason=row["reason"],
        created_at=row["created_at"],
        cost_basis=Money(currency=row["cost_currency"], amount=row["cost_amount"])
        if row["cost_currency"]
        else None,
        ordinal=row["ordinal"],
    )
