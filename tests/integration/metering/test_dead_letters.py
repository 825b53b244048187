"""Events that nobody expects: kept apart, listed, replayed once, and bounded (EVT-11)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from candela.metering.v1 import event_pb2, ingestion_service_pb2, usage_service_pb2
from candela.type.v1 import error_reason_pb2

from candela_server.catalog.check_downgrade_plan import downgrade_plan_problem
from candela_server.catalog.model import Aggregation
from candela_server.kernel.caller import Caller, Mode, Scope, current_caller
from candela_server.kernel.errors import InvalidInput, NotFound, Reason
from candela_server.merchant.model import UnknownEventPolicy, UnmatchedNamePolicy
from candela_server.merchant.settings_change import SettingsChange
from candela_server.merchant.update_merchant import UpdateMerchant, update_merchant
from candela_server.metering import hold_events, replay_rejected_events, tasks
from candela_server.metering.model import Outcome

from tests.integration.metering.builders import Metering, event, usage_servicer
from tests.integration.metering.correcting import ingestion

_ACCEPTED = event_pb2.EVENT_OUTCOME_ACCEPTED
_DEDUPLICATED = event_pb2.EVENT_OUTCOME_DEDUPLICATED
_HELD = event_pb2.EVENT_OUTCOME_HELD


@pytest.fixture
def _called_by_merchant(metering: Metering) -> Iterator[None]:
    token = current_caller.set(
        Caller(
            merchant_id=metering.merchant_id,
            actor="tests",
            scopes=frozenset({Scope.ADMIN}),
            mode=Mode.TEST,
            request_id="req_1",
            method="tests",
        )
    )
    yield
    current_caller.reset(token)


pytestmark = pytest.mark.usefixtures("_called_by_merchant")


async def choose(
    metering: Metering,
    *,
    unknown: UnknownEventPolicy | None = UnknownEventPolicy.DEAD_LETTER,
    names: UnmatchedNamePolicy | None = None,
    lateness: timedelta | None = None,
    window: timedelta | None = None,
) -> None:
    """Changes the merchant's policies; this process hears of it."""
    async with metering.db.writing(metering.merchant_id) as tx:
        await update_merchant(
            tx,
            downgrade_plan_problem,
            UpdateMerchant(
                name=None,
                time_zone=None,
                settings=SettingsChange(
                    unknown_customer_policy=unknown,
                    unmatched_name_policy=names,
                    event_lateness=lateness,
                    event_dedupe_window=window,
                ),
                expected_version=None,
            ),
        )
    metering.directory.forget(metering.merchant_id)


def of(external_id: str, key: str, value: str | None = None, **more: Any) -> event_pb2.Event:
    """An event of a customer that may not be there."""
    return event_pb2.Event(
        idempotency_key=key,
        name=more.pop("name", "api-call"),
        external_customer_id=external_id,
        value=value,
        **more,
    )


async def letters(metering: Metering, **wanted: Any) -> list[event_pb2.RejectedEvent]:
    request = ingestion_service_pb2.ListRejectedEventsRequest(**wanted)
    return list((await ingestion(metering).ListRejectedEvents(request, None)).rejected_events)


async def replay(
    metering: Metering, key: str, *ids: str
) -> ingestion_service_pb2.ReplayRejectedEventsResponse:
    request = ingestion_service_pb2.ReplayRejectedEventsRequest(
        idempotency_key=key, rejected_event_ids=ids
    )
    return await ingestion(metering).ReplayRejectedEvents(request, None)


@pytest.mark.spec("EVT-11", "EVT-3")
async def test_strangers__are_held_while_their_neighbours_count(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await choose(metering)
    batch = [
        event("a", acme),
        of("nobody", "b", "2.5"),
        event_pb2.Event(idempotency_key="c", name="api-call", external_user_id="no user"),
        of("nobody", "d", "NaN"),
        event_pb2.Event(idempotency_key="e", name="api-call", customer_id="cus_nothing"),
    ]

    got = await metering.record(*batch)
    waiting = await letters(metering)

    assert got.outcomes == [
        Outcome.ACCEPTED,
        Outcome.HELD,
        Outcome.HELD,
        Outcome.REJECTED,
        Outcome.HELD,
    ]
    assert [(one.index, one.reason) for one in got.rejections] == [
        (1, Reason.CUSTOMER_NOT_FOUND),
        (2, Reason.USER_NOT_FOUND),
        (3, Reason.INVALID_FIELD),
        (4, Reason.CUSTOMER_NOT_FOUND),
    ]
    assert [one.event for one in waiting] == [batch[1], batch[2], batch[4]]
    assert waiting[0].error.reason == error_reason_pb2.ERROR_REASON_CUSTOMER_NOT_FOUND
    assert waiting[0].received_at.ToDatetime() == metering.clock.now().replace(tzinfo=None)
    assert await metering.usage(calls, acme) == 1


@pytest.mark.spec("EVT-11", "EVT-1")
async def test_stranger_that_could_never_count__is_refused_and_not_kept(metering: Metering) -> None:
    await choose(metering)
    ahead = of("nobody", "ahead")
    ahead.timestamp.FromDatetime(metering.clock.now() + timedelta(minutes=6))

    got = await metering.record(
        of("nobody", "value", "1e5"),
        of("nobody", "properties", properties_json=b"[1]"),
        of("4111 1111 1111 1111", "card"),
        of("no\0body", "nul"),
        ahead,
        of("nobody", ""),
        of("nobody", "right"),
    )

    assert got.outcomes == [Outcome.REJECTED] * 6 + [Outcome.HELD]
    assert [one.field for one in got.rejections] == [
        "value",
        "properties_json",
        "external_customer_id",
        "external_customer_id",
        "timestamp",
        "idempotency_key",
        "external_customer_id",
    ]


@pytest.mark.spec("EVT-11")
async def test_merchant_that_chose_nothing__has_strangers_rejected(metering: Metering) -> None:
    got = await metering.record(of("nobody", "b"))

    assert got.outcomes == [Outcome.REJECTED]
    assert await letters(metering) == []


@pytest.mark.spec("EVT-11", "EVT-2")
async def test_held_event_sent_again__is_held_once_and_another_payload_conflicts(
    metering: Metering,
) -> None:
    await choose(metering)
    await metering.record(of("nobody", "b"))

    got = await metering.record(
        of("nobody", "b"), of("nobody", "b", "2"), of("nobody", "c"), of("nobody", "c")
    )

    assert got.outcomes == [Outcome.HELD, Outcome.REJECTED, Outcome.HELD, Outcome.HELD]
    assert got.rejections[1].reason is Reason.EVENT_KEY_CONFLICT
    assert len(await letters(metering)) == 2


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


@pytest.mark.spec("EVT-11", "EVT-2")
@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        (UnmatchedNamePolicy.ACCEPT, Outcome.ACCEPTED),
        (UnmatchedNamePolicy.REJECT, Outcome.REJECTED),
        (UnmatchedNamePolicy.DEAD_LETTER, Outcome.HELD),
    ],
)
async def test_name_that_no_metric_reads__is_treated_as_the_merchant_says(
    metering: Metering, policy: UnmatchedNamePolicy, outcome: Outcome
) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    before = await metering.record(event("before", acme, name="api-cal"))
    await choose(metering, names=policy)

    got = await metering.record(
        event("a", acme, name="api-cal"),
        event("b", acme),
        event("before", acme, name="api-cal"),
        event("before", acme, "7", name="api-cal"),
    )

    assert before.outcomes == [Outcome.ACCEPTED]
    # What counts already is a repetition, whatever the merchant chose since.
    assert got.outcomes == [outcome, Outcome.ACCEPTED, Outcome.DEDUPLICATED, Outcome.REJECTED]
    assert got.rejections[-1].reason is Reason.EVENT_KEY_CONFLICT
    assert await metering.usage(calls, acme) == 1


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
async def test_full_dead_letters__make_room_from_what_was_replayed_and_then_refuse(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold_events, "MAX_KEPT", 4)
    await metering.add_metric("calls", Aggregation.COUNT)
    await choose(metering)
    await metering.record(of("late", "a"), of("late", "b"), of("never", "c"))
    await metering.add_customer("late")
    await replay(metering, "r1")

    got = await metering.record(*[of("never", f"n{number}") for number in range(5)])
    kept = await letters(metering, include_replayed=True)

    assert got.outcomes.count(Outcome.HELD) == 3
    assert got.outcomes.count(Outcome.REJECTED) == 2
    refused = [one for one in got.rejections if "kept apart already" in one.message]
    assert len(refused) == 2
    assert refused[0].reason is Reason.CUSTOMER_NOT_FOUND
    assert len(kept) == 4
    assert not any(one.HasField("replayed_at") for one in kept)


@pytest.mark.spec("EVT-11")
async def test_old_letters__are_deleted_after_thirty_days(metering: Metering) -> None:
    await choose(metering)
    came = metering.clock.now()
    await metering.record(of("never", "a"))
    metering.clock.advance(came + timedelta(days=1))
    await metering.record(of("never", "b"))

    metering.clock.advance(came + timedelta(days=30, seconds=1))
    deleted = await tasks.delete_old_letters(metering.db, metering.clock)

    assert deleted >= 1
    assert [one.event.idempotency_key for one in await letters(metering)] == ["b"]


@pytest.mark.spec("EVT-11")
async def test_list__pages_oldest_first_from_an_instant_on_and_is_the_merchants_own(
    metering: Metering, other_metering: Metering
) -> None:
    await choose(metering)
    await choose(other_metering)
    await other_metering.record(of("never", "theirs"))
    came = metering.clock.now()
    await metering.record(*[of("never", f"k{number}") for number in range(5)])
    metering.clock.advance(came + timedelta(minutes=1))
    await metering.record(of("never", "later"))
    servicer = ingestion(metering)

    keys: list[str] = []
    token = ""
    while True:
        page = await servicer.ListRejectedEvents(
            ingestion_service_pb2.ListRejectedEventsRequest(page_size=4, page_token=token), None
        )
        keys += [one.event.idempotency_key for one in page.rejected_events]
        token = page.next_page_token
        if not token:
            break
    request = ingestion_service_pb2.ListRejectedEventsRequest()
    request.received_since_at.FromDatetime(metering.clock.now())
    recent = await servicer.ListRejectedEvents(request, None)

    assert sorted(keys[:5]) == [f"k{number}" for number in range(5)]
    assert keys[5:] == ["later"]
    assert [one.event.idempotency_key for one in recent.rejected_events] == ["later"]


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
async def test_record_event_of_a_stranger__answers_held(metering: Metering) -> None:
    await choose(metering)

    got = await ingestion(metering).RecordEvent(
        ingestion_service_pb2.RecordEventRequest(event=of("nobody", "a")), None
    )

    assert got.outcome == _HELD


@pytest.mark.spec("EVT-11")
async def test_unmatched_names__are_listed_until_a_metric_reads_them(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.add_metric("calls", Aggregation.COUNT)
    at = metering.clock.now()
    await metering.record(
        event("a", acme, name="api-cal", at=at - timedelta(hours=1)),
        event("b", acme, name="api-cal", at=at),
        event("c", acme, name="zzz: top"),
        event("d", acme),
        event("e", acme, name="new"),
    )
    await metering.add_metric("new", Aggregation.COUNT, event_names=("new",))
    servicer = usage_servicer(metering)

    first = await servicer.ListUnmatchedEventNames(
        usage_service_pb2.ListUnmatchedEventNamesRequest(page_size=1), None
    )
    second = await servicer.ListUnmatchedEventNames(
        usage_service_pb2.ListUnmatchedEventNamesRequest(
            page_size=1, page_token=first.next_page_token
        ),
        None,
    )

    assert [(one.name, one.event_count) for one in first.names] == [("api-cal", 2)]
    assert first.names[0].last_event_at.ToDatetime() == at.replace(tzinfo=None)
    assert [one.name for one in second.names] == ["zzz: top"]
    assert second.next_page_token == ""


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
