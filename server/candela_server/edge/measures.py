"""Counts and times calls for Prometheus (OPS-1)."""

from __future__ import annotations

from typing import Any

from prometheus_client import Counter, Histogram

_CALLS = Counter("candela_calls", "Calls by method and outcome.", ["method", "code"])
_SECONDS = Histogram(
    "candela_call_seconds",
    "How long calls took, by method.",
    ["method"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)


class MethodMeasures:
    """One method's measures, with their labels resolved once."""

    __slots__ = ("_by_code", "_method", "_seconds")

    def __init__(self, method: str) -> None:
        """Resolves the labels that never change."""
        self._method = method
        self._seconds = _SECONDS.labels(method)
        self._by_code: dict[Any, Counter] = {}

    def observe(self, code: Any, seconds: float) -> None:
        """Counts one call. `code` is None, 0 or a status code; the first two mean OK."""
        counter = self._by_code.get(code)
        if counter is None:
            name = getattr(code, "name", None) or ("OK" if not code else str(code))
            counter = self._by_code[code] = _CALLS.labels(self._method, name)
        counter.inc()
        self._seconds.observe(seconds)
