"""What a metric, saved or not, measures of the events themselves: previews, and questions with filters of their own.

The same reading and the same adding up as everywhere (`query_usage.tally_asks`, with no rollups in it), so a preview is
what the metric will say once it is saved (EVT-7). The cost grows with the events, so there is a bound, which is checked
before anything is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from candela_server.catalog.model import Metric
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.storage.events import Connection, EventStore

from . import usage_store
from .model import UsageAsk, UsageOf
from .query_usage import tally_asks
from .rules.aggregation import BEGINNING, carries_in, measured, reach, stand, weighs_time
from .rules.bucket import Split
from .rules.metric_reading import event_sql
from .usage_store import Part
from .weigh_usage import NOTHING, before, carry_on

MAX_EVENTS: Final = 1_000_000
"""Events that one answer may go through: some seconds."""

MAX_MEASURED_WINDOW: Final = timedelta(days=31)
"""A month of events."""


class TooManyEventsError(InvalidInput):
    """An answer would have to go through more events than one call may."""

    def __init__(self) -> None:
        super().__init__(
            f"the window holds more than {MAX_EVENTS:,} events of these names, too many to read for one answer; "
            "ask for a shorter window, or save the metric: its rollups answer at any length",
            field="window",
            limit=MAX_EVENTS,
        )


async def measure_events(
    store: EventStore,
    merchant_id: str,
    metric: Metric,
    who: UsageOf,
    windows: Sequence[Interval],
) -> tuple[list[Decimal], int]:
    """The usage in each of these windows, which follow each other, and how many events it was made of.

    Raises TooManyEventsError.
    """
    reading = event_sql(metric)
    asks = [UsageAsk(metric=metric, who=who, window=window) for window in windows]
    parts = [
        Part(who.customer_id, metric.id, who.user_id or "", window.start_at, window.end_at)
        for window in windows
    ]
    earliest_at = BEGINNING if carries_in(metric) else windows[0].start_at
    spans = [reach(metric, windows[0]), *windows[1:]]
    async with store.reader() as connection:
        await _count_named(
            connection,
            merchant_id,
            metric,
            who,
            Interval(earliest_at, windows[-1].end_at),
        )
        tallies = await tally_asks(
            connection,
            merchant_id,
            asks,
            [Split(None, (span,)) for span in spans],
            # The windows follow each other: only the first carries what was there before.
            [
                Split(None, (before(window),)) if weighs_time(metric) and not number else NOTHING
                for number, window in enumerate(windows)
            ],
        )
        if carries_in(metric):
            tallies = stand(tallies) if metric.gauge else carry_on(tallies)
        read = await usage_store.read_events(connection, merchant_id, parts, reading, last=False)
    values = [
        measured(metric, tally, window) for tally, window in zip(tallies, windows, strict=True)
    ]
    return values, sum(one.count for one in read)


async def count_named_events(
    store: EventStore, merchant_id: str, metric: Metric, who: UsageOf, window: Interval
) -> int:
    """How many events of the names that a metric reads lie in a window. Raises TooManyEventsError."""
    async with store.reader() as connection:
        return await _count_named(connection, merchant_id, metric, who, window)


async def _count_named(
    connection: Connection, merchant_id: str, metric: Metric, who: UsageOf, window: Interval
) -> int:
    found = await usage_store.count_events(
        connection,
        merchant_id,
        who.customer_id,
        metric.event_names,
        window,
        limit=MAX_EVENTS + 1,
    )
    if found > MAX_EVENTS:
        raise TooManyEventsError
    return found
