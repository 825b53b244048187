"""A merchant's whole metering on real servers, and short words for what tests do with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, Final

from candela.metering.v1 import event_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.catalog.create_metric import NewMetric, create_metric
from candela_server.catalog.model import Aggregation, Metric, PropertyFilter, SqlMetric, UniqueOf
from candela_server.customer.create_customer import create_customer
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import Customer, CustomerById, User
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.interval import Interval
from candela_server.merchant.model import TestClockId
from candela_server.metering.cache import CounterCache
from candela_server.metering.directory import Directory
from candela_server.metering.fill_history import Progress, list_unfilled, take_step
from candela_server.metering.ingest_events import Ingestor
from candela_server.metering.model import Recorded, UsageAsk, UsageOf
from candela_server.metering.query_usage import aggregate
from candela_server.metering.read_counters import Counters
from candela_server.metering.servicer import UsageServicer
from candela_server.storage.events import EventStore
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.helpers.commands import signing_up

BUILT_IN: Final = [one for one in Aggregation if one is not Aggregation.SQL]
"""The aggregations that rollups are kept for."""

_numbers = count(1)


@dataclass(slots=True, kw_only=True)
class Metering:
    """One server process's metering, and short words for tests."""

    db: Postgres
    events: EventStore
    clock: FixedClock
    merchant_id: str
    redis: Redis
    cache: CounterCache
    counters: Counters
    directory: Directory
    ingestor: Ingestor
    more: list[Metering] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)

    async def add_customer(
        self, external_id: str | None = None, test_clock_id: TestClockId | None = None
    ) -> Customer:
        """A new customer."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_customer(
                tx,
                self.clock,
                signing_up(
                    "Acme",
                    external_id=external_id,
                    time_zone="America/New_York",
                    test_clock_id=test_clock_id,
                ),
            )

    async def add_user(self, customer: Customer, external_id: str | None = None) -> User:
        """A new user of a customer."""
        async with self.db.writing(self.merchant_id) as tx:
            return await create_user(
                tx,
                self.clock,
                CreateUser(
                    customer=CustomerById(customer.id),
                    external_id=external_id,
                    name="Ada",
                    email=None,
                ),
            )

    async def add_metric(
        self,
        slug: str,
        aggregation: Aggregation,
        *,
        event_names: Sequence[str] = ("api-call",),
        property_name: str | None = None,
        unique_of: UniqueOf | None = None,
        group_by: Sequence[str] = (),
        gauge: bool = False,
        filled: bool = True,
    ) -> Metric:
        """A new metric, whose history the worker has read already when `filled`."""
        async with self.db.writing(self.merchant_id) as tx:
            metric = await create_metric(
                tx,
                self.clock,
                NewMetric(
                    slug=slug,
                    name=slug,
                    aggregation=aggregation,
                    event_names=tuple(event_names),
                    property=property_name,
                    unit_name="",
                    unique_of=unique_of,
                    group_by=tuple(group_by),
                    gauge=gauge,
                ),
            )
        if filled:
            await self.fill()
        return metric

    async def fill(self) -> int:
        """Reads history into all metrics, to the end; answers how many are complete by that."""
        completed = 0
        for one in await list_unfilled(self.db, self.events, self.clock, self.merchant_id):
            progress = Progress.GOES_ON
            while progress is Progress.GOES_ON:
                progress = await take_step(self.events, self.counters, self.clock, one)
            completed += progress is Progress.COMPLETE
        return completed

    async def add_sql_metric(
        self,
        query: str,
        *,
        indexed: bool = False,
        event_names: Sequence[str] = ("api-call",),
        filters: Sequence[PropertyFilter] = (),
        slug: str | None = None,
        filled: bool = True,
    ) -> Metric:
        """A new metric that is a query, whose history the worker has read already when `filled`."""
        slug = slug or f"sql-{next(_numbers)}"
        async with self.db.writing(self.merchant_id) as tx:
            metric = await create_metric(
                tx,
                self.clock,
                NewMetric(
                    slug=slug,
                    name=slug,
                    aggregation=Aggregation.SQL,
                    event_names=tuple(event_names),
                    property=None,
                    unit_name="",
                    filters=tuple(filters),
                    sql=SqlMetric(query, indexed),
                ),
            )
        if indexed and filled:
            await self.fill()
        return metric

    async def record(self, *events: Any) -> Recorded:
        """Records a batch."""
        return await self.ingestor.record(self.merchant_id, events)

    async def usage(
        self, metric: Metric, who: Customer | User, window: Interval | None = None
    ) -> Decimal:
        """The usage as invoices see it."""
        return await aggregate(
            self.events, self.merchant_id, metric, usage_of(who), window or self.window()
        )

    async def counter(
        self, metric: Metric, who: Customer | User, window: Interval | None = None
    ) -> Decimal:
        """The usage as checks see it."""
        ask = UsageAsk(metric=metric, who=usage_of(who), window=window or self.window())
        [value] = await self.counters.read(self.merchant_id, [ask])
        return value

    def window(self) -> Interval:
        """Thirty days up to an hour from now, with ends that cut quarter-hours."""
        now = self.clock.now()
        return Interval(now - timedelta(days=30, seconds=37), now + timedelta(minutes=67))


def usage_of(who: Customer | User) -> UsageOf:
    """Whose usage it is."""
    if isinstance(who, Customer):
        return UsageOf(customer_id=who.id)
    return UsageOf(customer_id=who.customer_id, user_id=who.id)


def usage_servicer(metering: Metering) -> UsageServicer:
    """UsageService of that process."""
    return UsageServicer(
        metering.db,
        metering.events,
        metering.clock,
        b"page tokens of tests",
        Mutations(metering.db, metering.clock),
    )


def event(
    key: str,
    who: Customer | User,
    value: str | None = None,
    *,
    name: str = "api-call",
    at: datetime | None = None,
    properties: dict[str, Any] | None = None,
) -> event_pb2.Event:
    """An event as a client sends it."""
    sent = event_pb2.Event(idempotency_key=key, name=name)
    if isinstance(who, Customer):
        sent.customer_id = who.id
    else:
        sent.user_id = who.id
    if value is not None:
        sent.value = value
    if at is not None:
        stamp = Timestamp()
        stamp.FromDatetime(at)
        sent.timestamp.CopyFrom(stamp)
    if properties is not None:
        sent.properties_json = json.dumps(properties).encode()
    return sent


async def start_metering(
    db: Postgres, events: EventStore, clock: FixedClock, redis: Redis, merchant_id: str
) -> Metering:
    """Another server process's metering on the same servers."""
    cache = CounterCache(redis)
    counters = Counters(cache, events, clock)
    directory = Directory(db, clock)
    ingestor = Ingestor(db, events, directory, counters, clock)
    await counters.start()
    await ingestor.start()
    return Metering(
        db=db,
        events=events,
        clock=clock,
        merchant_id=merchant_id,
        redis=redis,
        cache=cache,
        counters=counters,
        directory=directory,
        ingestor=ingestor,
    )
