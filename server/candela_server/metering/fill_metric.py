"""Starts the job that reads history into a metric, and says how far it has come (EVT-10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import MetricNotFoundError
from candela_server.catalog.refs import Ref
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.storage.postgres import Tx

from . import fill_progress_store, store
from .fill_history import start_fill
from .metric_fill import FillNotFoundError, FillStatus, MetricFill
from .rules.metric_reading import is_measured, reads_history

METRIC_FILL_STARTED = "metric_fill_started"
"""What the worker hears of at once, instead of at its next minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FillMetric:
    """Which metric."""

    metric: Ref


class NothingToFillError(InvalidInput):
    """A query that is not indexed keeps nothing: it reads the events themselves (EVT-6)."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            f"metric {slug!r} is SQL that is not indexed: it reads all events whenever it is asked, so there is "
            "nothing to fill",
            field="metric",
            metric=slug,
        )


async def fill_metric(tx: Tx, clock: Clock, command: FillMetric) -> MetricFill:
    """Starts a fill, or answers the running one. Raises MetricNotFoundError and NothingToFillError.

    A metric that has read history already is answered from its rollups meanwhile: each step replaces some of them by
    what the events say.
    """
    metric = await catalog.get_metric(tx, command.metric, lock=True)
    if not is_measured(metric):
        raise MetricNotFoundError(str(command.metric))
    if not reads_history(metric):
        raise NothingToFillError(metric.slug)
    fill = await start_fill(tx, clock, metric)
    await tx.audit("metric.fill_requested", metric.id, after={"fill_id": fill.id})
    await tx.announce(METRIC_FILL_STARTED, metric.id, {"metric_id": metric.id})
    return fill


async def get_metric_fill(tx: Tx, ref: Ref) -> MetricFill:
    """The metric's latest fill. Raises MetricNotFoundError and FillNotFoundError."""
    metric = await catalog.get_metric(tx, ref)
    fill = await fill_progress_store.find_latest_fill(tx, metric.id)
    if fill is None:
        raise FillNotFoundError(metric.slug)
    return fill


async def read_fill_statuses(tx: Tx) -> Mapping[str, FillStatus]:
    """The status of each metric that is not FILLING for want of its first fill."""
    latest = await fill_progress_store.list_fill_statuses(tx)
    complete = dict.fromkeys(await store.list_filled_metrics(tx), FillStatus.COMPLETE)
    # A fill that failed after another had ended leaves the metric complete; one that runs says so.
    running = {one: status for one, status in latest.items() if status is FillStatus.FILLING}
    return {**latest, **complete, **running}
