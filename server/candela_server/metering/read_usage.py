"""Answers usage questions in the merchant's own words: references, calendars and defaults resolved (EVT-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from zoneinfo import ZoneInfo

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import MetricNotFoundError
from candela_server.catalog.model import Metric
from candela_server.catalog.refs import ById, Ref
from candela_server.customer import read as customer
from candela_server.customer.model import (
    CustomerByExternalId,
    CustomerById,
    CustomerRef,
    UserRef,
)
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from . import store as metering_store
from .model import (
    BucketSize,
    MeasuredUsage,
    UsageAsk,
    UsageBucket,
    UsageOf,
)
from .query_usage import aggregate_many, query_buckets
from .rules.bucket import TooManyBucketsError, calendar_month
from .rules.metric_reading import is_measured

MAX_WINDOW: Final = timedelta(days=1100)
"""Three years: what a person compares; a longer answer would be many queries for the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUsage:
    """The usage of a customer or user over one window, per metric; all metrics when none is named, and the present
    calendar month in the customer's zone when there is no window."""

    who: CustomerRef | UserRef
    metrics: tuple[Ref, ...]
    window: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The answer to GetUsage."""

    who: UsageOf
    window: Interval
    usages: list[MeasuredUsage]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryUsage:
    """The usage of one metric over a window in buckets of `zone`'s calendar, the customer's when None."""

    who: CustomerRef | UserRef
    metric: Ref
    window: Interval
    size: BucketSize
    zone: ZoneInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketedUsage:
    """The answer to QueryUsage."""

    who: UsageOf
    metric: Metric
    buckets: list[UsageBucket]
    filled: bool


async def get_usage(
    db: Postgres, events: EventStore, merchant_id: str, clock: Clock, ask: GetUsage
) -> Usage:
    """What each metric measured. Raises NotFound for whom or what is unknown."""
    async with db.reading(merchant_id) as tx:
        who, zone, own_clock = await _resolve(tx, clock, ask.who)
        metrics = await _metrics(tx, ask.metrics)
        filled = await metering_store.list_filled_metrics(tx)
    window = ask.window or calendar_month(own_clock.now(), zone)
    values = await aggregate_many(
        events,
        merchant_id,
        [UsageAsk(metric=metric, who=who, window=window) for metric in metrics],
    )
    return Usage(
        who=who,
        window=window,
        usages=[
            MeasuredUsage(metric=metric, value=value, filled=_is_filled(metric, filled))
            for metric, value in zip(metrics, values, strict=True)
        ],
    )


async def query_usage(
    db: Postgres, events: EventStore, merchant_id: str, clock: Clock, ask: QueryUsage
) -> BucketedUsage:
    """What the metric measured, bucket by bucket. Raises NotFound, and InvalidInput for too many buckets."""
    async with db.reading(merchant_id) as tx:
        who, zone, _ = await _resolve(tx, clock, ask.who)
        [metric] = await _metrics(tx, [ask.metric])
        filled = await metering_store.list_filled_metrics(tx)
    try:
        buckets = await query_buckets(
            events,
            merchant_id,
            metric,
            who,
            ask.window,
            size=ask.size,
            zone=ask.zone or zone,
        )
    except TooManyBucketsError as error:
        raise InvalidInput(
            f"{error}; ask for a shorter window or larger buckets", field="window"
        ) from error
    return BucketedUsage(who=who, metric=metric, buckets=buckets, filled=_is_filled(metric, filled))


def _is_filled(metric: Metric, filled: set[str]) -> bool:
    """Whether events from before the metric are in its answers; a query reads the events themselves."""
    return metric.sql is not None or metric.id in filled


async def _resolve(
    tx: Tx, clock: Clock, ref: CustomerRef | UserRef
) -> tuple[UsageOf, ZoneInfo, Clock]:
    """Whose usage it is, and the customer's zone and clock."""
    if isinstance(ref, CustomerById | CustomerByExternalId):
        found = await customer.get_customer(tx, ref)
        who = UsageOf(customer_id=found.id)
    else:
        user = await customer.get_user(tx, ref)
        found = await customer.get_customer(tx, CustomerById(user.customer_id))
        who = UsageOf(customer_id=user.customer_id, user_id=user.id)
    return (
        who,
        ZoneInfo(found.time_zone),
        await customer.customer_clock(tx, clock, found),
    )


async def _metrics(tx: Tx, refs: tuple[Ref, ...] | list[Ref]) -> list[Metric]:
    """The metrics that are named, in that order; all that are kept and not archived, by slug, when none is."""
    known = await catalog.list_metrics(tx)
    if not refs:
        listed = [one for one in known if one.archived_at is None and is_measured(one)]
        return sorted(listed, key=lambda one: one.slug)
    by_id: dict[str, Metric] = {metric.id: metric for metric in known}
    by_slug: dict[str, Metric] = {metric.slug: metric for metric in known}
    found = []
    for ref in refs:
        metric = by_id.get(ref.id) if isinstance(ref, ById) else by_slug.get(ref.slug)
        if metric is None or not is_measured(metric):
            raise MetricNotFoundError(str(ref))
        found.append(metric)
    return found
