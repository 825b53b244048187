"""Thousands of customers like one: its subscription, schedule and credits are copied in the database.

For what needs a crowd and is not about how it came: a run over thousands of subscriptions is ready in a second. The one
that is copied is made through the door, so that each copy is what the door would have made.
"""

from __future__ import annotations

from datetime import datetime

import psycopg
from psycopg import sql

_COPIED_ID = "split_part({0}, '_', 1) || '_0' || left(md5({0} || ':' || n), 25)"

_TABLES = {
    # table → which of its rows are the customer's, and the columns of it that are ids of what is copied
    "customer": ("id = %(customer_id)s", ("id",)),
    "subscription": ("customer_id = %(customer_id)s", ("id", "customer_id")),
    "subscription_version": ("subscription_id IN {subscriptions}", ("subscription_id",)),
    "component_schedule": ("subscription_id IN {subscriptions}", ("subscription_id",)),
    "credit_grant": ("customer_id = %(customer_id)s", ("id", "customer_id", "subscription_id")),
    "credit_transaction": ("grant_id IN {grants}", ("id", "grant_id")),
}
_SUBSCRIPTIONS = (
    "(SELECT id FROM subscription WHERE merchant_id = %(merchant_id)s"
    " AND customer_id = %(customer_id)s)"
)
_GRANTS = (
    "(SELECT id FROM credit_grant WHERE merchant_id = %(merchant_id)s"
    " AND customer_id = %(customer_id)s)"
)


def copy_customer(
    database: psycopg.Connection, merchant_id: str, customer_id: str, copies: int
) -> None:
    """Makes so many customers like this one, in one transaction; the first invoice may not be there yet."""
    with database.transaction():
        for table, (condition, ids) in _TABLES.items():
            columns = [
                row[0]
                for row in database.execute(
                    "SELECT column_name FROM information_schema.columns"
                    " WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position",
                    [table],
                ).fetchall()
            ]
            values = [_copied(table, column, ids) for column in columns]
            rows = condition.format(subscriptions=_SUBSCRIPTIONS, grants=_GRANTS)
            database.execute(
                f"""
                INSERT INTO {table} ({", ".join(columns)})
                SELECT {", ".join(values)}
                FROM {table} AS original CROSS JOIN generate_series(1, %(copies)s) AS n
                WHERE merchant_id = %(merchant_id)s AND {rows}
                """,  # type: ignore[arg-type]  # made of names of our own
                {"merchant_id": merchant_id, "customer_id": customer_id, "copies": copies},
            )
    # As autovacuum does within a minute of such a change.
    database.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(map(sql.Identifier, _TABLES))))


def put_usage(
    database: psycopg.Connection, merchant_id: str, bucket_at: datetime, value: int
) -> None:
    """Gives all customers of a merchant usage of every metric in one quarter-hour, as ingestion folds it.

    The metrics then count as having read their history, of which there is none.
    """
    database.execute(
        """
        INSERT INTO metric_history (merchant_id, metric_id, read_count, filled_at)
        SELECT merchant_id, id, 0, %(at)s FROM metric WHERE merchant_id = %(merchant_id)s
        ON CONFLICT DO NOTHING
        """,
        {"merchant_id": merchant_id, "at": bucket_at},
    )
    database.execute(
        """
        INSERT INTO usage_rollup (merchant_id, customer_id, metric_id, bucket_at, event_count, value_sum,
                                  value_min, value_max, last_at, last_key, last_value)
        SELECT c.merchant_id, c.id, m.id, %(at)s, 1, %(value)s, %(value)s, %(value)s, %(at)s,
               md5(c.id || m.id || %(at)s::text)::uuid, %(value)s
        FROM customer c JOIN metric m ON m.merchant_id = c.merchant_id
        WHERE c.merchant_id = %(merchant_id)s
        """,
        {"merchant_id": merchant_id, "at": bucket_at, "value": value},
    )


def _copied(table: str, column: str, ids: tuple[str, ...]) -> str:
    name = f"original.{column}"
    if column in ids:
        return f"CASE WHEN {name} IS NULL THEN NULL ELSE {_COPIED_ID.format(name)} END"
    if (table, column) == ("customer", "external_id"):
        return f"{name} || '-' || n"
    return name
