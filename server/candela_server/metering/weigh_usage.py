"""Weighted sums: what was held on average over windows, with what was there before them (EVT-5, EVT-7).

What was there before is the sum of all earlier values, so their rollups are read, too: a row per quarter-hour with
events, however many events that is. Cut quarter-hours, and what a young metric has not read yet, come from the events,
as everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Final

from candela_server.catalog.model import Metric
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.storage.events import Connection

from . import weight_store
from .metric_fill import Filled
from .model import Tally, UsageAsk
from .rules.aggregation import BEGINNING, EMPTY, merge
from .rules.bucket import Split
from .rules.filled import split_filled
from .rules.folding import WHOLE_CUSTOMER
from .rules.metric_reading import EventSql, event_sql
from .weight_store import Weighed

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
    tallies = [EMPTY] * len(asks)
    by_metric: dict[str, list[int]] = {}
    for number, ask in enumerate(asks):
        by_metric.setdefault(ask.metric.id, []).append(number)
    for numbers in by_metric.values():
        parts = [(carried[number], splits[number]) for number in numbers]
        found = await weigh_spans(
            connection,
            merchant_id,
            [asks[number] for number in numbers],
            [[part.whole for part in some if part.whole is not None] for some in parts],
            [[edge for part in some for edge in part.edges] for some in parts],
            event_sql(asks[numbers[0]].metric),
        )
        for number, tally in zip(numbers, found, strict=True):
            tallies[number] = tally
    return tallies


async def weigh_spans(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    whole: Sequence[Sequence[Interval]],
    edges: Sequence[Sequence[Interval]],
    reading: EventSql,
) -> list[Tally]:
    """The same of one metric, each ask from some spans of quarter-hours and from some that are read from events."""
    tallies = [EMPTY] * len(asks)
    of_rollups, of_events = (
        [
            (number, _weighed(ask, span))
            for number, (ask, spans) in enumerate(zip(asks, some, strict=True))
            for span in spans
        ]
        for some in (whole, edges)
    )
    found: list[Tally] = []
    if of_rollups:
        found += await weight_store.weigh_rollups(
            connection, merchant_id, [span for _, span in of_rollups]
        )
    if of_events:
        found += await weight_store.weigh_events(
            connection, merchant_id, [span for _, span in of_events], reading
        )
    for (number, _), tally in zip([*of_rollups, *of_events], found, strict=True):
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
