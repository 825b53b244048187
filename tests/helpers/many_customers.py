"""Thousands of customers who hold the same as one, made by the database itself: signing each up would take minutes."""

from __future__ import annotations

from candela_server.customer.model import Customer, CustomerId

from tests.helpers.selling import Shop

_COPIES = (
    # What is copied, what makes the rows the model's, and which of their columns hold ids that differ per copy.
    ("customer", "id = $2", ("id", "external_id")),
    ("subscription", "customer_id = $2", ("id", "customer_id")),
    (
        "subscription_version",
        "subscription_id IN (SELECT id FROM subscription WHERE merchant_id = $1 AND customer_id = $2)",
        ("subscription_id",),
    ),
    ("credit_grant", "customer_id = $2", ("id", "customer_id", "subscription_id")),
    (
        "credit_transaction",
        "grant_id IN (SELECT id FROM credit_grant WHERE merchant_id = $1 AND customer_id = $2)",
        ("id", "grant_id"),
    ),
)


async def copy_customer(shop: Shop, model: Customer, count: int) -> list[CustomerId]:
    """Adds so many customers with the subscriptions and credits of `model`; nothing of it will ever be billed."""
    async with shop.db.writing(shop.merchant_id) as tx:
        for table, of_model, columns in _COPIES:
            differing = ", ".join(
                # A number replaces what ids of one moment have in common, and leaves the end that tells them apart;
                # null stays null.
                f"'{column}', left(m.{column}, -12) || to_char(n, 'FM00000') || right(m.{column}, 7)"
                for column in columns
            )
            await tx.execute(
                f"""
                INSERT INTO {table}
                SELECT copied.*
                FROM (SELECT * FROM {table} WHERE merchant_id = $1 AND {of_model}) AS m,
                     generate_series(1, $3::int) AS n,
                     jsonb_populate_record(
                         NULL::{table}, to_jsonb(m) || jsonb_build_object({differing})) AS copied
                """,
                shop.merchant_id,
                model.id,
                count,
            )
    return [
        CustomerId(f"{model.id[:-12]}{number:05}{model.id[-7:]}") for number in range(1, count + 1)
    ]
