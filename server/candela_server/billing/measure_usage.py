"""Measures what periods used, and where grants begin or end inside one, what each part of it used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from candela_server.catalog.model import Metric
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.waterfall import UsedSpan, cuts_of
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.query_usage import aggregate_many
from candela_server.metering.rules.aggregation import parts_add_up
from candela_server.metering.rules.metric_reading import counting_events
from candela_server.storage.events import EventStore

_ZERO = Decimal(0)
INSTANT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a metric measured in a period, and in how many events where somebody needs to know.

    `spans` are the parts of it, where grants begin or end inside the period.
    """

    value: Decimal = _ZERO
    event_count: Decimal = _ZERO
    spans: tuple[UsedSpan, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Whose usage of which period is wanted, whether its events are counted too, and the grants that may pay for it."""

    customer_id: CustomerId
    metric: Metric
    period: Interval
    counts_events: bool
    grants: Sequence[CreditGrant]


async def measure(events: EventStore, merchant_id: str, asks: Sequence[Ask]) -> list[Measured]:
    """What each metric measured for a customer in a period, in how many events when that is asked for, and by part.

    All in one snapshot, so that amounts and events fit together.
    """
    wanted: list[UsageAsk] = []
    for ask in asks:
        whole = UsageAsk(
            metric=ask.metric, who=UsageOf(customer_id=ask.customer_id), window=ask.period
        )
        wanted.append(whole)
        if ask.counts_events:
            wanted.append(replace(whole, metric=counting_events(ask.metric)))
        wanted += [replace(whole, window=part) for part in _parts(ask)]
    values = iter(await aggregate_many(events, merchant_id, wanted))
    measured = []
    for ask in asks:
        value = next(values)
        count = next(values) if ask.counts_events else _ZERO
        spans = tuple(UsedSpan(part, next(values)) for part in _parts(ask))
        if not spans and not parts_add_up(ask.metric) and _cut(ask):
            # Such a metric has one reading for the whole period: who can pay as it ends, pays for it.
            end_at = ask.period.end_at
            spans = (UsedSpan(Interval(end_at - INSTANT, end_at), value),)
        measured.append(Measured(value, count, spans))
    return measured


def _parts(ask: Ask) -> list[Interval]:
    cuts = _cut(ask)
    if not cuts or not parts_add_up(ask.metric):
        return []
    borders = [ask.period.start_at, *cuts, ask.period.end_at]
    return [Interval(*pair) for pair in pairwise(borders)]


def _cut(ask: Ask) -> list[datetime]:
    return cuts_of(ask.grants, ask.period)
