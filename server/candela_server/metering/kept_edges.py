"""What the quarter-hours that a window cuts measured, of indexed SQL metrics: in the process, for its checks (EVT-6).

Windows of limits begin when a subscription did, in the middle of a quarter-hour, and are asked about for a month. What
happened in the part of it that lies inside changes only with the quarter-hour's revision, which every event and every
correction of it raises in its own transaction; so a number stands for as long as the revision that it was measured at.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from candela_server.kernel.interval import Interval

from .model import UsageAsk

MAX_EDGES: Final = 50_000
MAX_MEMBERS: Final = 100
"""Distinct values of one edge; one with more is measured each time."""


class EdgeKey(NamedTuple):
    """Whose part of a quarter-hour it is, and of which metric."""

    merchant_id: str
    customer_id: str
    user_id: str
    metric_id: str
    edge: Interval


@dataclass(frozen=True, slots=True)
class MeasuredEdge:
    """What it measured when its quarter-hour was at `revision`; nothing that the query reads happened when None."""

    revision: int
    value: Decimal | None
    members: tuple[str, ...] = ()


class KeptEdges:
    """Those that were measured last; one per process."""

    def __init__(self) -> None:
        self._known: OrderedDict[EdgeKey, MeasuredEdge] = OrderedDict()

    def find(self, key: EdgeKey) -> MeasuredEdge | None:
        """What was measured; whether it still stands, its revision says."""
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
        return found

    def keep(self, key: EdgeKey, measured: MeasuredEdge) -> None:
        """Remembers it, and forgets who was asked about longest ago."""
        if len(measured.members) > MAX_MEMBERS:
            return
        self._known[key] = measured
        self._known.move_to_end(key)
        if len(self._known) > MAX_EDGES:
            self._known.popitem(last=False)


def edge_key(merchant_id: str, ask: UsageAsk, edge: Interval) -> EdgeKey:
    """The key of an end of the window that an ask is about."""
    return EdgeKey(merchant_id, ask.who.customer_id, ask.who.user_id or "", ask.metric.id, edge)
