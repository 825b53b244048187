"""Weighted sums: what was held on average over windows, with what was there before them (EVT-5, EVT-7).

What was there before is the sum of all earlier values, so their rollups are read, too: a row per quarter-hour with
events, however many events that is. Cut quarter-hours, and what a young metric has not read yet, come from the events,
as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from candela_server.catalog.model import Metric
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.storage.events import Connection

from . import weight_store
from .metric_fill import Filled
from .model import Tally, UsageAsk
from .rules.aggregation import EMPTY, merge
from .rules.bucket import Split
from .rules.filled import split_filled
from .rules.folding import WHOLE_CUSTOMER
from .rules.metric_reading import event_sql
from .weight_store import Weighed

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Before every event."""

NOTHING: Final = Split(None, ())
"""No time at all."""


def before(window: Interval) -> Interval:
    """All the time before a window, whose events are carried into it."""
    return Interval(BEGINNING, window.start_at)


def split_before(metric: Metric, window: Interval, filled: Filled) -> Split:
    """All the time before a window, as what rollups hold of it and what is read from events."""
    return split_filled(metric, before(window), filled)


async def weigh(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    splits: Sequence[Split],
    carried: Sequence[Split],
) -> list[Tally]:
    """What each ask holds, and carries in from what of the time before is named; all of them of weighted sums."""
    whole: list[tuple[int, Weighed]] = []
    cut: dict[str, list[tuple[int, Weighed]]] = {}
    for number, (ask, *parts) in enumerate(zip(asks, splits, carried, strict=True)):
        for part in parts:
            if part.whole is not None:
                whole.append((number, _weighed(ask, part.whole)))
            for edge in part.edges:
                cut.setdefault(ask.metric.id, []).append((number, _weighed(ask, edge)))
    tallies = [EMPTY] * len(asks)
    if whole:
        found = await weight_store.weigh_rollups(
            connection, merchant_id, [span for _, span in whole]
        )
        for (number, _), tally in zip(whole, found, strict=True):
            tallies[number] = merge(tallies[number], tally)
    metrics: dict[str, Metric] = {ask.metric.id: ask.metric for ask in asks}
    for metric_id, numbered in cut.items():
        found = await weight_store.weigh_events(
            connection,
            merchant_id,
            [span for _, span in numbered],
            event_sql(metrics[metric_id]),
        )
        for (number, _), tally in zip(numbered, found, strict=True):
            tallies[number] = merge(tallies[number], tally)
    return tallies


def carry_on(tallies: Sequence[Tally]) -> list[Tally]:
    """Windows in a row, of which only the first knows what it carries: gives every one what those before it hold."""
    carried = Decimal(0)
    carrying = []
    with exact():
        for tally in tallies:
            carried += tally.carried
            carrying.append(replace(tally, carried=carried))
            carried += tally.sum
    return carrying


def _weighed(ask: UsageAsk, span: Interval) -> Weighed:
    return Weighed(
        ask.who.customer_id,
        ask.metric.id,
        ask.who.user_id or WHOLE_CUSTOMER,
        span.start_at,
        span.end_at,
        ask.window.start_at,
        ask.window.end_at,
    )
