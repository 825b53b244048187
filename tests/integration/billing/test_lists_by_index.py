"""Lists with a filter read what they show, and not all that there is (AUD-1, INV-1, SUB-1)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from candela_server.billing import store as invoices
from candela_server.billing.model import InvoiceStatus
from candela_server.customer import store as customers
from candela_server.merchant import store as merchants
from candela_server.storage.postgres import Tx
from candela_server.subscription import store as subscriptions
from candela_server.subscription.model import Status

from tests.helpers.explaining import Explaining
from tests.helpers.included_calls import day
from tests.helpers.market import Market, fee

MANY = 3000
RARE = 5
SHOWN = 51


async def _subscriptions(tx: Tx) -> None:
    await subscriptions.page_subscriptions(
        tx, customer_id=None, statuses=[Status.PAST_DUE], limit=SHOWN, after=None
    )


async def _running_subscriptions(tx: Tx) -> None:
    await subscriptions.page_subscriptions(
        tx, customer_id=None, statuses=[Status.ACTIVE, Status.TRIALING], limit=SHOWN, after=None
    )


async def _invoices(tx: Tx) -> None:
    await invoices.page_invoices(
        tx,
        customer_id=None,
        subscription_id=None,
        statuses=[InvoiceStatus.VOID, InvoiceStatus.UNCOLLECTIBLE],
        limit=SHOWN,
        after=None,
    )


async def _paid_invoices(tx: Tx) -> None:
    await invoices.page_invoices(
        tx,
        customer_id=None,
        subscription_id=None,
        statuses=[InvoiceStatus.PAID, InvoiceStatus.VOID],
        limit=SHOWN,
        after=(day(7, 1), ""),
    )


async def _customers(tx: Tx) -> None:
    await customers.list_customers(
        tx, limit=SHOWN, after=None, include_archived=False, test_clock_id=None
    )


async def _audited(tx: Tx, **wanted: Any) -> None:
    only = {"subject_id": None, "action": None, "key_id": None, "request_id": None} | wanted
    await merchants.list_audit_rows(tx, limit=SHOWN, before=None, during=None, **only)


async def _actions(tx: Tx) -> None:
    await _audited(tx, action="rare.action")


async def _keys(tx: Tx) -> None:
    await _audited(tx, key_id="key_rare")


async def _requests(tx: Tx) -> None:
    await _audited(tx, request_id="req_rare")


@pytest.fixture
async def crowded(market: Market) -> Market:
    """Thousands of everything, of which a few are rare: past due, void, in use, of one action, key and request."""
    market.clock.advance(day(4, 1))
    await market.sell(fee("0"))
    await market.subscribe()
    await market.bill(day(4, 1))
    rare = f"n <= {RARE}"
    async with market.db.writing(market.merchant_id) as tx:
        await tx.audit("tests.made", "tests")
    for table, fields in (
        (
            "customer",
            f"'archived_at', CASE WHEN {rare} THEN NULL ELSE (one).created_at END, 'external_id', NULL",
        ),
        ("subscription", "'created_at', (one).created_at + n * interval '1 second'"),
        (
            "subscription_version",
            f"'subscription_id', 'x' || n, 'status', CASE WHEN {rare} THEN 'past_due' ELSE 'active' END",
        ),
        (
            "invoice",
            f"'number', 'X-' || n, 'created_at', (one).created_at + n * interval '1 hour', "
            f"'status', CASE WHEN {rare} THEN 'void' ELSE (one).status END",
        ),
        (
            "audit_entry",
            f"'action', CASE WHEN {rare} THEN 'rare.action' ELSE 'tests.made' END, "
            f"'key_id', CASE WHEN {rare} THEN 'key_rare' ELSE 'key_often' END, "
            f"'request_id', CASE WHEN {rare} THEN 'req_rare' ELSE 'req_' || n END",
        ),
    ):
        await _multiply(market, table, fields)
    return market


async def _multiply(market: Market, table: str, fields: str) -> None:
    """Thousands of rows like the merchant's first one, but for some fields."""
    own_id = "" if table == "subscription_version" else "'id', 'x' || n, "
    async with market.events.writer() as connection:
        await connection.execute("SET LOCAL ROLE NONE")
        await connection.execute(
            f"""
            INSERT INTO {table}
            SELECT made.* FROM (SELECT one FROM {table} AS one WHERE merchant_id = %s LIMIT 1) AS first
            CROSS JOIN generate_series(1, {MANY}) AS n
            CROSS JOIN LATERAL jsonb_populate_record(one, jsonb_build_object({own_id}{fields})) AS made
            """,
            [market.merchant_id],
        )
        await connection.execute(f"ANALYZE {table}")


_ASKS: list[tuple[Callable[[Tx], Awaitable[None]], list[str]]] = [
    (_subscriptions, ["subscription", "subscription_version"]),
    (_running_subscriptions, ["subscription", "subscription_version"]),
    (_invoices, ["invoice"]),
    (_paid_invoices, ["invoice"]),
    (_customers, ["customer"]),
    (_actions, ["audit_entry"]),
    (_keys, ["audit_entry"]),
    (_requests, ["audit_entry"]),
]


@pytest.mark.spec("INV-1", "SUB-1", "AUD-1")
async def test_lists_with_a_filter__read_a_page_and_not_all(crowded: Market) -> None:
    looked_at = {}
    async with crowded.db.reading(crowded.merchant_id) as tx:
        for ask, tables in _ASKS:
            explaining = Explaining(tx)
            await ask(cast(Tx, explaining))
            for table in tables:
                looked_at[ask.__name__, table] = explaining.rows_looked_at(table)

    assert {one: rows for one, rows in looked_at.items() if not 0 < rows <= 2 * SHOWN + RARE} == {}
