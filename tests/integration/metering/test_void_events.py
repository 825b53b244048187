"""Voiding: what counts no longer, what a preview says of it, and that nothing else changes (EVT-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import InvalidInput, NotFound, Reason
from candela_server.kernel.interval import Interval
from candela_server.metering import correction_store, store, void_events
from candela_server.metering.find_events import key_hash
from candela_server.metering.model import Outcome
from candela_server.storage.mutation import IdempotencyMismatchError

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import BUILT_IN, Metering, event
from tests.integration.metering.correcting import by_filter, by_keys, preview, void

QUARTER = timedelta(minutes=15)


@pytest.mark.spec("EVT-4")
async def test_a_voided_event__counts_no_longer_anywhere(metering: Metering) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    metrics = {
        aggregation: await metering.add_metric(
            aggregation.value.replace("_", "-"),
            aggregation,
            property_name="model" if aggregation is Aggregation.UNIQUE else None,
        )
        for aggregation in BUILT_IN
    }
    at = metering.clock.now() - timedelta(hours=1)
    await metering.record(
        event("a", acme, "2", at=at, properties={"model": "x"}),
        event("b", ada, "7", at=at + timedelta(seconds=1), properties={"model": "y"}),
        event("c", ada, "3", at=at + timedelta(seconds=1), properties={"model": "x"}),
    )
    # So that the live counters are there and must follow.
    assert await metering.counter(metrics[Aggregation.SUM], acme) == 12

    assert await void(metering, **by_keys("b")) == 1

    want = {
        Aggregation.COUNT: 2,
        Aggregation.SUM: 5,
        Aggregation.AVERAGE: Decimal("2.5"),
        Aggregation.MIN: 2,
        Aggregation.MAX: 3,
        Aggregation.LAST: 3,
        Aggregation.UNIQUE: 1,
    }
    whole_hours = Interval(at - timedelta(hours=2), at + timedelta(hours=2))
    for aggregation, value in want.items():
        metric = metrics[aggregation]
        assert await metering.counter(metric, acme) == value, aggregation
        assert await metering.usage(metric, acme) == value, aggregation
        assert await metering.usage(metric, acme, whole_hours) == value, aggregation
    assert await metering.usage(metrics[Aggregation.SUM], ada) == 3
    assert await metering.counter(metrics[Aggregation.UNIQUE], ada) == 1


@pytest.mark.spec("EVT-4")
async def test_all_events_of_a_quarter_hour_voided__leave_nothing_behind(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    most = await metering.add_metric("most", Aggregation.MAX)
    await metering.record(event("a", acme, "-5"))

    await void(metering, **by_keys("a"))

    assert await metering.usage(most, acme) == 0
    async with metering.db.reading(metering.merchant_id) as tx:
        rows = await tx.fetch(
            "SELECT bucket_at FROM usage_rollup WHERE merchant_id = $1", metering.merchant_id
        )
    assert rows == []


@pytest.mark.spec("EVT-2", "EVT-4")
async def test_a_voided_key__stays_taken(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    at = metering.clock.now()
    await metering.record(event("a", acme, at=at))
    await void(metering, **by_keys("a"))

    again = await metering.record(event("a", acme, at=at))
    other = await metering.record(event("a", acme, "9", at=at))

    assert again.outcomes == [Outcome.DEDUPLICATED]
    assert other.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    assert await metering.counter(calls, acme) == 0
    assert await void(metering, **by_keys("a")) == 0


@pytest.mark.spec("EVT-4")
async def test_an_unknown_key__voids_nothing(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme))

    with pytest.raises(NotFound) as refused:
        await void(metering, **by_keys("a", "nobody"))

    assert refused.value.reason is Reason.EVENT_NOT_FOUND
    assert "'nobody'" in refused.value.message
    assert await metering.usage(calls, acme) == 1


@pytest.mark.spec("EVT-4")
async def test_another_merchants_key__is_unknown(
    metering: Metering, other_metering: Metering
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme))

    with pytest.raises(NotFound):
        await void(other_metering, **by_keys("a"))
    window = metering.window()

    assert await void(other_metering, **by_filter(window)) == 0
    assert await metering.usage(calls, acme) == 1


@pytest.mark.spec("EVT-4")
async def test_a_filter__voids_exactly_what_its_preview_said(metering: Metering) -> None:
    acme, umbra = await metering.add_customer(), await metering.add_customer()
    tokens = await metering.add_metric("tokens", Aggregation.SUM, event_names=["ai-token"])
    most = await metering.add_metric("most", Aggregation.MAX, event_names=["ai-token"])
    models = await metering.add_metric(
        "models", Aggregation.UNIQUE, event_names=["ai-token"], property_name="model"
    )
    end = metering.clock.now().replace(minute=0)
    start = end - timedelta(hours=3)
    await metering.record(
        event("before", acme, "1", name="ai-token", at=start - timedelta(microseconds=1)),
        event("first", acme, "2", name="ai-token", at=start, properties={"model": "x"}),
        event("last", acme, "3", name="ai-token", at=end - timedelta(microseconds=1)),
        event("end", acme, "4", name="ai-token", at=end, properties={"model": "x"}),
        event("other-name", acme, "5", name="api-call", at=start),
        event("other-customer", umbra, "6", name="ai-token", at=start),
        # In a touched quarter-hour, and in one between the touched ones.
        event("small", acme, "0.5", name="ai-token", at=end, properties={"model": "y"}),
        event("same-quarter", acme, "1.5", name="ai-token", at=end - 2 * QUARTER),
    )
    target = by_filter(Interval(start, end), customer=acme, names=["ai-token"])

    told = await preview(metering, **target)
    before = await metering.usage(tokens, acme)
    count = await void(metering, **target)

    assert (told.event_count, count) == (3, 3)
    span = Interval(start, end)
    by_metric = {change.metric_id: change for change in told.changes}
    assert (by_metric[tokens.id].value_before, by_metric[tokens.id].value_after) == ("6.5", "0")
    assert (by_metric[most.id].value_before, by_metric[most.id].value_after) == ("3", "0")
    assert (by_metric[models.id].value_before, by_metric[models.id].value_after) == ("1", "0")
    assert {change.customer_id for change in told.changes} == {acme.id}
    assert await metering.usage(tokens, acme, span) == 0
    assert before - await metering.usage(tokens, acme) == Decimal("6.5")
    assert await metering.usage(tokens, umbra) == 6


@pytest.mark.spec("EVT-4")
async def test_a_preview_by_key__reads_what_stays_in_the_same_quarter_hour(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    await metering.add_metric("most", Aggregation.MAX)
    same = await metering.add_metric("last", Aggregation.LAST)
    at = metering.clock.now() - timedelta(hours=1)
    await metering.record(
        event("a", acme, "9", at=at),
        event("b", acme, "4", at=at + timedelta(seconds=1)),
        event("c", acme, "5", at=at + 3 * QUARTER),
        event("d", acme, "1", at=at),
    )

    told = await preview(metering, **by_keys("a", "c", "a"))

    assert told.event_count == 2
    rows = {change.metric_id: (change.value_before, change.value_after) for change in told.changes}
    assert sorted(rows.values()) == [("5", "4"), ("9", "4")]
    assert rows[same.id] == ("5", "4")
    assert await metering.usage(same, acme) == 5


@pytest.mark.spec("EVT-4")
async def test_too_wide_a_filter__is_refused_and_says_what_to_do(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(*[event(str(number), acme) for number in range(4)])
    monkeypatch.setattr(void_events, "MAX_VOIDED_EVENTS", 3)
    now = metering.clock.now()

    with pytest.raises(InvalidInput, match="shorter window"):
        await void(metering, **by_filter(metering.window()))
    with pytest.raises(InvalidInput, match="at most 92 days") as too_long:
        await void(metering, **by_filter(Interval(now - timedelta(days=93), now)))
    with pytest.raises(InvalidInput) as nothing:
        await void(metering)
    with pytest.raises(InvalidInput) as empty:
        await void(metering, **by_keys())

    assert [one.field for one in too_long.value.violations] == ["filter.window"]
    assert [one.field for one in nothing.value.violations] == ["target"]
    assert [one.field for one in empty.value.violations] == ["idempotency_keys"]
    assert await metering.usage(calls, acme) == 4


@pytest.mark.spec("AUD-1", "AUD-2", "EVT-4")
async def test_a_repeated_void__answers_the_same_and_is_audited_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme), event("b", acme))

    first = await void(metering, "k", **by_keys("a"))
    again = await void(metering, "k", **by_keys("a"))
    with pytest.raises(IdempotencyMismatchError):
        await void(metering, "k", **by_keys("b"))

    assert (first, again) == (1, 1)
    async with metering.db.reading(metering.merchant_id) as tx:
        entries = await tx.fetch(
            """
            SELECT actor, reason, after FROM audit_entry
            WHERE merchant_id = $1 AND action = 'events.voided'
            """,
            metering.merchant_id,
        )
    assert [(entry["actor"], entry["reason"]) for entry in entries] == [("tests", "sent in error")]
    assert entries[0]["after"] == {"event_count": 1, "idempotency_keys": ["a"]}


@pytest.mark.spec("EVT-4")
async def test_a_void__leaves_the_fact_of_whose_usage_changed(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.add_metric("others", Aggregation.COUNT, event_names=["other"])
    now = metering.clock.now()
    await metering.record(
        event("a", acme, at=now - timedelta(days=20, minutes=1)), event("b", acme)
    )

    await void(metering, **by_keys("a", "b"))

    async with metering.db.reading(metering.merchant_id) as tx:
        facts = await correction_store.list_corrected_usage(
            tx, since=now, customer_id=acme.id, limit=10
        )
        none = await correction_store.list_corrected_usage(
            tx, since=now + timedelta(seconds=1), customer_id=None, limit=10
        )
    [fact] = facts
    assert (fact.metric_id, fact.customer_id, fact.corrected_at) == (calls.id, acme.id, now)
    assert fact.window == Interval(now - timedelta(days=20, minutes=15), now + QUARTER)
    assert none == []


@pytest.mark.spec("EVT-4")
async def test_keys_of_an_older_release__are_found_by_a_search(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme, at=metering.clock.now() - timedelta(days=30)))
    async with metering.events.writer() as connection:
        await connection.execute("SET LOCAL ROLE NONE")
        await connection.execute(
            "UPDATE event_key SET happened_at = NULL WHERE key_hash = %s",
            [key_hash(metering.merchant_id, "a")],
        )

    assert await void(metering, **by_keys("a")) == 1
    assert await metering.usage(calls, acme) == 0


@pytest.mark.spec("EVT-4", "EVT-10")
async def test_a_metric_made_after_a_void__reads_a_history_without_it(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.record(event("a", acme, "2"), event("b", acme, "3"))
    await void(metering, **by_keys("a"))

    total = await metering.add_metric("total", Aggregation.SUM)
    await metering.record(event("c", acme, "4"))

    assert await metering.counter(total, acme) == 7
    assert await metering.usage(total, acme) == 7


@pytest.mark.spec("ENT-4", "EVT-4")
async def test_a_process_that_dies_after_the_commit__leaves_no_stale_counter(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme))
    assert await metering.counter(calls, acme) == 1
    assert await metering.counter(calls, acme) == 1
    with acting_as(metering.merchant_id):
        async with metering.db.writing(metering.merchant_id) as tx:
            await void_events.void_events(
                tx,
                metering.clock,
                void_events.VoidEvents(target=void_events.ByKeys(("a",)), reason="test"),
            )
    assert await metering.counter(calls, acme) == 1  # nobody told the counters

    assert await metering.counters.reconcile(grace=timedelta(0))

    assert await metering.counter(calls, acme) == 0


@pytest.mark.spec("EVT-4")
async def test_a_told_void__leaves_no_writer_behind(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.record(event("a", acme))
    async with metering.events.writer() as connection:
        before = await store.list_writers(connection)
    await void(metering, **by_keys("a"))
    async with metering.events.writer() as connection:
        after = await store.list_writers(connection)
    assert [number for number, _, _ in after] == [number for number, _, _ in before]
