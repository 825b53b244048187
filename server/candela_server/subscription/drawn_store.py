"""Every SQL text over parts of periods that were drawn; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from candela_server.catalog.model import MetricId
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.storage.postgres import Tx

from .drawn_usage import DrawnPart
from .model import SubscriptionId


async def insert_parts(tx: Tx, parts: Sequence[DrawnPart]) -> None:
    """Stores parts; one that was stored before is left out."""
    await tx.execute(
        """
        INSERT INTO drawn_usage (merchant_id, subscription_id, metric_id, start_at, end_at, draws)
        SELECT $1, u.*
        FROM unnest($2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::jsonb[]) AS u
        ON CONFLICT DO NOTHING
        """,
        tx.merchant_id,
        [one.subscription_id for one in parts],
        [one.metric_id for one in parts],
        [one.part.start_at for one in parts],
        [one.part.end_at for one in parts],
        [{key: format_decimal(amount) for key, amount in one.draws.items()} for one in parts],
    )


async def list_parts(tx: Tx, ids: Sequence[SubscriptionId]) -> list[DrawnPart]:
    """All parts of these subscriptions that were drawn, oldest first."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, metric_id, start_at, end_at, draws FROM drawn_usage
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[])
        ORDER BY subscription_id, metric_id, start_at
        """,
        tx.merchant_id,
        list(ids),
    )
    return [
        DrawnPart(
            subscription_id=SubscriptionId(row["subscription_id"]),
            metric_id=MetricId(row["metric_id"]),
            part=Interval(row["start_at"], row["end_at"]),
            draws={key: Decimal(amount) for key, amount in row["draws"].items()},
        )
        for row in rows
    ]
