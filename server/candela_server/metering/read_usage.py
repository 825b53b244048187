"""Answers usage questions in the merchant's own words: references, calendars and defaults resolved (EVT-8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from candela_server.catalog import read as catalog
from candela_server.catalog.errors import MetricNotFoundError
from candela_server.catalog.model import Metric, PropertyFilter
from candela_server.catalog.refs import ById, Ref
from candela_server.customer import read as customer
from candela_server.customer.model import (
    CustomerByExternalId,
    CustomerById,
    CustomerRef,
    UserRef,
)
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from .fill_metric import read_fill_statuses
from .measure_events import MAX_MEASURED_WINDOW, count_named_events, measure_events
from .metric_fill import FillStatus
from .model import (
    EVERYONE,
    BucketSize,
    MeasuredUsage,
    MetricNotGroupedError,
    UsageAsk,
    UsageBucket,
    UsageOf,
)
from .query_everyone import aggregate_everyone
from .query_groups import TooManyGroupedBucketsError, query_groups
from .query_usage import aggregate_many, query_buckets
from .rules.bucket import TooManyBucketsError, calendar_month, cut
from .rules.group import group_named
from .rules.metric_reading import is_measured
from .rules.sql_metric_marks import is_indexed

MAX_WINDOW: Final = timedelta(days=1100)
"""Three years: what a person compares; a longer answer would be many queries for the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetUsage:
    """The usage of a customer or user over one window, per metric; all metrics when none is named, and the present
    calendar month in the customer's zone when there is no window. `who` None is everyone, in UTC."""

    who: CustomerRef | UserRef | None
    metrics: tuple[Ref, ...]
    window: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The answer to GetUsage."""

    who: UsageOf
    window: Interval
    usages: list[MeasuredUsage]
    left_out: list[Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryUsage:
    """The usage of one metric over a window in buckets of `zone`'s calendar, the customer's when None.

    `who` None is everyone. With `filters` only events that pass them too, read from the events themselves. With
    `grouped` the answer is by group, of those named in `groups` if there are any.
    """

    who: CustomerRef | UserRef | None
    metric: Ref
    window: Interval
    size: BucketSize
    zone: ZoneInfo | None
    filters: tuple[PropertyFilter, ...] = ()
    grouped: bool = False
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketedUsage:
    """The answer to QueryUsage."""

    who: UsageOf
    metric: Metric
    buckets: list[UsageBucket]
    fill_status: FillStatus


async def get_usage(
    db: Postgres, events: EventStore, merchant_id: str, clock: Clock, ask: GetUsage
) -> Usage:
    """What each metric measured. Raises NotFound for whom or what is unknown."""
    async with db.reading(merchant_id) as tx:
        who, zone, own_clock = await _resolve(tx, clock, ask.who)
        metrics = await _metrics(tx, ask.metrics)
        left_out: list[Metric] = []
        if who == EVERYONE and ask.metrics:
            for number, metric in enumerate(metrics):
                _check_adds_up_over_customers(metric, f"metrics[{number}]")
        elif who == EVERYONE:
            # Unless it is asked for by name, a list of all usage does not wait for a query.
            left_out = [metric for metric in metrics if metric.sql is not None]
            metrics = [metric for metric in metrics if metric.sql is None]
        statuses = await read_fill_statuses(tx)
    window = ask.window or calendar_month(own_clock.now(), zone)
    if who == EVERYONE:
        values = [
            (await aggregate_everyone(events, merchant_id, metric, [window]))[0]
            for metric in metrics
        ]
    else:
        values = await aggregate_many(
            events,
            merchant_id,
            [UsageAsk(metric=metric, who=who, window=window) for metric in metrics],
        )
    return Usage(
        who=who,
        window=window,
        usages=[
            MeasuredUsage(
                metric=metric,
                value=value,
                fill_status=_fill_status(metric, statuses),
            )
            for metric, value in zip(metrics, values, strict=True)
        ],
        left_out=left_out,
    )


async def query_usage(
    db: Postgres, events: EventStore, merchant_id: str, clock: Clock, ask: QueryUsage
) -> BucketedUsage:
    """What the metric measured, bucket by bucket. Raises NotFound, and InvalidInput for too many buckets."""
    async with db.reading(merchant_id) as tx:
        who, zone, _ = await _resolve(tx, clock, ask.who)
        [metric] = await _metrics(tx, [ask.metric])
        if who == EVERYONE:
            _check_adds_up_over_customers(metric, "metric")
        statuses = await read_fill_statuses(tx)
    try:
        if ask.grouped:
            buckets = await _grouped(events, merchant_id, metric, who, ask, ask.zone or zone)
        elif ask.filters:
            buckets = await _filtered(events, merchant_id, metric, who, ask, ask.zone or zone)
        elif who == EVERYONE:
            windows = cut(ask.window, ask.size, ask.zone or zone)
            values = await aggregate_everyone(events, merchant_id, metric, windows)
            buckets = _buckets(windows, values)
        else:
            buckets = await query_buckets(
                events,
                merchant_id,
                metric,
                who,
                ask.window,
                size=ask.size,
                zone=ask.zone or zone,
            )
    except (TooManyBucketsError, TooManyGroupedBucketsError) as error:
        raise InvalidInput(
            f"{error}; ask for a shorter window or larger buckets", field="window"
        ) from error
    return BucketedUsage(
        who=who,
        metric=metric,
        buckets=buckets,
        fill_status=_fill_status(metric, statuses),
    )


def _check_adds_up_over_customers(metric: Metric, field: str) -> None:
    """Refuses a query over one customer's events alone: only what an indexed one gives adds up over customers."""
    if metric.sql is not None and not is_indexed(metric):
        raise InvalidInput(
            f"metric {metric.slug!r} is a query over one customer's events, and its numbers do not add up over "
            "customers; ask for a customer, or by a metric whose query is indexed",
            field=field,
        )


def _fill_status(metric: Metric, statuses: Mapping[str, FillStatus]) -> FillStatus:
    """Of a query that is not indexed: complete, as it keeps nothing and reads the events themselves."""
    if metric.sql is not None and not is_indexed(metric):
        return FillStatus.COMPLETE
    return statuses.get(metric.id, FillStatus.FILLING)


async def _filtered(
    events: EventStore,
    merchant_id: str,
    metric: Metric,
    who: UsageOf,
    ask: QueryUsage,
    zone: ZoneInfo,
) -> list[UsageBucket]:
    """The usage made of the events that pass the question's own filters, too."""
    with FieldViolations() as fields:
        if who == EVERYONE:
            fields.add("filters", "must be empty for everyone; name a customer or a user")
        if ask.window.duration > MAX_MEASURED_WINDOW:
            fields.add(
                "window", f"must be at most {MAX_MEASURED_WINDOW.days} days long with filters"
            )
    windows = cut(ask.window, ask.size, zone)
    narrowed = replace(metric, filters=(*metric.filters, *ask.filters))
    if narrowed.sql is not None:
        # What is kept of an indexed query was measured without these filters: only the events know.
        narrowed = replace(narrowed, sql=replace(narrowed.sql, indexed=False))
        await count_named_events(events, merchant_id, narrowed, who, ask.window)
        asks = [UsageAsk(metric=narrowed, who=who, window=window) for window in windows]
        return _buckets(windows, await aggregate_many(events, merchant_id, asks))
    values, _ = await measure_events(events, merchant_id, narrowed, who, windows)
    return _buckets(windows, values)


async def _grouped(
    events: EventStore,
    merchant_id: str,
    metric: Metric,
    who: UsageOf,
    ask: QueryUsage,
    zone: ZoneInfo,
) -> list[UsageBucket]:
    """The usage by group. Raises MetricNotGroupedError, and InvalidInput for what cannot be grouped."""
    if not metric.group_by:
        raise MetricNotGroupedError(metric.slug)
    with FieldViolations() as fields:
        if who == EVERYONE:
            fields.add("grouped", "must be false for everyone; name a customer or a user")
        if ask.filters:
            fields.add("filters", "must be empty in a grouped answer; name groups instead")
        groups = [
            fields.read(f"groups[{index}]", group_named, name, metric.group_by)
            for index, name in enumerate(ask.groups)
        ]
    windows = cut(ask.window, ask.size, zone)
    return await query_groups(events, merchant_id, metric, who, windows, groups or None)


def _buckets(windows: list[Interval], values: list[Decimal]) -> list[UsageBucket]:
    return [
        UsageBucket(window=window, value=value)
        for window, value in zip(windows, values, strict=True)
    ]


async def _resolve(
    tx: Tx, clock: Clock, ref: CustomerRef | UserRef | None
) -> tuple[UsageOf, ZoneInfo, Clock]:
    """Whose usage it is, and the customer's zone and clock; for everyone UTC and the merchant's clock."""
    if ref is None:
        return EVERYONE, ZoneInfo("UTC"), await merchant.merchant_clock(tx, clock)
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
