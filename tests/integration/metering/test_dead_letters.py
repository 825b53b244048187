"""Events that nobody expects: kept apart or refused, listed, and bounded (EVT-11)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from candela.metering.v1 import event_pb2, ingestion_service_pb2, usage_service_pb2
from candela.type.v1 import error_reason_pb2

from candela_server.catalog.model import Aggregation
from candela_server.kernel.errors import Reason
from candela_server.merchant.model import UnmatchedNamePolicy
from candela_server.metering import hold_events, tasks
from candela_server.metering.model import Outcome

from tests.integration.metering.builders import Metering, event, usage_servicer
from tests.integration.metering.correcting import ingestion
from tests.integration.metering.letters import choose, letters, of, replay

_HELD = event_pb2.EVENT_OUTCOME_HELD
pytestmark = pytest.mark.usefixtures("called_by_merchant")


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
