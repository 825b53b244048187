"""Bad events are refused by themselves, by index and reason, and spoil no neighbour (EVT-1, EVT-3, EVT-9)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from candela import Client
from candela.customer.v1 import customer_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.type.v1 import error_reason_pb2

from tests.helpers.servers import LiveServer, create_merchant_by_command

_ACCEPTED = event_pb2.EVENT_OUTCOME_ACCEPTED
_REJECTED = event_pb2.EVENT_OUTCOME_REJECTED
_INVALID = error_reason_pb2.ERROR_REASON_INVALID_FIELD

Spoil = Callable[[event_pb2.Event], None]


def field(name: str, value: object) -> Spoil:
    return lambda event: setattr(event, name, value)


def properties(value: object) -> Spoil:
    return field("properties_json", json.dumps(value).encode())


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


def at(off: timedelta) -> Spoil:
    return lambda event: event.timestamp.FromDatetime(datetime.now(UTC) + off)


def seconds(value: int, nanos: int = 0) -> Spoil:
    def spoil(event: event_pb2.Event) -> None:
        event.timestamp.seconds = value
        event.timestamp.nanos = nanos

    return spoil


# What is wrong, how it is made so, and the reason and field that the answer names.
BAD: list[tuple[str, Spoil, int, str]] = [
    ("NaN", field("value", "NaN"), _INVALID, "value"),
    ("infinity", field("value", "Infinity"), _INVALID, "value"),
    ("minus infinity", field("value", "-inf"), _INVALID, "value"),
    ("exponent", field("value", "1e308"), _INVALID, "value"),
    ("40 digits", field("value", "1" * 40), _INVALID, "value"),
    ("39 digits with a point", field("value", "1" * 38 + ".1"), _INVALID, "value"),
    ("13 places", field("value", "0." + "1" * 13), _INVALID, "value"),
    ("empty value", field("value", ""), _INVALID, "value"),
    ("blank value", field("value", " 1"), _INVALID, "value"),
    ("digits of another script", field("value", "٣"), _INVALID, "value"),
    ("a megabyte of digits", field("value", "1" * 1_000_000), _INVALID, "value"),
    ("empty key", field("idempotency_key", ""), _INVALID, "idempotency_key"),
    ("256-byte key", field("idempotency_key", "k" * 256), _INVALID, "idempotency_key"),
    ("256-byte key of emoji", field("idempotency_key", "🎉" * 64), _INVALID, "idempotency_key"),
    ("NUL in the key", field("idempotency_key", "a\0b"), _INVALID, "idempotency_key"),
    ("no name", field("name", ""), _INVALID, "name"),
    ("name of 10k characters", field("name", "n" * 10_000), _INVALID, "name"),
    ("name of 129 bytes", field("name", "n" * 129), _INVALID, "name"),
    ("NUL in the name", field("name", "a\0b"), _INVALID, "name"),
    ("name that turns its direction", field("name", "a\u202eb"), _INVALID, "name"),
    ("card as name", field("name", "4111-1111-1111-1111"), _INVALID, "name"),
    (
        "10k properties",
        properties({f"p{n}": 1 for n in range(10_000)}),
        _INVALID,
        "properties_json",
    ),
    ("51 properties", properties({f"p{n}": 1 for n in range(51)}), _INVALID, "properties_json"),
    ("nesting", properties({"a": {"b": 1}}), _INVALID, "properties_json"),
    ("a list", properties({"a": [1]}), _INVALID, "properties_json"),
    ("100 levels", field("properties_json", nested(100)), _INVALID, "properties_json"),
    ("1000 levels", field("properties_json", nested(1000)), _INVALID, "properties_json"),
    ("null", properties({"a": None}), _INVALID, "properties_json"),
    ("no object", properties([1]), _INVALID, "properties_json"),
    ("no JSON", field("properties_json", b"{a:1}"), _INVALID, "properties_json"),
    ("no UTF-8", field("properties_json", b'{"a":"\xff"}'), _INVALID, "properties_json"),
    ("NaN property", field("properties_json", b'{"a":NaN}'), _INVALID, "properties_json"),
    ("40-digit property", properties({"a": 10**39}), _INVALID, "properties_json"),
    ("huge exponent", field("properties_json", b'{"a":1e99999999}'), _INVALID, "properties_json"),
    ("NUL in a property", properties({"a": "x\0y"}), _INVALID, "properties_json"),
    ("half a surrogate", field("properties_json", b'{"a":"\\ud800"}'), _INVALID, "properties_json"),
    ("no property name", properties({"": 1}), _INVALID, "properties_json"),
    ("card number", properties({"card": "4111 1111 1111 1111"}), _INVALID, "properties_json"),
    ("card as number", properties({"card": 5555555555554444}), _INVALID, "properties_json"),
    (
        "six minutes ahead",
        at(timedelta(minutes=6)),
        error_reason_pb2.ERROR_REASON_EVENT_TOO_EARLY,
        "timestamp",
    ),
    (
        "36 days late",
        at(timedelta(days=-36)),
        error_reason_pb2.ERROR_REASON_EVENT_TOO_LATE,
        "timestamp",
    ),
    (
        "year 300 million",
        seconds(10**16),
        error_reason_pb2.ERROR_REASON_EVENT_TOO_EARLY,
        "timestamp",
    ),
    (
        "before the universe",
        seconds(-(2**63)),
        error_reason_pb2.ERROR_REASON_EVENT_TOO_LATE,
        "timestamp",
    ),
    ("too many nanoseconds", seconds(1, 10**9), _INVALID, "timestamp"),
    ("nobody", lambda event: event.ClearField("external_customer_id"), _INVALID, "customer"),
    (
        "stranger",
        field("external_customer_id", "stranger"),
        error_reason_pb2.ERROR_REASON_CUSTOMER_NOT_FOUND,
        "external_customer_id",
    ),
    (
        "NUL in an id",
        field("external_customer_id", "a\0b"),
        error_reason_pb2.ERROR_REASON_CUSTOMER_NOT_FOUND,
        "external_customer_id",
    ),
    (
        "unknown user",
        field("external_user_id", "stranger"),
        error_reason_pb2.ERROR_REASON_USER_NOT_FOUND,
        "external_user_id",
    ),
]

# What looks dangerous and is only data: it is stored as it is.
INERT: list[tuple[str, Spoil]] = [
    ("minus zero", field("value", "-0")),
    ("negative", field("value", "-12.5")),
    ("38 digits", field("value", "9" * 38)),
    ("emoji key", field("idempotency_key", "🎉🇦🇹")),
    ("SQL as key", field("idempotency_key", "'; DROP TABLE event; --")),
    ("255-byte key", field("idempotency_key", "k" * 255)),
    ("emoji name", field("name", "🎉 party")),
    ("__proto__", properties({"__proto__": "x", "constructor": True})),
    ("SQL as property", properties({"a'); DROP TABLE event; --": "1' OR '1'='1"})),
    ("50 properties", properties({f"p{n}": "ü" for n in range(50)})),
    ("a key twice", field("properties_json", b'{"a":1,"a":2}')),
    ("four minutes ahead", at(timedelta(minutes=4))),
    ("34 days late", at(timedelta(days=-34))),
    ("long number that is no card", properties({"id": 1759288472991170630})),
]


@pytest.fixture(scope="module")
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this module's own, with one customer."""
    merchant = create_merchant_by_command(live_server.server.environment, "Bad events")
    with Client(live_server.address, merchant["secret_key"]) as client:
        client.customers.CreateCustomer(
            customer_service_pb2.CreateCustomerRequest(name="Acme", external_id="acme")
        )
        yield client


def good(key: str) -> event_pb2.Event:
    return event_pb2.Event(idempotency_key=key, name="api-call", external_customer_id="acme")


def spoilt(spoil: Spoil, key: str) -> event_pb2.Event:
    event = good(key)
    spoil(event)
    return event


def through_batch(
    candela: Client, events: list[event_pb2.Event]
) -> tuple[list[int], dict[int, tuple[int, str]]]:
    got = candela.ingestion.RecordEvents(ingestion_service_pb2.RecordEventsRequest(events=events))
    return list(got.outcomes), {one.index: (one.reason, one.field) for one in got.errors}


def through_stream(
    candela: Client, events: list[event_pb2.Event]
) -> tuple[list[int], dict[int, tuple[int, str]]]:
    """The chunk in question between two good ones, all on one stream, which must stay up."""

    def chunks() -> Iterator[ingestion_service_pb2.StreamEventsRequest]:
        for number, chunk in enumerate(
            [[good(f"{_WAY['stream']}-before")], events, [good(f"{_WAY['stream']}-after")]], start=1
        ):
            yield ingestion_service_pb2.StreamEventsRequest(chunk_number=number, events=chunk)

    outcomes: list[int] = []
    errors: dict[int, tuple[int, str]] = {}
    last = 0
    for answer in candela.ingestion.StreamEvents(chunks()):
        last = answer.acknowledged_chunk_number
        for chunk in answer.exceptions:
            if chunk.chunk_number == 2:
                outcomes = list(chunk.outcomes)
                errors = {one.index: (one.reason, one.field) for one in chunk.errors}
    assert last == 3
    return outcomes or [_ACCEPTED] * len(events), errors


_WAY = {"batch": "b", "stream": "s"}
_THROUGH = {"batch": through_batch, "stream": through_stream}


@pytest.mark.spec("EVT-1", "EVT-3", "EVT-9")
@pytest.mark.parametrize("way", ["batch", "stream"])
@pytest.mark.parametrize(("what", "spoil", "reason", "path"), BAD, ids=[one[0] for one in BAD])
def test_bad_event__is_refused_by_itself(
    candela: Client, way: str, what: str, spoil: Spoil, reason: int, path: str
) -> None:
    key = f"{way} {what}"
    batch = [good(f"{key} first"), spoilt(spoil, f"{key} bad"), good(f"{key} last")]

    outcomes, errors = _THROUGH[way](candela, batch)

    assert outcomes == [_ACCEPTED, _REJECTED, _ACCEPTED]
    assert errors == {1: (reason, path)}


@pytest.mark.spec("EVT-1", "EVT-3")
@pytest.mark.parametrize("way", ["batch", "stream"])
def test_all_bad_events_at_once__spoil_none_of_a_thousand_neighbours(
    candela: Client, way: str
) -> None:
    batch = [good(f"{way} neighbour {number}") for number in range(1000)]
    places = {20 * number: one for number, one in enumerate(BAD)}
    for index, (what, spoil, _, _) in places.items():
        batch[index] = spoilt(spoil, f"{way} all {what}")

    outcomes, errors = _THROUGH[way](candela, batch)

    assert [index for index, outcome in enumerate(outcomes) if outcome != _ACCEPTED] == list(places)
    assert errors == {index: (one[2], one[3]) for index, one in places.items()}


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("way", ["batch", "stream"])
def test_strange_but_right_events__are_stored_as_they_are(candela: Client, way: str) -> None:
    batch = [spoilt(spoil, f"{way} {what}") for what, spoil in INERT]
    for index, event in enumerate(batch):
        # The strange keys are the same in both ways, and count once.
        if INERT[index][0] in ("emoji key", "SQL as key"):
            event.idempotency_key += way
        elif INERT[index][0] == "255-byte key":
            event.idempotency_key = event.idempotency_key[: -len(way)] + way

    outcomes, errors = _THROUGH[way](candela, batch)

    assert errors == {}
    assert set(outcomes) == {_ACCEPTED}
