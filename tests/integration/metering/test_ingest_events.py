"""Ingestion against real servers: once, durable, each event by itself (EVT-1 … EVT-3, EVT-9)."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import Reason
from candela_server.kernel.interval import Interval
from candela_server.metering.key_store import copy_keys
from candela_server.metering.model import BatchTooLargeError, Outcome
from candela_server.metering.rules.bucket import to_microseconds
from candela_server.metering.rules.dedupe import claim_months
from candela_server.metering.rules.event_key import hash_of_key

from tests.helpers.blocking import until_waiting
from tests.helpers.prepared import ANY_EVENT
from tests.integration.metering.builders import Metering, event, start_metering

ACCEPTED, DEDUPLICATED, REJECTED = Outcome.ACCEPTED, Outcome.DEDUPLICATED, Outcome.REJECTED


@pytest.mark.spec("EVT-1", "EVT-12")
async def test_events_of_a_customer__are_counted_and_summed(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    tokens = await metering.add_metric("tokens", Aggregation.SUM, event_names=["ai-token"])

    recorded = await metering.record(
        event("a", acme),
        event("b", acme, "2"),
        event("c", acme, "1200.000000000001", name="ai-token"),
        event("d", acme, "-0.5", name="ai-token"),
    )

    assert recorded.outcomes == [ACCEPTED] * 4
    assert await metering.usage(calls, acme) == 2
    assert await metering.usage(tokens, acme) == Decimal("1199.500000000001")
    assert await metering.counter(calls, acme) == 2
    assert await metering.counter(tokens, acme) == Decimal("1199.500000000001")


@pytest.mark.spec("EVT-2")
async def test_a_batch_sent_twice__counts_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    batch = [event(f"k{number}", acme) for number in range(50)]

    first = await metering.record(*batch)
    second = await metering.record(*batch)

    assert first.outcomes == [ACCEPTED] * 50
    assert second.outcomes == [DEDUPLICATED] * 50
    assert await metering.usage(calls, acme) == 50


@pytest.mark.spec("EVT-2")
async def test_the_same_key_with_another_payload__is_a_conflict_and_the_first_stands(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    at = metering.clock.now() - timedelta(days=1)
    await metering.record(event("k", acme, "5", at=at))

    other_value = await metering.record(event("k", acme, "6", at=at))
    other_time = await metering.record(event("k", acme, "5", at=at + timedelta(hours=1)))
    same = await metering.record(event("k", acme, "5.0", at=at))

    assert other_value.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    assert other_time.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    assert same.outcomes == [DEDUPLICATED]
    assert await metering.usage(tokens, acme) == 5


@pytest.mark.spec("EVT-2")
async def test_a_key_twice_in_one_batch__counts_once_and_reports_each(metering: Metering) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)

    got = await metering.record(
        event("k", acme, "5"), event("k", acme, "5"), event("k", acme, "7"), event("j", acme, "1")
    )

    assert got.outcomes == [ACCEPTED, DEDUPLICATED, REJECTED, ACCEPTED]
    assert [(one.index, one.reason) for one in got.rejections] == [(2, Reason.EVENT_KEY_CONFLICT)]
    assert await metering.usage(tokens, acme) == 6


@pytest.mark.spec("EVT-3")
async def test_bad_events_among_good_ones__are_rejected_by_index_alone(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    now = metering.clock.now()
    unknown = event("k7", acme)
    unknown.customer_id = "cus_00000000000000000000000000"
    deep = event("k8", acme)
    deep.properties_json = b'{"a":' * 2000 + b"1" + b"}" * 2000
    nul = event("k9", acme)
    nul.properties_json = b'{"a":"\\u0000"}'

    got = await metering.record(
        event("", acme),
        event("good-1", acme),
        event("k2", acme, "NaN"),
        event("k3", acme, "1" * 39),
        event("k4", acme, at=now + timedelta(minutes=6)),
        event("k5", acme, at=now - timedelta(days=36)),
        event("x" * 256, acme),
        unknown,
        deep,
        nul,
        event("k10", acme, properties={"nested": {"a": 1}}),
        event("k11", acme, ""),
        event("good-2", acme, at=now + timedelta(minutes=4)),
    )

    assert [number for number, one in enumerate(got.outcomes) if one is ACCEPTED] == [1, 12]
    assert {one.index: (one.reason, one.field) for one in got.rejections} == {
        0: (Reason.INVALID_FIELD, "idempotency_key"),
        2: (Reason.INVALID_FIELD, "value"),
        3: (Reason.INVALID_FIELD, "value"),
        4: (Reason.EVENT_TOO_EARLY, "timestamp"),
        5: (Reason.EVENT_TOO_LATE, "timestamp"),
        6: (Reason.INVALID_FIELD, "idempotency_key"),
        7: (Reason.CUSTOMER_NOT_FOUND, "customer_id"),
        8: (Reason.INVALID_FIELD, "properties_json"),
        9: (Reason.INVALID_FIELD, "properties_json"),
        10: (Reason.INVALID_FIELD, "properties_json"),
        11: (Reason.INVALID_FIELD, "value"),
    }
    assert await metering.usage(calls, acme) == 2


@pytest.mark.spec("EVT-1")
async def test_a_batch_of_10001__is_refused_and_nothing_is_stored(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)

    with pytest.raises(BatchTooLargeError):
        await metering.record(*[event(f"k{number}", acme) for number in range(10_001)])

    assert await metering.usage(calls, acme) == 0


@pytest.mark.spec("EVT-2")
async def test_two_servers_with_the_same_keys_at_once__count_each_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    other = await start_metering(
        metering.db, metering.events, metering.clock, metering.redis, metering.merchant_id
    )
    metering.more.append(other)
    batches = [
        [event(f"k{start + number}", acme, "3") for number in range(200)]
        for start in range(0, 2000, 100)  # neighbours share half of their keys
    ]

    got = await asyncio.gather(
        *[server.record(*batch) for batch in batches for server in (metering, other)],
        *[server.record(*reversed(batch)) for batch in batches for server in (other, metering)],
    )

    assert sum(one.outcomes.count(ACCEPTED) for one in got) == 2100
    assert sum(one.outcomes.count(REJECTED) for one in got) == 0
    assert await metering.usage(tokens, acme) == 6300
    assert await metering.counter(tokens, acme) == 6300
    assert await other.counter(tokens, acme) == 6300


@pytest.mark.spec("EVT-2")
@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_key_that_another_writer_is_taking__waits_for_what_becomes_of_it(
    metering: Metering, is_kept: bool
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    await metering.record(event("before", acme, "3"))
    now = metering.clock.now()
    # Another server's flush, stopped before its commit.
    async with metering.events.writer() as other, other.transaction(force_rollback=not is_kept):
        key = hash_of_key(metering.merchant_id, "disputed")
        taking = ANY_EVENT._replace(key_hash=key, happened_us=to_microseconds(now))
        for month in claim_months(now).claimed:
            await copy_keys(other, [taking], month)
        waiting = asyncio.create_task(
            metering.record(event("disputed", acme, "4"), event("free", acme, "5"))
        )
        await until_waiting(metering.db.url, other.info.backend_pid)
        assert not waiting.done()
    got = await waiting

    assert got.outcomes == [REJECTED if is_kept else ACCEPTED, ACCEPTED]
    assert await metering.usage(tokens, acme) == (8 if is_kept else 12)
    assert await metering.counter(tokens, acme) == (8 if is_kept else 12)


@pytest.mark.spec("EVT-2")
async def test_a_key_near_the_border_of_two_months__is_taken_in_both_and_found_behind_it(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM)
    border = datetime(2026, 2, 1, tzinfo=UTC)
    metering.clock.advance(border - timedelta(minutes=10))
    sent = event("once", acme, "3", at=metering.clock.now())

    first = await metering.record(sent)
    metering.clock.advance(border + timedelta(minutes=10))
    again = await metering.record(sent)

    assert (first.outcomes, again.outcomes) == ([ACCEPTED], [DEDUPLICATED])
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            "SELECT claim_month FROM event_key WHERE key_hash = %s ORDER BY claim_month",
            [UUID(bytes=hash_of_key(metering.merchant_id, "once"))],
        )
        assert await cursor.fetchall() == [(date(2026, 1, 1),), (date(2026, 2, 1),)]
    assert await metering.usage(tokens, acme) == 3


@pytest.mark.spec("EVT-1", "ENT-7")
async def test_events_of_users__count_for_the_user_and_the_customer(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    ada = await metering.add_user(acme, "ada")
    bob = await metering.add_user(acme)
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    by_external_ids = event("k0", acme)
    by_external_ids.external_customer_id = "acme"
    by_external_ids.external_user_id = "ada"

    got = await metering.record(
        by_external_ids, event("k1", ada), event("k2", bob), event("k3", acme)
    )

    assert got.outcomes == [ACCEPTED] * 4
    assert await metering.usage(calls, ada) == 2
    assert await metering.usage(calls, bob) == 1
    assert await metering.usage(calls, acme) == 4
    assert await metering.counter(calls, ada) == 2
    assert await metering.counter(calls, acme) == 4


@pytest.mark.spec("EVT-3")
async def test_a_user_of_another_customer__is_rejected(metering: Metering) -> None:
    acme = await metering.add_customer()
    globex = await metering.add_customer()
    ada = await metering.add_user(acme)
    mixed = event("k", globex)
    mixed.user_id = ada.id

    got = await metering.record(mixed)

    assert got.rejections[0].reason is Reason.USER_NOT_FOUND


@pytest.mark.spec("EVT-10")
async def test_a_metric_made_while_events_flow__misses_none(metering: Metering) -> None:
    acme = await metering.add_customer()
    first = await metering.add_metric("first", Aggregation.COUNT)
    await metering.record(event("k1", acme))

    second = await metering.add_metric("second", Aggregation.COUNT)
    await metering.record(event("k2", acme))

    assert await metering.usage(first, acme) == 2
    assert await metering.usage(second, acme) == 2
    assert await metering.counter(second, acme) == 2


@pytest.mark.spec("EVT-9")
@pytest.mark.parametrize("days_late", [0, 32], ids=["of this month", "of the month before"])
async def test_a_timestamp_without_partition__makes_one(metering: Metering, days_late: int) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    metering.clock.advance(metering.clock.now() + timedelta(days=4000 + 100 * days_late))
    now = metering.clock.now()
    late = now - timedelta(days=days_late)

    got = await metering.record(event("k1", acme), event("k2", acme, at=late))

    assert got.outcomes == [ACCEPTED] * 2
    window = Interval(late - timedelta(hours=1), now + timedelta(hours=1))
    assert await metering.usage(calls, acme, window) == 2


@pytest.mark.spec("EVT-1")
async def test_a_name_that_no_metric_reads__is_accepted_and_listed(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.add_metric("calls", Aggregation.COUNT)

    got = await metering.record(
        event("k1", acme, name="api-cal"), event("k2", acme, name="api-cal")
    )

    assert got.outcomes == [ACCEPTED] * 2
    async with metering.db.reading(metering.merchant_id) as tx:
        rows = await tx.fetch(
            "SELECT name, event_count FROM unmatched_event_name WHERE merchant_id = $1",
            tx.merchant_id,
        )
    assert [tuple(row) for row in rows] == [("api-cal", 2)]
