"""How the events of a call are divided among the writers, and joined again in one answer (EVT-3)."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.reason import Reason
from candela_server.metering.event_lanes import WORTH_DIVIDING, Batch, Call, Lane, divide
from candela_server.metering.model import IngestionUnavailableError, Outcome, Recorded, Rejection
from candela_server.metering.prepared_event import PreparedEvent

from tests.helpers.prepared import ANY_EVENT


def event(key: int, customer: int = 0) -> PreparedEvent:
    return ANY_EVENT._replace(key_hash=key.to_bytes(16, "big"), customer_id=f"cus_{customer}")


def call() -> Call:
    return Call(Recorded(outcomes=[Outcome.REJECTED], rejections=[]), asyncio.Future())


def rejection(index: int) -> Rejection:
    return Rejection(index, Reason.EVENT_KEY_CONFLICT, "idempotency_key", "taken")


@pytest.mark.spec("EVT-3")
@given(st.lists(st.integers(0, 9), min_size=WORTH_DIVIDING, max_size=200), st.integers(1, 4))
def test_many_events__each_goes_to_one_lane_and_those_of_a_customer_to_the_same(
    customers: list[int], lanes: int
) -> None:
    events = [event(key, customer) for key, customer in enumerate(customers)]

    divided = divide(events, lanes)

    assert Counter(place for places in divided.values() for place in places) == Counter(
        range(len(events))
    )
    assert all(places == sorted(places) and 0 <= lane < lanes for lane, places in divided.items())
    lanes_of = {(customers[place], lane) for lane, places in divided.items() for place in places}
    assert len(lanes_of) == len(set(customers))


@pytest.mark.spec("EVT-3")
@pytest.mark.parametrize(
    "events",
    [
        [event(key, key) for key in range(WORTH_DIVIDING - 1)],
        [event(key % 60, key) for key in range(61)],
    ],
    ids=["few", "a key comes twice"],
)
def test_call_that_is_not_divided__goes_to_one_lane_in_order(events: list[PreparedEvent]) -> None:
    [places] = divide(events, 2).values()

    assert places == list(range(len(events)))


@pytest.mark.spec("EVT-1", "EVT-3")
async def test_caller__is_answered_with_the_last_part_and_rejections_in_order() -> None:
    one = call()
    one.open_parts = 2

    one.recorded.rejections.append(rejection(7))
    one.end_part()
    assert not one.done.done()
    one.recorded.rejections.append(rejection(3))
    one.end_part()

    assert [found.index for found in (await one.done).rejections] == [3, 7]


@pytest.mark.spec("EVT-1", "EVT-3")
async def test_caller_of_whose_parts_one_failed__is_told_so_once() -> None:
    one = call()
    one.open_parts = 2

    one.fail(IngestionUnavailableError())
    one.end_part()
    one.fail(IngestionUnavailableError())

    with pytest.raises(IngestionUnavailableError):
        await one.done


@pytest.mark.spec("EVT-3")
async def test_lane__gives_whole_batches_up_to_a_number_of_events_and_at_least_one() -> None:
    lane, mine = Lane(), call()
    for size in (3, 2, 4, 9):
        lane.append(Batch("mer_1", [event(key) for key in range(size)], [0] * size, mine))

    taken = [[len(batch.events) for batch in lane.take(5)] for _ in range(4)]

    assert taken == [[3, 2], [4], [9], []]
    assert lane.events == 0
