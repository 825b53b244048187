"""Months that are over are summed up, so that hardly any key is looked for in them (EVT-2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import Reason
from candela_server.kernel.interval import Interval
from candela_server.metering import key_filter_store, tasks
from candela_server.metering.model import Outcome
from candela_server.metering.old_keys import OldKeys
from candela_server.metering.rules.event_key import hash_of_key
from candela_server.metering.sum_up_keys import sum_up_keys

from tests.helpers.waiting import eventually
from tests.integration.metering.builders import Metering, event, start_metering

_JANUARY, _FEBRUARY, _MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)


async def _few_searched(metering: Metering) -> bool:
    keys = _keys(metering, *[f"never-{number}" for number in range(500)])
    found = metering.ingestor.old_keys.searches(keys, _JANUARY, _FEBRUARY)
    return sum(len(one.keys) for one in found) < 50


def _keys(metering: Metering, *keys: str) -> list[bytes]:
    return [hash_of_key(metering.merchant_id, key) for key in keys]


@pytest.mark.spec("EVT-2")
async def test_a_month_that_is_over__is_summed_up_once_and_asked_only_about_suspects(
    alone: Metering,
) -> None:
    acme = await alone.add_customer()
    await alone.add_metric("calls", Aggregation.COUNT)
    old = [f"old-{number}" for number in range(500)]
    await alone.record(*[event(key, acme) for key in old])
    old_keys = OldKeys(alone.events)
    fresh = _keys(alone, *[f"fresh-{number}" for number in range(500)])

    # A server whose clock is behind may still claim keys of January, as it believes.
    alone.clock.advance(datetime(2026, 2, 1, 23, 59, tzinfo=UTC))
    assert await sum_up_keys(alone.events, alone.clock.now()) == []
    [everything] = old_keys.searches(fresh, _JANUARY, _FEBRUARY)
    await old_keys.learn()
    [january] = old_keys.searches(fresh, _JANUARY, _FEBRUARY)
    alone.clock.advance(datetime(2026, 2, 2, tzinfo=UTC))
    made = await sum_up_keys(alone.events, alone.clock.now())
    again = await sum_up_keys(alone.events, alone.clock.now())
    await old_keys.learn()

    assert (made, again) == ([_JANUARY], [])
    assert (everything.keys, everything.oldest, everything.before) == (fresh, _JANUARY, _FEBRUARY)
    assert (january.keys, january.oldest, january.before) == (fresh, _JANUARY, _FEBRUARY)
    assert sum(len(one.keys) for one in old_keys.searches(fresh, _JANUARY, _FEBRUARY)) < 50
    [suspects] = old_keys.searches(_keys(alone, *old), _JANUARY, _FEBRUARY)
    assert suspects.keys == _keys(alone, *old)


@pytest.mark.spec("EVT-2")
async def test_months_without_keys__are_never_asked(alone: Metering) -> None:
    acme = await alone.add_customer()
    await alone.record(event("k", acme))
    old_keys = OldKeys(alone.events)
    keys = _keys(alone, "k", "j")

    assert old_keys.searches(keys, date(2025, 10, 1), _JANUARY) != []
    await old_keys.learn()

    assert old_keys.searches(keys, date(2025, 10, 1), _JANUARY) == []
    # A longer window, and the next month, are another question.
    assert old_keys.searches(keys, date(2025, 9, 1), _JANUARY) != []
    assert old_keys.searches(keys, date(2025, 10, 1), _FEBRUARY) != []
    await old_keys.learn()
    [january] = old_keys.searches(keys, date(2025, 9, 1), _FEBRUARY)
    assert (january.oldest, january.before) == (_JANUARY, _FEBRUARY)


@pytest.mark.spec("EVT-2")
async def test_keys_of_months_that_are_summed_up__count_once_with_their_payloads(
    alone: Metering,
) -> None:
    acme = await alone.add_customer()
    calls = await alone.add_metric("calls", Aggregation.COUNT)
    at = alone.clock.now()
    old = [event(f"old-{number}", acme, at=at) for number in range(200)]
    await alone.record(*old)
    alone.clock.advance(at + timedelta(days=33))
    await sum_up_keys(alone.events, alone.clock.now())
    other = await start_metering(
        alone.db, alone.events, alone.clock, alone.redis, alone.merchant_id
    )
    alone.more.append(other)

    for run in range(4):
        fresh = [event(f"{run}-{number}", acme, at=at) for number in range(200)]
        got = await other.record(*fresh, *old)
        assert got.outcomes == [Outcome.ACCEPTED] * 200 + [Outcome.DEDUPLICATED] * 200
        # What the first flush asked for is learned; from then on hardly any fresh key is looked for.
        await eventually(lambda: _few_searched(other))
    changed = await other.record(event("old-7", acme, "2", at=at))

    assert changed.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    window = Interval(at - timedelta(hours=1), at + timedelta(hours=1))
    assert await other.usage(calls, acme, window) == 1000


@pytest.mark.spec("EVT-2")
async def test_a_filter__goes_with_the_keys_of_its_month(alone: Metering) -> None:
    acme = await alone.add_customer()
    await alone.record(event("k", acme))
    alone.clock.advance(datetime(2026, 3, 3, tzinfo=UTC))
    await alone.record(event("j", acme))
    await tasks.prepare_partitions(alone.events, alone.clock)

    assert await sum_up_keys(alone.events, alone.clock.now()) == [_JANUARY]
    alone.clock.advance(datetime(2026, 5, 3, tzinfo=UTC))
    await tasks.drop_old_keys(alone.events, alone.clock, timedelta(days=36))

    async with alone.events.reader() as connection:
        assert await key_filter_store.list_filtered_months(connection) == set()
    assert await sum_up_keys(alone.events, alone.clock.now()) == [_MARCH, date(2026, 4, 1)]


@pytest.mark.spec("EVT-2")
async def test_summing_up__reads_each_page_of_a_month_once(alone: Metering) -> None:
    """By ranges of pages; a scan of the whole month for each piece would take hours of a large one."""
    acme = await alone.add_customer()
    await alone.record(*[event(f"k{number}", acme) for number in range(1000)])
    async with alone.events.reader() as connection:
        [(month, pages)] = await key_filter_store.list_key_months(connection)
        cursor = await connection.execute(
            """
            EXPLAIN SELECT string_agg(uuid_send(key_hash), ''::bytea) FROM event_key
            WHERE claim_month = %s AND ctid >= %s::tid AND ctid < %s::tid
            """,
            [month, "(0,0)", "(1,0)"],
        )
        plan = "\n".join(row[0] for row in await cursor.fetchall())
        halves = [
            await key_filter_store.read_keys(connection, month, first, pages // 2 + 1)
            for first in (0, pages // 2 + 1)
        ]

    assert "Tid Range Scan" in plan
    keys = b"".join(halves)
    assert {keys[at : at + 16] for at in range(0, len(keys), 16)} == set(
        _keys(alone, *[f"k{number}" for number in range(1000)])
    )
    assert len(keys) == 16 * 1000
