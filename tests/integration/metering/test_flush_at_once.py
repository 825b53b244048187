"""Small flushes take one round trip: they store what others store, and refuse what others refuse (EVT-2, EVT-3)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import pytest

from candela_server.catalog.model import Aggregation, UniqueOf
from candela_server.customer.model import Customer, User
from candela_server.metering import flush_at_once, new_event_store, store
from candela_server.metering.model import Outcome

from tests.integration.metering.builders import Metering, event

_MODELS: Final = ("grand", "petit", "grand")


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How events were appended, one after the other."""
    taken: list[str] = []
    for way in ("insert_events", "copy_events"):
        append = getattr(new_event_store, way)

        async def note(*args: Any, way: str = way, append: Any = append) -> None:
            taken.append(way)
            await append(*args)

        monkeypatch.setattr(new_event_store, way, note)
    return taken


@pytest.fixture(params=[True, False], ids=["at once", "in steps"])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether small flushes take one round trip: both ways."""
    if not request.param:
        monkeypatch.setattr(flush_at_once, "AT_ONCE", 0)
    return bool(request.param)


@pytest.mark.spec("EVT-1", "EVT-7")
async def test_a_small_flush__stores_in_one_statement_what_steps_store(
    metering: Metering, monkeypatch: pytest.MonkeyPatch, ways: list[str]
) -> None:
    await metering.add_metric("calls", Aggregation.COUNT)
    await metering.add_metric("tokens", Aggregation.SUM, group_by=["model"])
    await metering.add_metric("who", Aggregation.UNIQUE, unique_of=UniqueOf.USER)
    acme, bolt = await metering.add_customer(), await metering.add_customer()
    ada, bob = await metering.add_user(acme), await metering.add_user(bolt)

    await metering.record(*_of_every_kind(metering, "a", acme, ada))
    monkeypatch.setattr(flush_at_once, "AT_ONCE", 0)
    await metering.record(*_of_every_kind(metering, "b", bolt, bob))

    assert ways == ["insert_events", "copy_events"]
    at_once, in_steps = await _stored(metering, acme), await _stored(metering, bolt)
    assert len(at_once) > 20
    assert at_once == in_steps


@pytest.mark.spec("EVT-10")
async def test_a_metric_that_another_server_made__counts_the_flush_that_did_not_know_it(
    metering: Metering, ways: list[str], *, at_once: bool
) -> None:
    acme = await metering.add_customer()
    before = await metering.add_metric("before", Aggregation.COUNT)
    await metering.record(event("k1", acme))
    known = (await metering.directory.book(metering.merchant_id)).metric_version
    made = await metering.add_metric("made", Aggregation.COUNT)
    assert (await metering.directory.book(metering.merchant_id)).metric_version == known

    got = await metering.record(event("k2", acme))

    assert got.outcomes == [Outcome.ACCEPTED]
    assert ways[-1] == ("insert_events" if at_once else "copy_events")
    assert await metering.usage(before, acme) == await metering.usage(made, acme) == 2
    assert await metering.counter(made, acme) == 2


@pytest.mark.spec("EVT-3")
async def test_a_writer_that_was_forgotten__registers_again_and_counts_once(
    alone: Metering, ways: list[str], *, at_once: bool
) -> None:
    acme = await alone.add_customer()
    calls = await alone.add_metric("calls", Aggregation.COUNT)
    await alone.record(event("k1", acme))
    assert ways == ["insert_events" if at_once else "copy_events"]
    async with alone.events.writer() as connection:
        await store.forget_writers(connection, alone.clock.now() + timedelta(days=1))
        assert await store.list_writers(connection) == []

    got = await alone.record(event("k1", acme), event("k2", acme))

    assert got.outcomes == [Outcome.DEDUPLICATED, Outcome.ACCEPTED]
    assert await alone.usage(calls, acme) == await alone.counter(calls, acme) == 2
    async with alone.events.reader() as connection:
        assert len(await store.list_writers(connection)) == 1


@pytest.mark.spec("EVT-2")
async def test_keys_that_an_older_month_might_hold__are_asked_for_on_the_way(
    metering: Metering, monkeypatch: pytest.MonkeyPatch, ways: list[str]
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("old", acme))
    metering.clock.advance(metering.clock.now() + timedelta(days=40))
    ways.clear()

    def suspect_all(keys: Sequence[bytes], oldest: date, before: date) -> list[store.KeySearch]:
        return [store.KeySearch(keys, oldest, before)]

    monkeypatch.setattr(metering.ingestor.old_keys, "searches", suspect_all)
    fresh = await metering.record(event("fresh", acme))
    again = await metering.record(event("old", acme, "7"), event("new", acme))

    assert fresh.outcomes == [Outcome.ACCEPTED]
    assert again.outcomes == [Outcome.REJECTED, Outcome.ACCEPTED]
    # The last one was refused by the database, and then looked before it copied.
    assert (ways[0], ways[-1]) == ("insert_events", "copy_events")
    async with metering.events.reader() as connection:
        # stored-events: whether they are there, not whether they count
        cursor = await connection.execute(
            "SELECT count(*) FROM event WHERE merchant_id = %s", [metering.merchant_id]
        )
        assert await cursor.fetchone() == (3,)
    assert await metering.counter(calls, acme) == 2


def _of_every_kind(metering: Metering, run: str, customer: Customer, user: User) -> list[Any]:
    """Events with and without each of what may be left out, late ones, twice a key, and a name that nobody reads."""
    now = metering.clock.now()
    return [
        event(f"{run}-plain", customer),
        event(f"{run}-user", user, "1.50", at=now - timedelta(seconds=11)),
        event(f"{run}-less", user, "-0.000000000001", at=now - timedelta(seconds=12)),
        event(f"{run}-late", user, "123456789012345678.5", at=now - timedelta(days=3, minutes=7)),
        event(f"{run}-plain", customer),
        event(f"{run}-ünread ☃", customer, name="nobody-reads"),
        *[
            event(
                f"{run}-{number}",
                user if number % 2 else customer,
                str(number),
                at=now - timedelta(minutes=number, seconds=13),
                properties={"model": model, "deep": {"er": [number, None]}},
            )
            for number, model in enumerate(_MODELS)
        ],
    ]


async def _stored(metering: Metering, customer: Customer) -> list[tuple[Any, ...]]:
    """All that is stored of a customer, without what names it, its users and the run of its keys."""
    async with metering.events.reader() as connection:
        rows: list[tuple[Any, ...]] = []
        for query in (
            # stored-events: the rows themselves
            """
            SELECT substr(e.idempotency_key, 2), e.name, e.happened_at, e.value, e.user_id IS NULL,
                   e.properties::text, e.received_at, k.claim_month, k.happened_at, e.backfill_id
            FROM event e JOIN event_key k ON k.key_hash = e.key_hash
            WHERE e.merchant_id = %s AND e.customer_id = %s ORDER BY 1, 8
            """,
            """
            SELECT r.metric_id, r.user_id = '', r.dimension, r.bucket_at, r.event_count, r.value_sum, r.value_min,
                   r.value_max, r.last_at, r.last_value, r.value_time
            FROM usage_rollup r
            WHERE r.merchant_id = %s AND r.customer_id = %s ORDER BY 1, 2, 3, 4
            """,
            """
            SELECT bucket_at, user_id = '', count(*) FROM usage_distinct
            WHERE merchant_id = %s AND customer_id = %s GROUP BY 1, 2 ORDER BY 1, 2
            """,
            "SELECT metric_id, on_day FROM late_usage WHERE merchant_id = %s AND customer_id = %s ORDER BY 1, 2",
        ):
            cursor = await connection.execute(query, [metering.merchant_id, customer.id])
            rows += await cursor.fetchall()
    return rows
