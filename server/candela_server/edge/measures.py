"""Counts and times calls for Prometheus (OPS-1).

Data plane. Budget: half a microsecond a call. What it gives up for that: the numbers are plain lists that only the
event loop's thread touches, and become metrics when they are scraped.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Final

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

BUCKETS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)


class MethodMeasures:
    """One method's measures."""

    __slots__ = ("by_code", "counts", "method", "sum_s")

    def __init__(self, method: str) -> None:
        """Begins at zero, in the place of an earlier one for the same method."""
        self.method = method
        self.by_code: dict[Any, int] = {}
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0
        _all[method] = self

    def observe(self, code: Any, seconds: float) -> None:
        """Counts one call. `code` is None, 0 or a status code; the first two mean OK."""
        self.by_code[code] = self.by_code.get(code, 0) + 1
        self.counts[bisect_left(BUCKETS_S, seconds)] += 1
        self.sum_s += seconds


class _Collector:
    """Makes metrics of what was counted."""

    def describe(self) -> Iterable[Metric]:
        """The metrics' names, so that nobody else takes them."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        """The metrics as they stand."""
        calls = CounterMetricFamily(
            "candela_calls", "Calls by method and outcome.", labels=["method", "code"]
        )
        seconds = HistogramMetricFamily(
            "candela_call_seconds", "How long calls took, by method.", labels=["method"]
        )
        for measures in _all.values():
            by_name: dict[str, int] = {}
            for code, count in measures.by_code.items():
                name = getattr(code, "name", None) or ("OK" if not code else str(code))
                by_name[name] = by_name.get(name, 0) + count
            for name, count in by_name.items():
                calls.add_metric([measures.method, name], count)
            total, buckets = 0, []
            for bound, count in zip((*BUCKETS_S, None), measures.counts, strict=True):
                total += count
                buckets.append(("+Inf" if bound is None else str(float(bound)), total))
            if total:
                seconds.add_metric([measures.method], buckets, measures.sum_s)
        return [calls, seconds]


_all: dict[str, MethodMeasures] = {}
REGISTRY.register(_Collector())
