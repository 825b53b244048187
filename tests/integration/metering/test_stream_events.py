"""Streams of chunks: acknowledged in order after commit, resumable, each chunk once (EVT-1, EVT-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from candela.metering.v1 import ingestion_service_pb2

from candela_server.catalog.model import Aggregation
from candela_server.customer.model import Customer
from candela_server.metering.model import BatchTooLargeError, ChunkOutOfOrderError, Outcome
from candela_server.metering.stream_events import Acknowledgement, stream_events

from tests.integration.metering.builders import Metering, event


async def _chunks(
    acme: Customer, numbers: Sequence[int], size: int = 10
) -> AsyncIterator[ingestion_service_pb2.StreamEventsRequest]:
    for number in numbers:
        yield ingestion_service_pb2.StreamEventsRequest(
            chunk_number=number,
            events=[event(f"k{number}-{index}", acme, "2") for index in range(size)],
        )


async def _stream(
    metering: Metering, chunks: AsyncIterator[ingestion_service_pb2.StreamEventsRequest]
) -> list[tuple[int, int, int, int]]:
    return [
        (one.chunk_number, one.accepted_count, one.deduplicated_count, one.rejected_count)
        async for one in stream_events(metering.ingestor, metering.merchant_id, chunks)
    ]


@pytest.mark.spec("EVT-1", "EVT-3")
async def test_a_stream__is_acknowledged_in_order_up_to_its_end(metering: Metering) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)

    got = await _stream(metering, _chunks(acme, range(1, 301)))

    assert got == sorted(got)
    assert got[-1] == (300, 3000, 0, 0)
    assert await metering.usage(tokens, acme) == 6000


@pytest.mark.spec("EVT-2")
async def test_a_stream_resumed_too_early__counts_the_overlap_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    await _stream(metering, _chunks(acme, range(1, 21)))

    got = await _stream(metering, _chunks(acme, range(11, 31)))

    assert got[-1] == (30, 100, 100, 0)
    assert await metering.usage(tokens, acme) == 600


@pytest.mark.spec("EVT-3")
async def test_a_bad_event_in_a_chunk__is_reported_with_its_chunk_and_index(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    await metering.add_metric("tokens", Aggregation.SUM)

    async def chunks() -> AsyncIterator[ingestion_service_pb2.StreamEventsRequest]:
        async for chunk in _chunks(acme, range(1, 4), size=3):
            if chunk.chunk_number == 2:
                chunk.events[1].value = "NaN"
            yield chunk

    exceptions: list[tuple[int, list[Outcome]]] = []
    last: Acknowledgement | None = None
    async for last in stream_events(metering.ingestor, metering.merchant_id, chunks()):
        exceptions += [(number, recorded.outcomes) for number, recorded in last.exceptions]

    assert last is not None
    assert (last.chunk_number, last.accepted_count, last.rejected_count) == (3, 8, 1)
    assert exceptions == [(2, [Outcome.ACCEPTED, Outcome.REJECTED, Outcome.ACCEPTED])]


@pytest.mark.spec("EVT-1")
async def test_a_chunk_out_of_order__ends_the_stream_after_what_came_before(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)

    with pytest.raises(ChunkOutOfOrderError):
        await _stream(metering, _chunks(acme, [1, 2, 4]))

    assert await metering.usage(tokens, acme) == 40


@pytest.mark.spec("EVT-1")
async def test_a_chunk_of_10001__ends_the_stream_and_nothing_of_it_is_stored(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)

    with pytest.raises(BatchTooLargeError):
        await _stream(metering, _chunks(acme, [1], size=10_001))

    assert await metering.usage(tokens, acme) == 0
