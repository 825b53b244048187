"""Backfills: invisible until closed, then counted, and taken back as a whole (EVT-4, EVT-9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from candela.metering.v1 import backfill_pb2, event_pb2
from candela.metering.v1 import ingestion_service_pb2 as pb

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import CandelaError, InvalidInput, Reason
from candela_server.kernel.interval import Interval
from candela_server.metering import tasks
from candela_server.metering.backfills import close_backfill, revert_backfill
from candela_server.metering.correction import BackfillStatus
from candela_server.metering.model import Outcome

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import Metering, event
from tests.integration.metering.correcting import (
    by_filter,
    by_keys,
    close,
    ingestion,
    open_backfill,
    record_into,
    revert,
    void,
)

DAY = timedelta(days=1)


def _span(metering: Metering) -> tuple[datetime, datetime]:
    """Ten days, long before what ordinary events may reach, cutting quarter-hours."""
    start_at = metering.clock.now() - timedelta(days=70, minutes=7)
    return start_at, start_at + 10 * DAY


@pytest.mark.spec("EVT-4", "EVT-9")
async def test_a_backfill__counts_when_it_is_closed_and_no_longer_when_reverted(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    total = await metering.add_metric("total", Aggregation.SUM)
    models = await metering.add_metric("models", Aggregation.UNIQUE, property_name="model")
    start, end = _span(metering)
    window = Interval(start - DAY, end + DAY)
    opened = await open_backfill(metering, start, end)

    got = await record_into(
        metering,
        opened.id,
        event("a", acme, "2", at=start, properties={"model": "x"}),
        event("b", ada, "3", at=end - timedelta(microseconds=1), properties={"model": "y"}),
        event("a", acme, "2", at=start, properties={"model": "x"}),
    )
    open_usage = await metering.counter(total, acme, window)
    closed = await close(metering, opened.id)
    closed_usage = await metering.counter(total, acme, window)
    of_ada = await metering.usage(total, ada, window)
    of_models = await metering.usage(models, acme, window)
    reverted = await revert(metering, opened.id)

    assert list(got.outcomes) == [
        event_pb2.EVENT_OUTCOME_ACCEPTED,
        event_pb2.EVENT_OUTCOME_ACCEPTED,
        event_pb2.EVENT_OUTCOME_DEDUPLICATED,
    ]
    assert opened.status == backfill_pb2.BACKFILL_STATUS_OPEN
    assert open_usage == 0
    assert (closed.status, closed.event_count) == (backfill_pb2.BACKFILL_STATUS_APPLIED, 2)
    assert (closed_usage, of_ada, of_models) == (5, 3, 2)
    assert reverted.status == backfill_pb2.BACKFILL_STATUS_REVERTED
    assert await metering.counter(total, acme, window) == 0
    assert await metering.usage(models, acme, window) == 0


@pytest.mark.spec("EVT-4")
async def test_a_replacing_backfill__voids_what_was_there_and_gives_it_back(
    metering: Metering,
) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    now = metering.clock.now()
    start, end = now - 3 * DAY, now - DAY
    at = start + timedelta(hours=5)
    await metering.record(
        event("in", acme, "10", at=at),
        event("kept", acme, "20", at=at),
        event("voided", acme, "40", at=at),
        event("out", acme, "100", at=end),
        event("foreign", umbra, "7", at=at),
    )
    await void(metering, **by_keys("voided"))
    opened = await open_backfill(metering, start, end, customer=acme, replaces_existing=True)
    got = await record_into(
        metering,
        opened.id,
        event("new", acme, "1", at=at),
        # Sent again, so it is meant to stay.
        event("kept", acme, "20", at=at),
        event("in", acme, "11", at=at),
    )

    assert await metering.counter(total, acme) == 130
    await close(metering, opened.id)
    assert await metering.counter(total, acme) == 121
    assert await metering.usage(total, acme) == 121
    assert await metering.counter(total, umbra) == 7
    await metering.record(event("late", acme, "1000", at=at))
    assert await metering.counter(total, acme) == 1121
    await revert(metering, opened.id)
    assert await metering.counter(total, acme) == 1130
    assert await metering.usage(total, acme) == 1130

    assert [error.index for error in got.errors] == [2]
    assert got.outcomes[1] == event_pb2.EVENT_OUTCOME_DEDUPLICATED


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_after_a_revert__the_same_events_can_be_sent_into_another_backfill(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    start, end = _span(metering)
    window = Interval(start, end)
    sent = [event(str(number), acme, "1", at=start + number * DAY) for number in range(5)]
    first = await open_backfill(metering, start, end)
    await record_into(metering, first.id, *sent)
    await close(metering, first.id)
    await revert(metering, first.id)

    second = await open_backfill(metering, start, end)
    got = await record_into(metering, second.id, *sent)
    await close(metering, second.id)

    assert set(got.outcomes) == {event_pb2.EVENT_OUTCOME_ACCEPTED}
    assert await metering.usage(total, acme, window) == 5
    assert await void(metering, **by_keys("0", "3")) == 2
    assert await metering.usage(total, acme, window) == 3
    # Reverting the first again changes nothing.
    await revert(metering, first.id)
    assert await metering.usage(total, acme, window) == 3


@pytest.mark.spec("EVT-4")
async def test_replacements_over_each_other__revert_in_any_order(metering: Metering) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    now = metering.clock.now()
    start, end = now - 3 * DAY, now - DAY
    await metering.record(event("o", acme, "1", at=start))
    first = await open_backfill(metering, start, end, replaces_existing=True)
    await record_into(metering, first.id, event("a", acme, "10", at=start))
    await close(metering, first.id)
    second = await open_backfill(metering, start, end, replaces_existing=True)
    await record_into(metering, second.id, event("b", acme, "100", at=start))
    await close(metering, second.id)

    assert await metering.usage(total, acme) == 100
    await revert(metering, first.id)
    assert await metering.usage(total, acme) == 100
    await revert(metering, second.id)
    assert await metering.usage(total, acme) == 1
    assert await metering.counter(total, acme) == 1


@pytest.mark.spec("EVT-4")
async def test_a_large_backfill__is_gone_through_in_steps_and_is_exact_at_each(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    start, end = _span(metering)
    window = Interval(start, end)
    at = [start + timedelta(hours=7 * number) for number in range(30)]
    opened = await open_backfill(metering, start, end)
    await record_into(
        metering, opened.id, *[event(str(number), acme, "1", at=at[number]) for number in range(30)]
    )
    with acting_as(metering.merchant_id):
        async with metering.db.writing(metering.merchant_id) as tx:
            first = await close_backfill(tx, metering.clock, opened.id, step_events=10)

    assert first.backfill.status is BackfillStatus.APPLYING
    assert await metering.usage(total, acme, window) == 10
    edge = Interval(start, at[4])
    assert await metering.usage(total, acme, edge) == 4
    with pytest.raises(InvalidInput, match="overlaps"):
        await open_backfill(metering, start, end, customer=acme)
    steps = await tasks.continue_backfills(
        metering.db, metering.events, metering.counters, metering.clock, step_events=10
    )
    assert steps == 2
    assert await metering.counter(total, acme, window) == 30

    with acting_as(metering.merchant_id):
        async with metering.db.writing(metering.merchant_id) as tx:
            some = await revert_backfill(tx, metering.clock, opened.id, "test", step_events=10)
    assert some.backfill.status is BackfillStatus.REVERTING
    assert await metering.usage(total, acme, window) == 20
    await tasks.continue_backfills(
        metering.db, metering.events, metering.counters, metering.clock, step_events=10
    )
    assert await metering.counter(total, acme, window) == 0
    assert (await revert(metering, opened.id)).status == backfill_pb2.BACKFILL_STATUS_REVERTED


@pytest.mark.spec("EVT-4", "EVT-9")
async def test_an_event_that_does_not_belong_into_a_backfill__is_refused_alone(
    metering: Metering,
) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    start, end = _span(metering)
    opened = await open_backfill(metering, start, end, customer=acme)

    got = await record_into(
        metering,
        opened.id,
        event("early", acme, at=start - timedelta(microseconds=1)),
        event("late", acme, at=end),
        event("none", acme),
        event("foreign", umbra, at=start),
        event("right", acme, at=start),
    )
    await close(metering, opened.id)

    assert [(error.index, error.field) for error in got.errors] == [
        (0, "timestamp"),
        (1, "timestamp"),
        (2, "timestamp"),
        (3, "customer_id"),
    ]
    assert got.outcomes[4] == event_pb2.EVENT_OUTCOME_ACCEPTED
    assert await metering.usage(total, acme, Interval(start, end)) == 1


@pytest.mark.spec("EVT-9")
async def test_a_backfill_into_the_future__takes_no_future_events(metering: Metering) -> None:
    acme = await metering.add_customer()
    now = metering.clock.now()
    opened = await open_backfill(metering, now - DAY, now + DAY)

    got = await record_into(
        metering,
        opened.id,
        event("now", acme, at=now),
        event("future", acme, at=now + timedelta(minutes=6)),
    )

    assert [error.index for error in got.errors] == [1]


@pytest.mark.spec("EVT-4")
async def test_what_a_backfill_cannot_do__is_refused(metering: Metering) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    start, end = _span(metering)
    of_acme = await open_backfill(metering, start, end, customer=acme)
    await open_backfill(metering, start, end, customer=umbra)
    await open_backfill(metering, end, end + DAY, customer=acme)

    with pytest.raises(InvalidInput, match="at most 31 days"):
        await open_backfill(
            metering, start - timedelta(days=40), start - timedelta(days=8, hours=23)
        )
    for customer in (None, acme):
        with pytest.raises(InvalidInput, match=r"overlaps .* close or revert"):
            await open_backfill(metering, end - DAY, end, customer=customer)
    await record_into(metering, of_acme.id, event("a", acme, at=start))
    with pytest.raises(CandelaError, match="close or revert it") as uncounted:
        await void(metering, **by_keys("a"))
    assert await void(metering, **by_filter(Interval(start, end))) == 0
    await close(metering, of_acme.id)
    await close(metering, of_acme.id)
    with pytest.raises(InvalidInput, match="is applied and cannot take events"):
        await record_into(metering, of_acme.id, event("b", acme, at=start))
    await revert(metering, of_acme.id)
    with pytest.raises(InvalidInput, match="is reverted and cannot be closed"):
        await close(metering, of_acme.id)
    with pytest.raises(CandelaError) as unknown:
        await record_into(metering, "bkf_nothing", event("c", acme, at=start))

    assert uncounted.value.reason is unknown.value.reason is Reason.EVENT_NOT_FOUND


@pytest.mark.spec("EVT-1", "EVT-4")
async def test_a_stream__may_send_chunks_into_a_backfill(metering: Metering) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    start, end = _span(metering)
    opened = await open_backfill(metering, start, end)
    window = Interval(start, metering.clock.now() + DAY)

    async def chunks() -> AsyncIterator[pb.StreamEventsRequest]:
        yield pb.StreamEventsRequest(chunk_number=1, events=[event("now", acme, "1")])
        yield pb.StreamEventsRequest(
            chunk_number=2, events=[event("then", acme, "10", at=start)], backfill_id=opened.id
        )

    with acting_as(metering.merchant_id):
        answers = [one async for one in ingestion(metering).StreamEvents(chunks(), None)]

    assert answers[-1].acknowledged_chunk_number == 2
    assert answers[-1].accepted_count == 2
    assert await metering.usage(total, acme, window) == 1
    await close(metering, opened.id)
    assert await metering.usage(total, acme, window) == 11


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_a_key_of_the_ordinary_flow__is_not_counted_again_by_a_backfill(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    total = await metering.add_metric("total", Aggregation.SUM)
    now = metering.clock.now()
    opened = await open_backfill(metering, now - DAY, now)
    at = now - timedelta(hours=1)
    await record_into(metering, opened.id, event("b", acme, "3", at=at))
    ordinary = await metering.record(event("a", acme, "5", at=at), event("b", acme, "3", at=at))
    again = await record_into(metering, opened.id, event("a", acme, "5", at=at))
    await close(metering, opened.id)

    assert ordinary.outcomes == [Outcome.ACCEPTED, Outcome.DEDUPLICATED]
    assert list(again.outcomes) == [event_pb2.EVENT_OUTCOME_DEDUPLICATED]
    assert await metering.usage(total, acme) == 8
