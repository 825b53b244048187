"""Every SQL text that reads what was billed before, for what is billed now; nothing here decides."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import MetricId, PlanVersionId
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .line_store import LINE_COLUMNS, line_from_row
from .model import BilledLine, InvoiceId, InvoiceLine, InvoiceStatus, LineId, LineKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPeriod:
    """A usage component's period that is on a finalized invoice, and the terms that it was billed by."""

    subscription_id: SubscriptionId
    customer_id: CustomerId
    component_id: ComponentId
    price_id: PriceId
    plan_version_id: PlanVersionId
    metric_id: MetricId
    number: int
    period: Interval
    usage_seen_at: datetime
    anyway: bool


async def list_billed_lines(
    tx: Tx, subscription_ids: Sequence[SubscriptionId], *, since: datetime
) -> list[BilledLine]:
    """The lines of these subscriptions whose periods end after an instant, oldest first.

    Drafts count, because what is on them is billed; void invoices do not, because they never were. What was billed
    ahead and taken off again is none of it: the period's own lines say all that it costs. What credit notes gave back
    of usage that was taken back is as an adjustment of its period.
    """
    columns = ", ".join(f"l.{column}" for column in LINE_COLUMNS)
    rows = await tx.fetch(
        f"""
        SELECT {columns}, i.status FROM invoice_line l
        JOIN invoice i ON i.merchant_id = l.merchant_id AND i.id = l.invoice_id
        WHERE l.merchant_id = $1 AND l.subscription_id = ANY($2::text[]) AND l.period_end > $3
          AND i.status <> 'void' AND l.kind <> 'threshold'
        ORDER BY i.created_at, i.id, l.position
        """,
        tx.merchant_id,
        list(subscription_ids),
        since,
    )
    found = [
        BilledLine(
            subscription_id=row["subscription_id"],
            invoice_id=row["invoice_id"],
            is_draft=row["status"] == InvoiceStatus.DRAFT,
            line=line_from_row(row),
        )
        for row in rows
    ]
    return found + await _list_usage_given_back(tx, found)


async def _list_usage_given_back(tx: Tx, billed: Sequence[BilledLine]) -> list[BilledLine]:
    usage = {one.line.id: one for one in billed if one.line.kind is LineKind.USAGE}
    if not usage:
        return []
    rows = await tx.fetch(
        """
        SELECT n.id, n.usage_of, n.usage_quantity, sum(l.amount) AS amount
        FROM credit_note n
        JOIN credit_note_line l ON l.merchant_id = n.merchant_id AND l.credit_note_id = n.id
        WHERE n.merchant_id = $1 AND n.usage_of = ANY($2::text[])
        GROUP BY n.merchant_id, n.id ORDER BY n.id
        """,
        tx.merchant_id,
        list(usage),
    )
    return [
        replace(
            usage[row["usage_of"]],
            line=_given_back(
                usage[row["usage_of"]].line, row["id"], row["usage_quantity"], row["amount"]
            ),
        )
        for row in rows
    ]


def _given_back(
    usage: InvoiceLine, note_id: str, quantity: Decimal, amount: Decimal
) -> InvoiceLine:
    return replace(
        usage,
        id=LineId(note_id),
        kind=LineKind.ADJUSTMENT,
        quantity=quantity,
        rated_amount=-amount,
        amount=-amount,
        source_line_id=usage.id,
        draws=(),
        event_count=None,
        parts=(),
        discounts=(),
        calculation=None,
    )


async def list_voided_lines(
    tx: Tx, subscription_ids: Sequence[SubscriptionId], *, since: datetime
) -> dict[SubscriptionId, list[tuple[InvoiceId, InvoiceLine]]]:
    """What void invoices of these subscriptions billed that nothing has taken the place of, as far back."""
    columns = ", ".join(f"l.{column}" for column in LINE_COLUMNS)
    rows = await tx.fetch(
        f"""
        SELECT {columns} FROM invoice_line l
        JOIN invoice i ON i.merchant_id = l.merchant_id AND i.id = l.invoice_id
        WHERE l.merchant_id = $1 AND l.subscription_id = ANY($2::text[]) AND l.period_end > $3
          AND i.status = 'void' AND l.kind <> 'threshold'
          AND NOT EXISTS (SELECT FROM invoice_reissue r
                          WHERE r.merchant_id = i.merchant_id AND r.voided_id = i.id)
        ORDER BY l.subscription_id, i.id, l.position
        """,
        tx.merchant_id,
        list(subscription_ids),
        since,
    )
    found: dict[SubscriptionId, list[tuple[InvoiceId, InvoiceLine]]] = {}
    for row in rows:
        line = (row["invoice_id"], line_from_row(row))
        found.setdefault(row["subscription_id"], []).append(line)
    return found


async def list_closed_periods(
    tx: Tx,
    subscription_ids: Sequence[SubscriptionId],
    customer_ids: Collection[str],
    *,
    since: datetime,
    hasty_since: datetime,
    everything: bool,
) -> list[ClosedPeriod]:
    """Closed periods of these subscriptions, ended after `since`, that may have to be looked at again.

    Those of the named customers, who may have changed usage; and, to be looked at `anyway`, those adjusted before, as
    an invoice may not have borne all of it; those that ended after `hasty_since` and were billed so soon after their
    end that nobody noted what came later; or all.
    """
    rows = await tx.fetch(
        """
        WITH adjusted AS MATERIALIZED (
            SELECT DISTINCT subscription_id, component_id, period_start FROM invoice_line
            WHERE merchant_id = $1 AND subscription_id = ANY($2::text[]) AND kind = 'adjustment'
              AND component_id IS NOT NULL
        ), closed AS (
            SELECT l.subscription_id, i.customer_id, l.component_id, l.price_id, l.plan_version_id,
                   l.metric_id, l.period_number, l.period_start, l.period_end, l.usage_seen_at,
                   $5::boolean
                   OR (l.period_end > $4 AND l.usage_seen_at < l.period_end + interval '15 minutes')
                   OR (l.subscription_id, l.component_id, l.period_start) IN (SELECT * FROM adjusted)
                   AS anyway
            FROM invoice_line l
            JOIN invoice i ON i.merchant_id = l.merchant_id AND i.id = l.invoice_id
            WHERE l.merchant_id = $1 AND l.subscription_id = ANY($2::text[]) AND l.kind = 'usage'
              AND i.status IN ('finalized', 'paid', 'uncollectible') AND l.period_end > $3
        )
        SELECT * FROM closed WHERE anyway OR customer_id = ANY($6::text[])
        ORDER BY subscription_id, period_start, component_id
        """,
        tx.merchant_id,
        list(subscription_ids),
        since,
        hasty_since,
        everything,
        list(customer_ids),
    )
    return [
        ClosedPeriod(
            subscription_id=row["subscription_id"],
            customer_id=row["customer_id"],
            component_id=row["component_id"],
            price_id=row["price_id"],
            plan_version_id=row["plan_version_id"],
            metric_id=row["metric_id"],
            number=row["period_number"],
            period=Interval(row["period_start"], row["period_end"]),
            usage_seen_at=row["usage_seen_at"],
            anyway=row["anyway"],
        )
        for row in rows
    ]


async def sum_draws(tx: Tx, customer_ids: Collection[str]) -> dict[str, Decimal]:
    """What these customers' lines, void invoices aside, draw from each grant in all, adjustments included."""
    rows = await tx.fetch(
        """
        SELECT drawn.part ->> 'grant_id' AS grant_id, sum((drawn.part ->> 'quantity')::numeric) AS drawn
        FROM invoice i
        JOIN invoice_line l ON l.merchant_id = i.merchant_id AND l.invoice_id = i.id
        CROSS JOIN LATERAL jsonb_array_elements(l.credit_applications) AS drawn (part)
        WHERE i.merchant_id = $1 AND i.customer_id = ANY($2::text[]) AND i.status <> 'void'
        GROUP BY 1
        """,
        tx.merchant_id,
        list(customer_ids),
    )
    return {row["grant_id"]: row["drawn"] for row in rows}
