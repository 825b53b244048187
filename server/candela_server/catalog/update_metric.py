"""Changes what people read of a metric; what is counted never changes (EVT-5)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from candela_server.storage.postgres import Tx

from . import edit_store, read
from .model import Metric
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMetric:
    """What to change; None leaves a field as it is."""

    metric: Ref
    name: str | None
    unit_name: str | None


async def update_metric(tx: Tx, command: UpdateMetric) -> Metric:
    """Changes what the command names; invoices show a new unit from now on. Raises MetricNotFoundError."""
    before = await read.get_metric(tx, command.metric, lock=True)
    after = replace(
        before,
        name=before.name if command.name is None else command.name,
        unit_name=before.unit_name if command.unit_name is None else command.unit_name,
    )
    await edit_store.update_metric(tx, after)
    await tx.audit(
        "metric.updated",
        after.id,
        before={"name": before.name, "unit_name": before.unit_name},
        after={"name": after.name, "unit_name": after.unit_name},
    )
    return after
