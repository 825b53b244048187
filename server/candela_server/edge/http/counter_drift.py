"""What the comparison of live counters with the rollups found, for Prometheus (OPS-1, ENT-4).

Every server compares some and the worker all (metering/compare_counters.py), and the worker has no page of its own to
be scraped. The counts of all are kept in Redis beside the counters: they begin anew with a new Redis, as counts of a
restarted process do.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from candela_server.metering.read_counters import Counters


class _Counts(Collector):
    def __init__(self, compared: int, drifted: int) -> None:
        self._compared, self._drifted = compared, drifted

    def collect(self) -> list[Metric]:
        return [
            CounterMetricFamily(
                "candela_counters_compared",
                "Live usage counters that were compared with the rollups.",
                value=self._compared,
            ),
            CounterMetricFamily(
                "candela_counter_drift",
                "Live usage counters that differed from the rollups, and were made anew. Never, or something is wrong.",
                value=self._drifted,
            ),
        ]


async def counter_drift(counters: Counters) -> bytes:
    """The counts in Prometheus' text format; nothing while Redis does not answer."""
    counts = await counters.drift_counts()
    if counts is None:
        return b""
    registry = CollectorRegistry()
    registry.register(_Counts(*counts))
    return generate_latest(registry)
