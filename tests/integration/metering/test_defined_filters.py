"""Filters and unique users that a definition promises are honoured wherever usage is read (EVT-5, EVT-7, EVT-10)."""

from __future__ import annotations

import pytest

from candela_server.catalog.create_metric import NewMetric, create_metric
from candela_server.catalog.model import (
    Aggregation,
    FilterOperator,
    Metric,
    PropertyFilter,
    UniqueOf,
)

from tests.integration.metering.builders import Metering, event

LARGE_IN_EUROPE = (
    PropertyFilter("region", FilterOperator.PREFIX, ("eu-",)),
    PropertyFilter("size", FilterOperator.AT_LEAST, ("10",)),
    PropertyFilter("test", FilterOperator.ABSENT),
)


async def define(
    metering: Metering, slug: str, aggregation: Aggregation, unique_of: UniqueOf | None = None
) -> Metric:
    async with metering.db.writing(metering.merchant_id) as tx:
        return await create_metric(
            tx,
            metering.clock,
            NewMetric(
                slug=slug,
                name=slug,
                aggregation=aggregation,
                event_names=("api-call",),
                property=None,
                unit_name="",
                unique_of=unique_of,
                filters=LARGE_IN_EUROPE,
            ),
        )


@pytest.mark.spec("EVT-5", "EVT-7", "EVT-10")
@pytest.mark.parametrize("defined", ["before its events", "after its events"])
async def test_metric_with_filters__reads_the_events_that_pass_and_no_other(
    metering: Metering, defined: str
) -> None:
    acme = await metering.add_customer()
    ada, bob = await metering.add_user(acme), await metering.add_user(acme)
    if defined == "before its events":
        total = await define(metering, "total", Aggregation.SUM)
        users = await define(metering, "users", Aggregation.UNIQUE, UniqueOf.USER)
    await metering.record(
        event("a", ada, "3", properties={"region": "eu-west", "size": 10}),
        event("b", ada, "4", properties={"region": "eu-north", "size": 11.5}),
        event("c", bob, "50", properties={"region": "us-east", "size": 10}),
        event("d", bob, "60", properties={"region": "eu-west", "size": 9.9}),
        event("e", bob, "70", properties={"region": "eu-west", "size": 10, "test": True}),
        event("f", bob, "80", properties={"region": "eu-west"}),
        event("g", bob, "90"),
    )
    if defined == "after its events":
        total = await define(metering, "total", Aggregation.SUM)
        users = await define(metering, "users", Aggregation.UNIQUE, UniqueOf.USER)
        await metering.fill()

    assert await metering.usage(total, acme) == 7
    assert await metering.counter(total, acme) == 7
    assert await metering.usage(total, bob) == 0
    assert await metering.usage(users, acme) == 1
    assert await metering.counter(users, acme) == 1
    # Read again from the database: what was stored is what was defined.
    await metering.record(event("h", bob, "1", properties={"region": "eu-west", "size": 99}))
    assert await metering.usage(total, acme) == await metering.counter(total, acme) == 8
    assert await metering.usage(users, acme) == await metering.counter(users, acme) == 2
