"""Takes a metric out of use for new prices and features; it goes on counting for those that have it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import edit_store, read
from .model import Metric
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveMetric:
    """Which metric."""

    metric: Ref


async def archive_metric(tx: Tx, clock: Clock, command: ArchiveMetric) -> Metric:
    """Archives a metric; an archived one stays as it is. Raises MetricNotFoundError."""
    before = await read.get_metric(tx, command.metric, lock=True)
    after = before
    if before.archived_at is None:
        after = replace(before, archived_at=clock.now())
        await edit_store.update_metric(tx, after)
    await tx.audit(
        "metric.archived",
        after.id,
        before={"archived_at": before.archived_at},
        after={"archived_at": after.archived_at},
    )
    return after
