"""Every SQL text over packs and when they are bought by themselves; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from candela_server.catalog.model import FeatureId
from candela_server.customer.model import CustomerId
from candela_server.kernel.money import Money
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from .model import InvoiceId
from .top_up import AutoTopUp, TopUp, TopUpStatus

_TOP_UP = (
    """id, customer_id, invoice_id, grant_id, feature_id, automatic, status, created_at, ended_at"""
)


class AutoTopUpRow(NamedTuple):
    """A setting as it is stored: the feature by its id."""

    customer_id: CustomerId
    feature_id: FeatureId | None
    enabled: bool
    threshold: Decimal
    amount: Decimal
    price: Money
    monthly_cap_count: int
    stopped_reason: str


async def insert_top_up(tx: Tx, one: TopUp) -> None:
    """Stores an ordered pack; a second one that is not paid violates top_up_pending."""
    await tx.execute(
        """
        INSERT INTO top_up (merchant_id, id, customer_id, invoice_id, grant_id, feature_id, automatic,
                            status, created_at, ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        tx.merchant_id,
        one.id,
        one.customer_id,
        one.invoice_id,
        one.grant_id,
        one.feature_id,
        one.automatic,
        one.status,
        one.created_at,
        one.ended_at,
    )


async def update_top_up(tx: Tx, one: TopUp) -> None:
    """Writes where a pack stands."""
    await tx.execute(
        "UPDATE top_up SET status = $3, ended_at = $4 WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        one.id,
        one.status,
        one.ended_at,
    )


async def find_of_invoice(tx: Tx, invoice_id: InvoiceId) -> TopUp | None:
    """The pack that an invoice sells; locked until commit."""
    row = await tx.fetchrow(
        f"SELECT {_TOP_UP} FROM top_up WHERE merchant_id = $1 AND invoice_id = $2 FOR UPDATE",
        tx.merchant_id,
        invoice_id,
    )
    return _top_up_from_row(row) if row else None


async def find_pending(tx: Tx, customer_id: CustomerId) -> TopUp | None:
    """The customer's pack that is not paid yet."""
    row = await tx.fetchrow(
        f"""
        SELECT {_TOP_UP} FROM top_up
        WHERE merchant_id = $1 AND customer_id = $2 AND status = 'pending'
        """,
        tx.merchant_id,
        customer_id,
    )
    return _top_up_from_row(row) if row else None


async def count_automatic_since(
    tx: Tx, customer_id: CustomerId, feature_id: FeatureId | None, since: datetime
) -> int:
    """How many packs were bought by themselves since an instant, whatever became of them."""
    count: int = await tx.fetchval(
        """
        SELECT count(*) FROM top_up
        WHERE merchant_id = $1 AND customer_id = $2 AND feature_id IS NOT DISTINCT FROM $3
          AND automatic AND created_at >= $4
        """,
        tx.merchant_id,
        customer_id,
        feature_id,
        since,
    )
    return count


async def put_auto_top_up(tx: Tx, one: AutoTopUp, at: datetime) -> None:
    """Stores a setting in place of the one before."""
    await tx.execute(
        """
        INSERT INTO auto_top_up (merchant_id, customer_id, feature_id, enabled, threshold, amount,
                                 price_amount, currency, monthly_cap_count, stopped_reason, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (merchant_id, customer_id, feature_id) DO UPDATE
        SET enabled = excluded.enabled, threshold = excluded.threshold, amount = excluded.amount,
            price_amount = excluded.price_amount, currency = excluded.currency,
            monthly_cap_count = excluded.monthly_cap_count,
            stopped_reason = excluded.stopped_reason, updated_at = excluded.updated_at
        """,
        tx.merchant_id,
        one.customer_id,
        one.feature.id if one.feature else "",
        one.enabled,
        one.threshold,
        one.amount,
        one.price.amount,
        one.price.currency,
        one.monthly_cap_count,
        one.stopped_reason,
        at,
    )


async def stop_auto_top_up(
    tx: Tx, customer_id: CustomerId, feature_id: FeatureId | None, reason: str, at: datetime
) -> bool:
    """Stops buying by itself until a person sets it again; says whether it ran."""
    stopped = await tx.execute(
        """
        UPDATE auto_top_up SET stopped_reason = $4, updated_at = $5
        WHERE merchant_id = $1 AND customer_id = $2 AND feature_id = $3 AND stopped_reason = ''
        """,
        tx.merchant_id,
        customer_id,
        feature_id or "",
        reason,
        at,
    )
    return stopped > 0


async def find_auto_top_up(
    tx: Tx, customer_id: CustomerId, feature_id: FeatureId | None
) -> AutoTopUpRow | None:
    """The setting of a customer for a feature, or for money."""
    row = await tx.fetchrow(
        """
        SELECT customer_id, feature_id, enabled, threshold, amount, price_amount, currency,
               monthly_cap_count, stopped_reason
        FROM auto_top_up WHERE merchant_id = $1 AND customer_id = $2 AND feature_id = $3
        """,
        tx.merchant_id,
        customer_id,
        feature_id or "",
    )
    return _auto_from_row(row) if row else None


async def list_running(tx: Tx, test_clock_id: TestClockId | None) -> list[AutoTopUpRow]:
    """The merchant's settings that may buy now: on, not stopped, and with no pack that waits for its payment.

    Those of all customers, or only of those who live on one test clock.
    """
    rows = await tx.fetch(
        """
        SELECT customer_id, feature_id, enabled, threshold, amount, price_amount, currency,
               monthly_cap_count, stopped_reason
        FROM auto_top_up a
        WHERE merchant_id = $1 AND enabled AND stopped_reason = ''
          AND NOT EXISTS (SELECT FROM top_up t
                          WHERE t.merchant_id = a.merchant_id AND t.customer_id = a.customer_id
                            AND t.status = 'pending')
          AND ($2::text IS NULL
               OR EXISTS (SELECT FROM customer c
                          WHERE c.merchant_id = a.merchant_id AND c.id = a.customer_id
                            AND c.test_clock_id = $2))
        ORDER BY customer_id, feature_id
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return [_auto_from_row(row) for row in rows]


async def list_merchants_buying(tx: Tx) -> list[str]:
    """The merchants of whom a customer buys packs by itself; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        "SELECT DISTINCT merchant_id FROM auto_top_up WHERE enabled AND stopped_reason = ''"
    )
    return [row["merchant_id"] for row in rows]


def _top_up_from_row(row: Mapping[str, Any]) -> TopUp:
    return TopUp(
        id=row["id"],
        customer_id=row["customer_id"],
        invoice_id=row["invoice_id"],
        grant_id=row["grant_id"],
        feature_id=row["feature_id"],
        automatic=row["automatic"],
        status=TopUpStatus(row["status"]),
        created_at=row["created_at"],
        ended_at=row["ended_at"],
    )


def _auto_from_row(row: Mapping[str, Any]) -> AutoTopUpRow:
    return AutoTopUpRow(
        customer_id=row["customer_id"],
        feature_id=row["feature_id"] or None,
        enabled=row["enabled"],
        threshold=row["threshold"],
        amount=row["amount"],
        price=Money(currency=row["currency"], amount=row["price_amount"]),
        monthly_cap_count=row["monthly_cap_count"],
        stopped_reason=row["stopped_reason"],
    )
