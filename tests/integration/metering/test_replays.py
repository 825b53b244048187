"""Events that were kept apart are replayed: each counts once, or says why not (EVT-11)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.type.v1 import error_reason_pb2

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import InvalidInput, NotFound, Reason
from candela_server.merchant.model import UnmatchedNamePolicy
from candela_server.metering import replay_rejected_events
from candela_server.metering.model import Outcome

from tests.integration.metering.builders import Metering, event
from tests.integration.metering.correcting import ingestion
from tests.integration.metering.letters import choose, letters, of, replay

_ACCEPTED = event_pb2.EVENT_OUTCOME_ACCEPTED
_DEDUPLICATED = event_pb2.EVENT_OUTCOME_DEDUPLICATED
_HELD = event_pb2.EVENT_OUTCOME_HELD
pytestmark = pytest.mark.usefixtures("called_by_merchant")


@pytest.mark.spec("EVT-11", "EVT-2", "AUD-2")
async def test_replay__counts_once_what_can_be_counted_and_says_what_became_of_each(
    metering: Metering,
) -> None:
    calls = await metering.add_metric("tokens", Aggregation.SUM)
    await choose(metering)
    await metering.record(of("late", "a", "2"), of("late", "b", "3"), of("never", "c"))
    ids = [one.id for one in await letters(metering)]
    late = await metering.add_customer("late")

    first = await replay(metering, "r1", *ids)
    repeated = await replay(metering, "r1", *ids)
    again = await replay(metering, "r2", *ids)
    rest = await replay(metering, "r3")
    sent_again = await metering.record(of("late", "a", "2"), of("late", "b", "4"))

    assert (first.accepted_count, first.deduplicated_count, first.held_count) == (2, 0, 1)
    assert [one.rejected_event_id for one in first.results] == ids
    assert [one.outcome for one in first.results] == [_ACCEPTED, _ACCEPTED, _HELD]
    assert first.results[2].error.reason == error_reason_pb2.ERROR_REASON_CUSTOMER_NOT_FOUND
    assert repeated == first
    assert [one.outcome for one in again.results] == [_DEDUPLICATED, _DEDUPLICATED, _HELD]
    assert (rest.held_count, [one.rejected_event_id for one in rest.results]) == (1, ids[2:])
    assert sent_again.outcomes == [Outcome.DEDUPLICATED, Outcome.REJECTED]
    assert await metering.usage(calls, late) == 5
    assert await metering.counter(calls, late) == 5
    assert [one.id for one in await letters(metering)] == ids[2:]
    all_of_them = await letters(metering, include_replayed=True)
    assert [one.HasField("replayed_at") for one in all_of_them] == [True, True, False]


@pytest.mark.spec("EVT-11")
async def test_many_replays_at_once__count_each_event_once(metering: Metering) -> None:
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await choose(metering)
    await metering.record(*[of("late", f"k{number}") for number in range(1500)])
    late = await metering.add_customer("late")

    got = await asyncio.gather(
        *[replay(metering, f"r{number}") for number in range(4)],
        metering.record(*[of("late", f"k{number}") for number in range(500)]),
    )

    replays = got[:4]
    sent = got[4].outcomes
    assert sum(one.accepted_count for one in replays) + sent.count(Outcome.ACCEPTED) == 1500
    assert sum(one.held_count for one in replays) == 0
    assert await metering.usage(calls, late) == 1500
    assert await letters(metering) == []


@pytest.mark.spec("EVT-11", "EVT-9")
async def test_replayed_event__is_as_late_as_when_it_first_came(metering: Metering) -> None:
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await choose(metering)
    came = metering.clock.now()
    old = of("late", "old")
    old.timestamp.FromDatetime(came - timedelta(days=34))
    too_old = of("late", "too old")
    too_old.timestamp.FromDatetime(came - timedelta(days=36))
    got = await metering.record(old, too_old, of("late", "whenever"))
    late = await metering.add_customer("late")

    metering.clock.advance(came + timedelta(days=20))
    replayed = await replay(metering, "r1")

    assert got.outcomes == [Outcome.HELD, Outcome.REJECTED, Outcome.HELD]
    assert got.rejections[1].reason is Reason.EVENT_TOO_LATE
    assert replayed.accepted_count == 2
    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            """
            SELECT idempotency_key, happened_at, received_at FROM event
            WHERE merchant_id = %s AND customer_id = %s ORDER BY happened_at
            """,
            [metering.merchant_id, late.id],
        )
        rows = await cursor.fetchall()
    # What had no timestamp happened when it first came; both were taken in now, after what was invoiced meanwhile.
    assert rows == [
        ("old", came - timedelta(days=34), metering.clock.now()),
        ("whenever", came, metering.clock.now()),
    ]
    assert calls.id


@pytest.mark.spec("EVT-11")
async def test_key_that_counts_under_another_customer__waits_with_the_conflict(
    metering: Metering,
) -> None:
    await metering.add_metric("calls", Aggregation.COUNT)
    acme = await metering.add_customer("acme")
    await choose(metering)
    await metering.record(of("acmee", "k"))
    # The sender corrects itself with the same key before anybody replays.
    corrected = await metering.record(of("acme", "k"))
    misspelt_again = await metering.record(of("acmeee", "k"))
    await metering.add_customer("acmee")

    got = await replay(metering, "r1")

    assert corrected.outcomes == [Outcome.ACCEPTED]
    assert misspelt_again.outcomes == [Outcome.REJECTED]
    assert misspelt_again.rejections[0].reason is Reason.EVENT_KEY_CONFLICT
    assert got.held_count == 1
    assert got.results[0].error.reason == error_reason_pb2.ERROR_REASON_EVENT_KEY_CONFLICT
    [letter] = await letters(metering)
    assert letter.error.reason == error_reason_pb2.ERROR_REASON_EVENT_KEY_CONFLICT
    assert acme.id


@pytest.mark.spec("EVT-11", "EVT-10")
async def test_name_that_a_new_metric_reads__is_taken_at_once_and_its_letters_replay(
    metering: Metering,
) -> None:
    acme = await metering.add_customer()
    at = metering.clock.now()
    await choose(metering, names=UnmatchedNamePolicy.DEAD_LETTER)
    await metering.add_metric("other", Aggregation.COUNT, event_names=("other",))
    held = await metering.record(event("a", acme, at=at), event("x", acme, name="other"))
    still = await replay(metering, "r0")
    calls = await metering.add_metric("calls", Aggregation.COUNT)

    got = await metering.record(event("b", acme, at=at), event("a", acme, at=at))
    replayed = await replay(metering, "r1")

    assert held.outcomes == [Outcome.HELD, Outcome.ACCEPTED]
    assert still.held_count == 1
    assert still.results[0].error.reason == error_reason_pb2.ERROR_REASON_EVENT_NAME_UNMATCHED
    assert got.outcomes == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    # Sent again once its name was read, it counts; its letter finds the key taken by the very same event.
    assert (replayed.accepted_count, replayed.deduplicated_count) == (0, 1)
    assert await metering.usage(calls, acme) == 2


@pytest.mark.spec("EVT-11")
async def test_replay_of_an_unknown_letter__changes_nothing(metering: Metering) -> None:
    await metering.add_metric("calls", Aggregation.COUNT)
    await choose(metering)
    await metering.record(of("late", "a"))
    late = await metering.add_customer("late")
    [letter] = await letters(metering)

    with pytest.raises(NotFound) as caught:
        await replay(metering, "r1", letter.id, "rej_00000000000000000000000000")

    assert caught.value.reason is Reason.EVENT_NOT_FOUND
    [still] = await letters(metering)
    assert still.id == letter.id
    assert late.id


@pytest.mark.spec("EVT-11")
async def test_more_than_one_call_replays__are_gone_through_call_by_call(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_rejected_events, "MAX_REPLAYED", 2)
    monkeypatch.setattr(replay_rejected_events, "_SLICE", 2)
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await choose(metering)
    await metering.record(*(of("nobody", f"n{number}") for number in range(3)))
    metering.clock.advance(metering.clock.now() + timedelta(seconds=1))
    await metering.record(*(of("acme", f"a{number}") for number in range(4)))
    acme = await metering.add_customer("acme")
    servicer, after, got = ingestion(metering), None, []

    for number in range(5):
        answer = await servicer.ReplayRejectedEvents(
            ingestion_service_pb2.ReplayRejectedEventsRequest(
                idempotency_key=f"page {number}", after_rejected_event_id=after
            ),
            None,
        )
        got.append((answer.accepted_count, answer.held_count))
        if not answer.HasField("last_rejected_event_id"):
            break
        after = answer.last_rejected_event_id

    # The three that keep waiting do not stand in the way of those behind them.
    assert got == [(0, 2), (1, 1), (2, 0), (1, 0)]
    assert await metering.usage(calls, acme) == 4
    with pytest.raises(InvalidInput) as refused:
        await servicer.ReplayRejectedEvents(
            ingestion_service_pb2.ReplayRejectedEventsRequest(
                idempotency_key="both", after_rejected_event_id=after, rejected_event_ids=[after]
            ),
            None,
        )
    assert [one.field for one in refused.value.violations] == ["after_rejected_event_id"]
