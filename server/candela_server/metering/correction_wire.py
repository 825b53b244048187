"""Corrections and backfills, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from candela.metering.v1 import backfill_pb2, event_pb2
from candela.metering.v1 import ingestion_service_pb2 as pb

from candela_server.contract.values import (
    interval_from_proto,
    interval_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import instant, text, typed_id

from .backfills import CreateBackfill
from .correction import (
    MAX_BACKFILL_WINDOW,
    MAX_FILTER_WINDOW,
    MAX_VOIDED_KEYS,
    Backfill,
    BackfillId,
    ByKeys,
    StoredEvent,
    UsageChange,
)
from .replace_event import ReplaceEvent, SentEvent
from .rules.event_value import check_key, check_name
from .void_events import Filter, VoidEvents

_MAX_NAMES = 100
_read_reason = text(1, 500)


def preview_void_from_proto(request: pb.PreviewVoidEventsRequest) -> ByKeys | Filter:
    """Which events; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return _target_from_proto(fields, request)


def void_events_from_proto(request: pb.VoidEventsRequest) -> VoidEvents:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return VoidEvents(
            target=_target_from_proto(fields, request),
            reason=fields.read("reason", _read_reason, request.reason),
        )


def replace_event_from_proto(request: pb.ReplaceEventRequest) -> ReplaceEvent:
    """The command; raises InvalidInput with every wrong field. The event itself is read as ingestion reads it."""
    with FieldViolations() as fields:
        if not request.HasField("event"):
            fields.add("event", "must be there: the event that takes the other one's place")
        return ReplaceEvent(
            replaced_key=fields.read(
                "replaced_idempotency_key", _key, request.replaced_idempotency_key
            ),
            sent=request.event,
            sent_at=fields.read("event.timestamp", instant, request.event.timestamp)
            if request.event.HasField("timestamp")
            else None,
            reason=fields.read("reason", _read_reason, request.reason),
        )


def event_in_place_of(event: SentEvent, customer_id: str, at: datetime) -> SentEvent:
    """The event at the instant of the one that it takes the place of, and of its customer if it names nobody."""
    placed = event_pb2.Event()
    placed.CopyFrom(cast("event_pb2.Event", event))
    placed.timestamp.CopyFrom(timestamp_to_proto(at))
    if placed.WhichOneof("customer") is None and placed.WhichOneof("user") is None:
        placed.customer_id = customer_id
    return placed


def create_backfill_from_proto(request: pb.CreateBackfillRequest) -> CreateBackfill:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return CreateBackfill(
            window=fields.read("window", _backfill_window, request),
            customer=fields.read("customer", customer_ref_from_proto, request.customer)
            if request.HasField("customer")
            else None,
            replaces_existing=request.replaces_existing,
            reason=fields.read("reason", _read_reason, request.reason),
        )


def backfill_id_from_proto(backfill_id: str) -> BackfillId:
    """Which backfill; raises InvalidInput for another kind of id."""
    with FieldViolations() as fields:
        return BackfillId(fields.read("backfill_id", typed_id("bkf"), backfill_id))


def revert_backfill_from_proto(request: pb.RevertBackfillRequest) -> tuple[BackfillId, str]:
    """Which backfill, and why; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return (
            BackfillId(fields.read("backfill_id", typed_id("bkf"), request.backfill_id)),
            fields.read("reason", _read_reason, request.reason),
        )


def change_to_proto(change: UsageChange) -> pb.UsageChange:
    """One row of a preview."""
    return pb.UsageChange(
        customer_id=change.customer_id,
        metric_id=change.metric_id,
        window=interval_to_proto(change.window),
        value_before=format_decimal(change.value_before),
        value_after=format_decimal(change.value_after),
    )


def stored_event_to_proto(event: StoredEvent) -> event_pb2.StoredEvent:
    """The event as the contract shows it."""
    return event_pb2.StoredEvent(
        idempotency_key=event.idempotency_key,
        name=event.name,
        customer_id=event.customer_id,
        user_id=event.user_id,
        value=format_decimal(event.value),
        timestamp=timestamp_to_proto(event.happened_at),
        properties_json=event.properties_json.encode(),
        received_at=timestamp_to_proto(event.received_at),
        voided_at=optional_timestamp_to_proto(event.voided_at),
        replaced_by_idempotency_key=event.replaced_by_key,
        backfill_id=event.came_with or None,
    )


def backfill_to_proto(backfill: Backfill) -> backfill_pb2.Backfill:
    """The backfill as the contract shows it."""
    return backfill_pb2.Backfill(
        id=backfill.id,
        window=interval_to_proto(backfill.window),
        customer_id=backfill.customer_id,
        replaces_existing=backfill.replaces_existing,
        status=cast("backfill_pb2.BackfillStatus", backfill.status),
        event_count=backfill.event_count,
        created_at=timestamp_to_proto(backfill.created_at),
        closed_at=optional_timestamp_to_proto(backfill.closed_at),
        reverted_at=optional_timestamp_to_proto(backfill.reverted_at),
    )


def _target_from_proto(
    fields: FieldViolations, request: pb.PreviewVoidEventsRequest | pb.VoidEventsRequest
) -> ByKeys | Filter:
    match request.WhichOneof("target"):
        case "idempotency_keys":
            return ByKeys(
                fields.read("idempotency_keys", _keys, list(request.idempotency_keys.keys))
            )
        case "filter":
            return Filter(
                customer=fields.read(
                    "filter.customer", customer_ref_from_proto, request.filter.customer
                )
                if request.filter.HasField("customer")
                else None,
                names=fields.read("filter.names", _names, list(request.filter.names)),
                window=fields.read("filter.window", _filter_window, request.filter),
            )
        case _:
            fields.add("target", "must name events by idempotency_keys or by filter")
            return ByKeys(())


def _keys(keys: Sequence[str]) -> tuple[str, ...]:
    if not 1 <= len(keys) <= MAX_VOIDED_KEYS:
        raise ValueError(f"must be 1 to {MAX_VOIDED_KEYS} keys, not {len(keys)}; split the call")
    return tuple(_key(key) for key in keys)


def _key(key: str) -> str:
    check_key(key, key.encode())
    return key


def _names(names: Sequence[str]) -> tuple[str, ...]:
    if len(names) > _MAX_NAMES:
        raise ValueError(f"must be at most {_MAX_NAMES} names, not {len(names)}")
    for name in names:
        check_name(name)
    return tuple(names)


def _filter_window(chosen: pb.EventFilter) -> Interval:
    if not chosen.HasField("window"):
        raise ValueError("must be there: from when to when events are voided")
    window = interval_from_proto(chosen.window)
    if window.duration > MAX_FILTER_WINDOW:
        raise ValueError(
            f"must be at most {MAX_FILTER_WINDOW.days} days long, not {window.duration.days}; split the call"
        )
    return window


def _backfill_window(request: pb.CreateBackfillRequest) -> Interval:
    if not request.HasField("window"):
        raise ValueError("must be there: the span that the events lie in")
    window = interval_from_proto(request.window)
    if window.duration > MAX_BACKFILL_WINDOW:
        raise ValueError(
            f"must be at most {MAX_BACKFILL_WINDOW.days} days long, not {window.duration}; open several"
        )
    return window
