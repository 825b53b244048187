"""Every SQL text over invoices that are made before a period ends; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import MetricId, PlanVersionId
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .credit_note import CreditNoteId
from .model import InvoiceId, LineId
from .rules.threshold import BilledAhead


@dataclass(frozen=True, slots=True, kw_only=True)
class OfSubscription:
    """What threshold invoices billed of one subscription's period, and whether the period's usage is billed as well.

    `void` is what void ones billed: it is owed again, but was asked for once.
    """

    subscription_id: SubscriptionId
    ahead: BilledAhead
    void: Decimal
    closed: bool


async def list_merchants_with_thresholds(tx: Tx) -> list[str]:
    """The merchants who have a price with a threshold; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        "SELECT DISTINCT merchant_id FROM price WHERE billing_threshold IS NOT NULL"
    )
    return [row["merchant_id"] for row in rows]


async def list_with_threshold(
    tx: Tx, *, now: datetime, test_clock_id: TestClockId | None, after: str, limit: int
) -> list[SubscriptionId]:
    """Running subscriptions whose price has a threshold, that are not parked, by id."""
    rows = await tx.fetch(
        """
        SELECT v.subscription_id AS id
        FROM price p
        JOIN subscription_version v ON v.merchant_id = p.merchant_id AND v.price_id = p.id
        WHERE p.merchant_id = $1 AND p.billing_threshold IS NOT NULL AND v.valid_to IS NULL
          AND v.subscription_id > $4
          AND EXISTS (SELECT FROM component_schedule c
                      WHERE c.merchant_id = v.merchant_id AND c.subscription_id = v.subscription_id
                        AND c.test_clock_id IS NOT DISTINCT FROM $3 AND c.parked_at IS NULL
                        AND c.due_at > $2)
        ORDER BY v.subscription_id LIMIT $5
        """,
        tx.merchant_id,
        now,
        test_clock_id,
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def list_billed_ahead(tx: Tx, ids: Sequence[SubscriptionId]) -> list[OfSubscription]:
    """What is billed of these subscriptions' periods ahead, less what was taken off or given back, drafts included."""
    rows = await tx.fetch(
        """
        SELECT l.subscription_id, l.component_id, l.period_start,
               (array_agg(l.period_end ORDER BY l.id DESC))[1] AS period_end,
               (array_agg(l.id ORDER BY l.id))[1] AS line_id,
               (array_agg(l.price_id ORDER BY l.id DESC))[1] AS price_id,
               (array_agg(l.plan_version_id ORDER BY l.id DESC))[1] AS plan_version_id,
               (array_agg(l.metric_id ORDER BY l.id DESC))[1] AS metric_id,
               (array_agg(l.period_number ORDER BY l.id DESC))[1] AS period_number,
               COALESCE(sum(l.amount) FILTER (WHERE NOT l.voided), 0)
               - COALESCE(sum(g.amount) FILTER (WHERE NOT l.voided), 0) AS amount,
               COALESCE(sum(l.amount) FILTER (WHERE l.voided), 0) AS void,
               EXISTS (SELECT FROM invoice_line u
                       WHERE u.merchant_id = $1 AND u.subscription_id = l.subscription_id
                         AND COALESCE(u.component_id, u.price_id) = l.component_id AND u.period_start = l.period_start
                         AND u.kind = 'usage' AND NOT u.voided) AS closed
        FROM invoice_line l
        LEFT JOIN LATERAL (
            SELECT sum(amount) AS amount FROM threshold_given_back
            WHERE merchant_id = $1 AND invoice_line_id = l.id
        ) AS g ON true
        WHERE l.merchant_id = $1 AND l.subscription_id = ANY($2::text[]) AND l.kind = 'threshold'
        GROUP BY l.subscription_id, l.component_id, l.period_start
        ORDER BY l.subscription_id, l.period_start, l.component_id
        """,
        tx.merchant_id,
        list(ids),
    )
    return [
        OfSubscription(
            subscription_id=row["subscription_id"],
            ahead=BilledAhead(
                component_id=ComponentId(row["component_id"]),
                price_id=PriceId(row["price_id"]),
                plan_version_id=PlanVersionId(row["plan_version_id"]),
                metric_id=MetricId(row["metric_id"]),
                number=row["period_number"],
                period=Interval(row["period_start"], row["period_end"]),
                first_line_id=LineId(row["line_id"]),
                amount=row["amount"],
            ),
            void=row["void"],
            closed=row["closed"],
        )
        for row in rows
    ]


async def insert_threshold_invoice(
    tx: Tx,
    *,
    subscription_id: SubscriptionId,
    period_start: datetime,
    invoice_id: InvoiceId,
    threshold: Decimal,
) -> int:
    """Counts one more invoice of a running period, and answers how many there are now.

    Two that came to the same count violate the primary key, which undoes the whole transaction of the second.
    """
    ordinal: int = await tx.fetchval(
        """
        INSERT INTO threshold_invoice (merchant_id, subscription_id, period_start, ordinal,
                                       invoice_id, threshold)
        SELECT $1, $2, $3, COALESCE(max(ordinal), 0) + 1, $4, $5
        FROM threshold_invoice
        WHERE merchant_id = $1 AND subscription_id = $2 AND period_start = $3
        RETURNING ordinal
        """,
        tx.merchant_id,
        subscription_id,
        period_start,
        invoice_id,
        threshold,
    )
    return ordinal


async def is_threshold_invoice(tx: Tx, invoice_id: InvoiceId) -> bool:
    """Whether an invoice was made before its period ended."""
    found: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM threshold_invoice WHERE merchant_id = $1 AND invoice_id = $2)",
        tx.merchant_id,
        invoice_id,
    )
    return found


async def list_unsettled(tx: Tx, test_clock_id: TestClockId | None) -> list[SubscriptionId]:
    """The subscriptions, in real time or on one test clock, of which threshold invoices billed too much of a period
    that is over; and, of those that have ended, too little as well.
    """
    rows = await tx.fetch(
        """
        SELECT DISTINCT subscription_id FROM (
            SELECT l.subscription_id
            FROM invoice_line l
            JOIN invoice i ON i.merchant_id = l.merchant_id AND i.id = l.invoice_id
            JOIN subscription_version v
              ON v.merchant_id = l.merchant_id AND v.subscription_id = l.subscription_id
            LEFT JOIN LATERAL (
                SELECT sum(amount) AS amount FROM threshold_given_back
                WHERE merchant_id = $1 AND invoice_line_id = l.id
            ) AS g ON true
            WHERE l.merchant_id = $1 AND l.kind = 'threshold' AND NOT l.voided
              AND i.test_clock_id IS NOT DISTINCT FROM $2 AND v.valid_to IS NULL
            GROUP BY l.subscription_id, l.component_id, l.period_start, v.status
            HAVING CASE WHEN v.status IN ('canceled', 'expired')
                        THEN sum(l.amount) - COALESCE(sum(g.amount), 0) <> 0
                        ELSE sum(l.amount) - COALESCE(sum(g.amount), 0) > 0 END
               AND EXISTS (SELECT FROM invoice_line u
                           WHERE u.merchant_id = $1 AND u.subscription_id = l.subscription_id
                             AND COALESCE(u.component_id, u.price_id) = l.component_id
                             AND u.period_start = l.period_start AND u.kind = 'usage'
                             AND NOT u.voided)
        ) AS unsettled
        ORDER BY subscription_id
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return [row["subscription_id"] for row in rows]


async def list_threshold_invoices(tx: Tx, subscription_id: SubscriptionId) -> list[InvoiceId]:
    """The invoices of a subscription that were made before their period ended, the latest first."""
    rows = await tx.fetch(
        """
        SELECT invoice_id FROM threshold_invoice
        WHERE merchant_id = $1 AND subscription_id = $2
        ORDER BY period_start DESC, ordinal DESC
        """,
        tx.merchant_id,
        subscription_id,
    )
    return [row["invoice_id"] for row in rows]


async def has_draft(tx: Tx, subscription_id: SubscriptionId) -> bool:
    """Whether an invoice of the subscription is a draft still."""
    found: bool = await tx.fetchval(
        """
        SELECT EXISTS (SELECT FROM invoice
                       WHERE merchant_id = $1 AND subscription_id = $2 AND status = 'draft')
        """,
        tx.merchant_id,
        subscription_id,
    )
    return found


async def insert_given_back(
    tx: Tx, credit_note_id: CreditNoteId, amounts: Mapping[LineId, Decimal]
) -> None:
    """Stores what a credit note gives back of what was billed ahead, by line."""
    await tx.executemany(
        """
        INSERT INTO threshold_given_back (merchant_id, credit_note_id, invoice_line_id, amount)
        VALUES ($1, $2, $3, $4)
        """,
        [(tx.merchant_id, credit_note_id, one_id, amount) for one_id, amount in amounts.items()],
    )
