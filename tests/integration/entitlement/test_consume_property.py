"""Taking from allowances whose metric sums a property of the event instead of its value (ENT-9, EVT-5)."""

from __future__ import annotations

import asyncio

import pytest
from candela.entitlement.v1 import reservation_pb2

from candela_server.kernel.errors import InvalidInput

from tests.integration.entitlement.reserving import LIMIT, Desk, usage_of


@pytest.mark.spec("ENT-9", "EVT-5")
async def test_metric_that_sums_a_property__consumed_quantities_reach_the_limit_and_not_beyond(
    desk: Desk, other_desk: Desk
) -> None:
    customer = await desk.shop.sign_up()

    got = await asyncio.gather(
        *[
            (desk, other_desk)[number % 2].consume(customer, "1.5", feature="bytes")
            for number in range(20)
        ]
    )
    again = await desk.consume(customer, "1.5", feature="bytes")
    last = await desk.consume(customer, "0.5", feature="bytes")

    assert sum(one.consumed for one in got) == 13
    assert (again.consumed, usage_of(again)[0]) == (False, "19.5")
    assert (last.consumed, usage_of(last)[0]) == (True, "20")
    assert await desk.used(customer, "bytes") == LIMIT


@pytest.mark.spec("ENT-9", "EVT-5")
async def test_commit_of_a_property__is_measured_beside_the_callers_own_properties(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()
    held = (await desk.reserve(customer, "8", feature="bytes")).reservation

    await desk.commit(held, "6.25", properties=b' { "region" : "eu", "price": 1.10 } ')
    taken = await desk.consume(customer, "3", feature="bytes", properties=b"{}")

    assert taken.consumed
    assert await desk.used(customer, "bytes") == 9.25


@pytest.mark.spec("ENT-9", "EVT-5")
async def test_callers_own_number_under_the_measured_property__is_refused_by_name(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()
    held = (await desk.reserve(customer, "8", feature="bytes")).reservation

    with pytest.raises(InvalidInput, match="'size'") as consumed:
        await desk.consume(customer, "3", feature="bytes", properties=b'{"size": 0}')
    with pytest.raises(InvalidInput, match="'size'"):
        await desk.commit(held, properties=b'{"size": "0"}')

    assert [one.field for one in consumed.value.violations] == ["properties_json"]
    assert (await desk.get(held)).status == reservation_pb2.RESERVATION_STATUS_HELD
    assert await desk.used(customer, "bytes") == 0
