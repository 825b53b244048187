"""Groups of a metric as the contract answers them, and what happens beyond the last that has a place (EVT-5, EVT-8)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from candela.catalog.v1 import metric_pb2
from candela.customer.v1 import customer_pb2, user_pb2
from candela.metering.v1 import usage_pb2, usage_service_pb2

from candela_server.catalog.model import Aggregation, Metric, UniqueOf
from candela_server.contract.values import interval_to_proto
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.metering.rules.group import MAX_GROUPS

from tests.integration.metering.builders import (
    Metering,
    event,
    start_metering,
    usage_servicer,
)

pytestmark = pytest.mark.usefixtures("called_by_merchant")


async def _query(
    metering: Metering, metric: Metric, **wanted: Any
) -> list[tuple[str | None, str, bool]]:
    """Group, value and whether it is the overflow, bucket by bucket."""
    servicer = usage_servicer(metering)
    request = usage_service_pb2.QueryUsageRequest(
        metric=metric_pb2.MetricRef(id=metric.id),
        **{"window": interval_to_proto(metering.window()), **wanted},
    )
    got = await servicer.QueryUsage(request, None)
    return [
        (one.group if one.HasField("group") else None, one.value, one.overflow)
        for one in got.buckets
    ]


@pytest.mark.spec("EVT-5", "EVT-8")
async def test_grouped_usage__is_by_bucket_and_group_and_adds_up_to_the_whole(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    tokens = await metering.add_metric("tokens", Aggregation.SUM, group_by=["model"])
    now = metering.clock.now()
    await metering.record(
        event("a", acme, "1", at=now - timedelta(hours=2), properties={"model": "large"}),
        event("b", ada, "2", at=now - timedelta(hours=2), properties={"model": "small"}),
        event("c", ada, "4", at=now - timedelta(hours=1), properties={"model": "large"}),
        event("d", acme, "8", at=now - timedelta(hours=1)),
    )
    customer = customer_pb2.CustomerRef(id=acme.id)

    whole = await _query(metering, tokens, customer=customer)
    grouped = await _query(metering, tokens, customer=customer, grouped=True)
    hourly = await _query(
        metering,
        tokens,
        customer=customer,
        grouped=True,
        window=interval_to_proto(Interval(now - timedelta(hours=2), now)),
        bucket_size=usage_pb2.BUCKET_SIZE_HOUR,
    )
    of_ada = await _query(metering, tokens, user=user_pb2.UserRef(id=ada.id), grouped=True)
    named = await _query(metering, tokens, customer=customer, groups=["small", "", "huge"])

    assert whole == [(None, "15", False)]
    assert grouped == [("", "8", False), ("large", "5", False), ("small", "2", False)]
    assert hourly == [
        ("large", "1", False),
        ("small", "2", False),
        ("", "8", False),
        ("large", "4", False),
    ]
    assert of_ada == [("large", "4", False), ("small", "2", False)]
    assert named == [("", "8", False), ("small", "2", False)]


@pytest.mark.spec("EVT-5", "EVT-8")
async def test_groups_of_several_properties__are_named_as_json(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT, group_by=["region", "size"])
    await metering.record(
        event("a", acme, properties={"region": "eu", "size": 2}),
        event("b", acme, properties={"region": 'ö"', "size": True}),
        event("c", acme, properties={"region": "eu"}),
    )
    customer = customer_pb2.CustomerRef(id=acme.id)

    everything = await _query(metering, calls, customer=customer, grouped=True)
    named = await _query(metering, calls, customer=customer, groups=['["eu","2"]'])

    assert everything == [
        ('["eu", ""]', "1", False),
        ('["eu", "2"]', "1", False),
        ('["ö\\"", "true"]', "1", False),
    ]
    assert named == [('["eu", "2"]', "1", False)]


@pytest.mark.spec("EVT-5", "EVT-8")
async def test_a_wrong_question_for_groups__says_what_is_wrong(metering: Metering) -> None:
    acme = await metering.add_customer()
    plain = await metering.add_metric("plain", Aggregation.COUNT)
    two = await metering.add_metric("two", Aggregation.COUNT, group_by=["a", "b"])
    customer = customer_pb2.CustomerRef(id=acme.id)

    with pytest.raises(InvalidInput) as ungrouped:
        await _query(metering, plain, customer=customer, grouped=True)
    with pytest.raises(InvalidInput) as misnamed:
        await _query(metering, two, customer=customer, groups=['["x", "y"]', "x"])
    with pytest.raises(InvalidInput) as many:
        await _query(metering, two, customer=customer, groups=["[]"] * 101)

    assert [one.field for one in ungrouped.value.violations] == ["grouped"]
    assert [one.field for one in misnamed.value.violations] == ["groups[1]"]
    assert [one.field for one in many.value.violations] == ["groups"]


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize("defined", ["before its events", "after its events"])
async def test_groups_beyond_the_last_place__are_counted_together_and_nothing_is_lost(
    metering: Metering, defined: str
) -> None:
    acme = await metering.add_customer()
    early = defined == "before its events"
    if early:
        tokens = await metering.add_metric("tokens", Aggregation.SUM, group_by=["job"])
    at = metering.clock.now() - timedelta(hours=3)
    # A place for each of the first thousand, by the instant of their events; 30 find none.
    sent = [
        event(
            f"k{number}",
            acme,
            at=at + timedelta(milliseconds=number),
            properties={"job": f"job-{number:04}"},
        )
        for number in range(MAX_GROUPS + 30)
    ]
    await metering.record(*sent)
    if not early:
        tokens = await metering.add_metric("tokens", Aggregation.SUM, group_by=["job"])
    # A known one, one of the overflow and a new one; in a quarter-hour that the window cuts.
    now = metering.clock.now() + timedelta(minutes=1)
    await metering.record(
        event("known", acme, "10", at=now, properties={"job": "job-0007"}),
        event("over", acme, "20", at=now, properties={"job": f"job-{MAX_GROUPS + 5:04}"}),
        event("new", acme, "40", at=now, properties={"job": "another"}),
    )
    customer = customer_pb2.CustomerRef(id=acme.id)
    window = interval_to_proto(Interval(at, now + timedelta(seconds=1)))

    got = await _query(metering, tokens, customer=customer, grouped=True, window=window)

    values = {group: Decimal(value) for group, value, _ in got}
    assert len(got) == MAX_GROUPS + 1
    assert got[-1] == (None, "90", True)
    assert (values["job-0007"], values["job-0999"]) == (11, 1)
    assert sum(values.values()) == await metering.usage(tokens, acme) == MAX_GROUPS + 100


@pytest.mark.spec("EVT-5")
async def test_two_servers_that_meet_new_groups_at_once__give_no_more_places_than_there_are(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM, group_by=["job"])
    other = await start_metering(
        metering.db, metering.events, metering.clock, metering.redis, metering.merchant_id
    )
    metering.more.append(other)

    def batch(server: int, number: int) -> list[Any]:
        jobs = range(number * 60, number * 60 + 90)  # some are met by both, and twice
        return [
            event(f"{server}-{number}-{job}", acme, properties={"job": f"j{job}"}) for job in jobs
        ]

    await asyncio.gather(
        *[metering.record(*batch(0, number)) for number in range(18)],
        *[other.record(*batch(1, 17 - number)) for number in range(18)],
    )

    got = await _query(
        metering, tokens, customer=customer_pb2.CustomerRef(id=acme.id), grouped=True
    )
    assert len(got) == MAX_GROUPS + 1
    assert sum(Decimal(value) for _, value, _ in got) == 2 * 18 * 90


@pytest.mark.spec("EVT-5", "EVT-10")
async def test_a_young_metric__has_its_groups_before_it_has_read_history(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    await metering.record(
        event("a", acme, "1", properties={"model": "large"}),
        event("b", acme, "2", properties={"model": "small"}),
        event("c", acme, "4"),
    )
    tokens = await metering.add_metric("tokens", Aggregation.SUM, group_by=["model"], filled=False)
    customer = customer_pb2.CustomerRef(id=acme.id)
    want = [("", "4", False), ("large", "1", False), ("small", "2", False)]

    assert await _query(metering, tokens, customer=customer, grouped=True) == want
    assert await _query(metering, tokens, customer=customer, groups=["small"]) == want[2:]
    await metering.fill()
    assert await _query(metering, tokens, customer=customer, grouped=True) == want


@pytest.mark.spec("EVT-5", "EVT-12")
async def test_different_customers__are_counted_over_the_whole_merchant(
    metering: Metering, other_metering: Metering
) -> None:
    acme, beta, idle = [await metering.add_customer() for _ in range(3)]
    foreign = await other_metering.add_customer()
    active = await metering.add_metric(
        "active", Aggregation.UNIQUE, unique_of=UniqueOf.CUSTOMER, group_by=["region"]
    )
    await other_metering.add_metric("active", Aggregation.UNIQUE, unique_of=UniqueOf.CUSTOMER)
    now = metering.clock.now()
    await metering.record(
        event("a", acme, properties={"region": "eu"}),
        event("b", acme, at=now - timedelta(days=2), properties={"region": "us"}),
        event("c", beta, at=now - timedelta(days=1), properties={"region": "eu"}),
    )
    await other_metering.record(event("a", foreign))
    servicer = usage_servicer(metering)

    everyone = await servicer.GetUsage(usage_service_pb2.GetUsageRequest(everyone=True), None)
    with pytest.raises(InvalidInput) as refused:
        await _query(metering, active, everyone=True, grouped=True)

    assert [(one.metric_slug, one.value) for one in everyone.usages] == [("active", "2")]
    assert everyone.customer_id == ""
    assert [await metering.usage(active, who) for who in (acme, beta, idle)] == [1, 1, 0]
    assert [one.field for one in refused.value.violations] == ["grouped"]
