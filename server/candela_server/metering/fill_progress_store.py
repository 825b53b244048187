"""Every SQL text over how far metrics have read history (EVT-10). Nothing here decides.

Those over a connection run as candela_events, which no tenant's wall holds back, so all name merchant_id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from candela_server.catalog.model import MetricId
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

from .metric_fill import UNREAD_FROM, Filled, FillId, FillStatus, MetricFill

_FILL = """id, metric_id, status, start_at, end_at, filled_from_at, read_count, estimated_count, failure,
           started_at, finished_at"""
_STATUSES = {
    "filling": FillStatus.FILLING,
    "complete": FillStatus.COMPLETE,
    "failed": FillStatus.FAILED,
}


async def read_filled(
    connection: Connection, merchant_id: str, metric_ids: Sequence[str]
) -> Filled:
    """How far these metrics have read history, as of the connection's snapshot."""
    cursor = await connection.execute(
        """
        SELECT metric_id, NULL::timestamptz FROM metric_history
        WHERE merchant_id = %(merchant_id)s AND metric_id = ANY(%(metric_ids)s)
        UNION ALL
        SELECT metric_id, filled_from_at FROM metric_fill
        WHERE merchant_id = %(merchant_id)s AND metric_id = ANY(%(metric_ids)s) AND finished_at IS NULL
        UNION ALL
        SELECT '', kept_since FROM event_retention
        """,
        {"merchant_id": merchant_id, "metric_ids": list(metric_ids)},
    )
    complete: set[str] = set()
    filled_from: dict[str, datetime] = {}
    kept_since: datetime | None = None
    for metric_id, instant in await cursor.fetchall():
        if not metric_id:
            kept_since = instant
        elif instant is None:
            complete.add(metric_id)
        else:
            filled_from[metric_id] = instant
    return Filled(complete=frozenset(complete), filled_from=filled_from, kept_since=kept_since)


async def list_fill_statuses(tx: Tx) -> dict[str, FillStatus]:
    """The status of each metric that ever had a fill, by its latest one."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (metric_id) metric_id, status FROM metric_fill WHERE merchant_id = $1
        ORDER BY metric_id, started_at DESC, id DESC
        """,
        tx.merchant_id,
    )
    return {row["metric_id"]: _STATUSES[row["status"]] for row in rows}


async def find_latest_fill(tx: Tx, metric_id: MetricId) -> MetricFill | None:
    """The metric's latest fill."""
    row = await tx.fetchrow(
        f"""
        SELECT {_FILL} FROM metric_fill WHERE merchant_id = $1 AND metric_id = $2
        ORDER BY started_at DESC, id DESC LIMIT 1
        """,
        tx.merchant_id,
        metric_id,
    )
    return _fill_from_values(list(row.values())) if row else None


async def insert_fill(tx: Tx, fill_id: FillId, metric_id: MetricId, now: datetime) -> None:
    """Starts a fill of a metric that has none running; the caller holds the metric's row."""
    await tx.execute(
        """
        INSERT INTO metric_fill (merchant_id, id, metric_id, status, filled_from_at, started_at)
        VALUES ($1, $2, $3, 'filling', $4, $5)
        """,
        tx.merchant_id,
        fill_id,
        metric_id,
        UNREAD_FROM,
        now,
    )


async def list_running_fills(connection: Connection, merchant_id: str) -> list[MetricFill]:
    """The merchant's running fills, oldest first."""
    cursor = await connection.execute(
        f"""
        SELECT {_FILL} FROM metric_fill WHERE merchant_id = %s AND finished_at IS NULL
        ORDER BY started_at, id
        """,
        [merchant_id],
    )
    return [_fill_from_values(row) for row in await cursor.fetchall()]


async def lock_running_fill(
    connection: Connection, merchant_id: str, fill_id: FillId
) -> MetricFill | None:
    """The fill, which nobody else goes on with until the transaction ends; None when it has ended."""
    cursor = await connection.execute(
        f"""
        SELECT {_FILL} FROM metric_fill WHERE merchant_id = %s AND id = %s AND finished_at IS NULL
        FOR UPDATE
        """,
        [merchant_id, fill_id],
    )
    row = await cursor.fetchone()
    return _fill_from_values(row) if row else None


async def save_fill(connection: Connection, merchant_id: str, fill: MetricFill) -> None:
    """Stores how far a fill has come."""
    await connection.execute(
        """
        UPDATE metric_fill SET status = %s, start_at = %s, end_at = %s, filled_from_at = %s, read_count = %s,
               estimated_count = %s, failure = %s, finished_at = %s
        WHERE merchant_id = %s AND id = %s
        """,
        [
            fill.status.name.lower(),
            fill.window.start_at if fill.window else None,
            fill.window.end_at if fill.window else None,
            fill.filled_from_at,
            fill.read_count,
            fill.estimated_count,
            fill.failure,
            fill.finished_at,
            merchant_id,
            fill.id,
        ],
    )


def _fill_from_values(values: Sequence[Any]) -> MetricFill:
    (
        fill_id,
        metric_id,
        status,
        start_at,
        end_at,
        filled_from_at,
        read_count,
        estimated_count,
        failure,
    ) = values[:9]
    started_at, finished_at = values[9:]
    return MetricFill(
        id=fill_id,
        metric_id=metric_id,
        status=_STATUSES[status],
        window=Interval(start_at, end_at) if start_at else None,
        filled_from_at=filled_from_at,
        read_count=read_count,
        estimated_count=estimated_count,
        failure=failure,
        started_at=started_at,
        finished_at=finished_at,
    )
