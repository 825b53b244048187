"""Every SQL text over customers and users; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.merchant.model import TestClockId
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx, unique_or

from .address_json import address_from_json, address_to_json
from .model import (
    Customer,
    CustomerExternalIdTakenError,
    CustomerId,
    User,
    UserExternalIdTakenError,
    UserId,
)

_CUSTOMER_COLUMNS = """id, name, external_id, email, business_name, tax_id, address, time_zone,
                       metadata, test_clock_id, created_at, archived_at, payment_terms_days"""
_USER_COLUMNS = "id, customer_id, external_id, name, email, created_at, archived_at"


async def insert_customer(tx: Tx, customer: Customer) -> None:
    """Stores a new customer. Raises CustomerExternalIdTakenError."""
    with unique_or(
        "customer_external_id_key", CustomerExternalIdTakenError(customer.external_id or "")
    ):
        await tx.execute(
            """
            INSERT INTO customer (merchant_id, id, name, external_id, email, business_name, tax_id,
                                  address, time_zone, metadata, test_clock_id, created_at,
                                  payment_terms_days)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            tx.merchant_id,
            customer.id,
            customer.name,
            customer.external_id,
            customer.email,
            customer.business_name,
            customer.tax_id,
            address_to_json(customer.address),
            customer.time_zone,
            dict(customer.metadata),
            customer.test_clock_id,
            customer.created_at,
            customer.payment_terms_days,
        )


async def update_customer(tx: Tx, customer: Customer) -> None:
    """Writes what may change of a customer. Raises CustomerExternalIdTakenError."""
    with unique_or(
        "customer_external_id_key", CustomerExternalIdTakenError(customer.external_id or "")
    ):
        await tx.execute(
            """
            UPDATE customer
            SET name = $3, external_id = $4, email = $5, business_name = $6, tax_id = $7,
                address = $8, time_zone = $9, metadata = $10, archived_at = $11,
                payment_terms_days = $12
            WHERE merchant_id = $1 AND id = $2
            """,
            tx.merchant_id,
            customer.id,
            customer.name,
            customer.external_id,
            customer.email,
            customer.business_name,
            customer.tax_id,
            address_to_json(customer.address),
            customer.time_zone,
            dict(customer.metadata),
            customer.archived_at,
            customer.payment_terms_days,
        )


async def find_customer(tx: Tx, customer_id: CustomerId, *, lock: bool = False) -> Customer | None:
    """The customer with this id; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_CUSTOMER_COLUMNS} FROM customer WHERE merchant_id = $1 AND id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        customer_id,
    )
    return _customer_from_row(row) if row else None


async def find_customer_by_external_id(
    tx: Tx, external_id: str, *, lock: bool = False
) -> Customer | None:
    """The customer with the merchant's own id; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_CUSTOMER_COLUMNS} FROM customer WHERE merchant_id = $1 AND external_id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        external_id,
    )
    return _customer_from_row(row) if row else None


async def list_customers_by_id(tx: Tx, ids: Sequence[CustomerId]) -> list[Customer]:
    """The customers with these ids, in no particular order; unknown ids are left out."""
    rows = await tx.fetch(
        f"SELECT {_CUSTOMER_COLUMNS} FROM customer WHERE merchant_id = $1 AND id = ANY($2::text[])",
        tx.merchant_id,
        list(ids),
    )
    return [_customer_from_row(row) for row in rows]


async def list_customers_by_external_id(tx: Tx, external_ids: Sequence[str]) -> list[Customer]:
    """The customers with these ids of the merchant's own; unknown ones are left out."""
    rows = await tx.fetch(
        f"""
        SELECT {_CUSTOMER_COLUMNS} FROM customer
        WHERE merchant_id = $1 AND external_id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(external_ids),
    )
    return [_customer_from_row(row) for row in rows]


async def list_users_by_any_id(
    tx: Tx, ids: Sequence[UserId], external_ids: Sequence[str]
) -> list[User]:
    """The users with one of these ids, ours or the merchant's own; unknown ones are left out."""
    rows = await tx.fetch(
        f"""
        SELECT {_USER_COLUMNS} FROM customer_user WHERE merchant_id = $1 AND id = ANY($2::text[])
        UNION
        SELECT {_USER_COLUMNS} FROM customer_user
        WHERE merchant_id = $1 AND external_id = ANY($3::text[])
        """,
        tx.merchant_id,
        list(ids),
        list(external_ids),
    )
    return [_user_from_row(row) for row in rows]


async def list_customers(
    tx: Tx,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    include_archived: bool,
    test_clock_id: TestClockId | None,
) -> list[Customer]:
    """One page of customers by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_CUSTOMER_COLUMNS} FROM customer
        WHERE merchant_id = $1
          AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
          AND ($4 OR archived_at IS NULL)
          AND ($5::text IS NULL OR test_clock_id = $5)
        ORDER BY created_at, id
        LIMIT $6
        """,
        tx.merchant_id,
        after_at,
        after_id,
        include_archived,
        test_clock_id,
        limit,
    )
    return [_customer_from_row(row) for row in rows]


async def insert_user(tx: Tx, user: User) -> None:
    """Stores a new user. Raises UserExternalIdTakenError."""
    with unique_or(
        "customer_user_external_id_key", UserExternalIdTakenError(user.external_id or "")
    ):
        await tx.execute(
            """
            INSERT INTO customer_user (merchant_id, id, customer_id, external_id, name, email,
                                       created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            tx.merchant_id,
            user.id,
            user.customer_id,
            user.external_id,
            user.name,
            user.email,
            user.created_at,
        )


async def update_user(tx: Tx, user: User) -> None:
    """Writes what may change of a user. Raises UserExternalIdTakenError."""
    with unique_or(
        "customer_user_external_id_key", UserExternalIdTakenError(user.external_id or "")
    ):
        await tx.execute(
            """
            UPDATE customer_user
            SET external_id = $3, name = $4, email = $5, archived_at = $6
            WHERE merchant_id = $1 AND id = $2
            """,
            tx.merchant_id,
            user.id,
            user.external_id,
            user.name,
            user.email,
            user.archived_at,
        )


async def find_user(tx: Tx, user_id: UserId, *, lock: bool = False) -> User | None:
    """The user with this id; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_USER_COLUMNS} FROM customer_user WHERE merchant_id = $1 AND id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        user_id,
    )
    return _user_from_row(row) if row else None


async def find_user_by_external_id(tx: Tx, external_id: str, *, lock: bool = False) -> User | None:
    """The user with the merchant's own id; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_USER_COLUMNS} FROM customer_user WHERE merchant_id = $1 AND external_id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        external_id,
    )
    return _user_from_row(row) if row else None


async def list_users(
    tx: Tx,
    customer_id: CustomerId,
    *,
    limit: int,
    after: tuple[datetime, str] | None,
    include_archived: bool,
) -> list[User]:
    """One page of a customer's users by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await fetch_planned(
        tx,
        f"""
        SELECT {_USER_COLUMNS} FROM customer_user
        WHERE merchant_id = $1 AND customer_id = $2
          AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
          AND ($5 OR archived_at IS NULL)
        ORDER BY created_at, id
        LIMIT $6
        """,
        tx.merchant_id,
        customer_id,
        after_at,
        after_id,
        include_archived,
        limit,
    )
    return [_user_from_row(row) for row in rows]


async def list_customer_ids(tx: Tx, *, after: str, limit: int) -> list[CustomerId]:
    """One page of the ids of all customers, archived ones too, in their own order."""
    rows = await tx.fetch(
        "SELECT id FROM customer WHERE merchant_id = $1 AND id > $2 ORDER BY id LIMIT $3",
        tx.merchant_id,
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def list_users_of_customers(
    tx: Tx, ids: Sequence[CustomerId], *, limit_each: int
) -> list[User]:
    """The users of these customers who are not archived; of each customer the oldest ones, up to a limit."""
    rows = await tx.fetch(
        f"""
        SELECT {_USER_COLUMNS}
        FROM unnest($2::text[]) AS wanted(wanted_id)
        CROSS JOIN LATERAL (
            SELECT {_USER_COLUMNS} FROM customer_user
            WHERE merchant_id = $1 AND customer_id = wanted_id AND archived_at IS NULL
            ORDER BY created_at, id
            LIMIT $3
        ) AS found
        """,
        tx.merchant_id,
        list(ids),
        limit_each,
    )
    return [_user_from_row(row) for row in rows]


def _customer_from_row(row: Mapping[str, Any]) -> Customer:
    return Customer(
        id=row["id"],
        name=row["name"],
        external_id=row["external_id"],
        email=row["email"],
        business_name=row["business_name"],
        tax_id=row["tax_id"],
        address=address_from_json(row["address"]),
        time_zone=row["time_zone"],
        metadata=row["metadata"],
        test_clock_id=row["test_clock_id"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
        payment_terms_days=row["payment_terms_days"],
    )


def _user_from_row(row: Mapping[str, Any]) -> User:
    return User(
        id=row["id"],
        customer_id=row["customer_id"],
        external_id=row["external_id"],
        name=row["name"],
        email=row["email"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
    )
