"""Weighted sums: what was held on average over windows, with what was there before them (EVT-5, EVT-7).

What was there before is the sum of all earlier values, so their rollups are read, too: a row per quarter-hour with
events, however many events that is. Cut quarter-hours are read from the events, as everywhere.
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
from .model import Tally, UsageAsk
from .rules.aggregation import EMPTY, merge
from .rules.bucket import bucket_start, split
from .rules.folding import WHOLE_CUSTOMER
from .rules.metric_reading import event_sql
from .weight_store import Weighed

BEGINNING: Final = datetime(1, 1, 1, tzinfo=UTC)
"""Before every event."""


async def weigh(connection: Connection, merchant_id: str, asks: Sequence[UsageAsk]) -> list[Tally]:
    """What each ask holds and carries in; all of them of weighted sums."""
    return await _weigh(connection, merchant_id, asks, carried=[True] * len(asks))


async def weigh_in_a_row(
    connection: Connection, merchant_id: str, asks: Sequence[UsageAsk]
) -> list[Tally]:
    """The same for windows of one metric and customer that follow each other: each carries what the one before held."""
    carried_first = [number == 0 for number in range(len(asks))]
    return carry_on(await _weigh(connection, merchant_id, asks, carried=carried_first))


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


async def _weigh(
    connection: Connection,
    merchant_id: str,
    asks: Sequence[UsageAsk],
    *,
    carried: Sequence[bool],
) -> list[Tally]:
    whole: list[tuple[int, Weighed]] = []
    cut: dict[str, list[tuple[int, Weighed]]] = {}
    for number, (ask, carries) in enumerate(zip(asks, carried, strict=True)):
        for span in whole_spans(ask.window, carries=carries):
            whole.append((number, _weighed(ask, span)))
        for span in cut_spans(ask.window, carries=carries):
            cut.setdefault(ask.metric.id, []).append((number, _weighed(ask, span)))
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


def whole_spans(window: Interval, *, carries: bool) -> list[Interval]:
    """The whole quarter-hours of a window, and those before it when it carries what was there."""
    spans = []
    border_at = bucket_start(window.start_at)
    if carries:
        spans.append(Interval(BEGINNING, border_at))
    inside = split(window).whole
    if inside is not None:
        spans.append(inside)
    return spans


def cut_spans(window: Interval, *, carries: bool) -> list[Interval]:
    """The parts of quarter-hours at a window's ends; if it carries, the first has what lies before the window, too."""
    edges = list(split(window).edges)
    if carries and edges and edges[0].start_at == window.start_at:
        edges[0] = Interval(bucket_start(window.start_at), edges[0].end_at)
    return edges


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
