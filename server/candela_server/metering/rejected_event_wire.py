"""Dead letters, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.type.v1 import item_error_pb2

from candela_server.contract.values import item_error_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import instant, typed_id

from .model import Outcome, Rejection
from .rejected_event import MAX_REPLAY_IDS, RejectedEvent, ReplayedEvent
from .replay_rejected_events import Replayed

_MAX_PAGE_BYTES = 3_000_000


def event_from_bytes(serialized: bytes) -> event_pb2.Event:
    """The event as it was sent."""
    return event_pb2.Event.FromString(serialized)


def received_since_from_proto(
    request: ingestion_service_pb2.ListRejectedEventsRequest,
) -> datetime | None:
    """From when on dead letters are listed; raises InvalidInput."""
    if not request.HasField("received_since_at"):
        return None
    with FieldViolations() as fields:
        return fields.read("received_since_at", instant, request.received_since_at)


def replayed_ids_from_proto(
    request: ingestion_service_pb2.ReplayRejectedEventsRequest,
) -> Sequence[str]:
    """Which dead letters; none means all. Raises InvalidInput."""
    with FieldViolations() as fields:
        if len(request.rejected_event_ids) > MAX_REPLAY_IDS:
            fields.add(
                "rejected_event_ids",
                f"must name at most {MAX_REPLAY_IDS}, not {len(request.rejected_event_ids)}; name none to"
                " replay all that wait",
            )
            return []
        return fields.read_each("rejected_event_ids", typed_id("rej"), request.rejected_event_ids)


def rejected_event_to_proto(letter: RejectedEvent) -> event_pb2.RejectedEvent:
    """One dead letter."""
    return event_pb2.RejectedEvent(
        id=letter.id,
        event=event_from_bytes(letter.event),
        error=_error(letter.error),
        received_at=timestamp_to_proto(letter.received_at),
        replayed_at=timestamp_to_proto(letter.replayed_at) if letter.replayed_at else None,
    )


def fitting(letters: Sequence[RejectedEvent], size: int) -> int:
    """How many of the letters, at most `size` and at least one, fit a message that every client takes."""
    total = 0
    for number, letter in enumerate(letters[:size]):
        total += len(letter.event) + 400
        if total > _MAX_PAGE_BYTES and number:
            return number
    return size


def after_id_from_proto(
    request: ingestion_service_pb2.ReplayRejectedEventsRequest,
) -> str | None:
    """Behind which dead letter to go on. Raises InvalidInput."""
    if not request.HasField("after_rejected_event_id"):
        return None
    with FieldViolations() as fields:
        if request.rejected_event_ids:
            fields.add(
                "after_rejected_event_id", "must be absent with rejected_event_ids: these are all"
            )
        return fields.read(
            "after_rejected_event_id", typed_id("rej"), request.after_rejected_event_id
        )


def replayed_to_proto(replayed: Replayed) -> ingestion_service_pb2.ReplayRejectedEventsResponse:
    """What became of the dead letters."""
    return ingestion_service_pb2.ReplayRejectedEventsResponse(
        accepted_count=replayed.accepted,
        deduplicated_count=replayed.deduplicated,
        held_count=replayed.held,
        results=[_result(one) for one in replayed.results],
        last_rejected_event_id=replayed.last_id,
    )


def _result(one: ReplayedEvent) -> ingestion_service_pb2.ReplayedEvent:
    return ingestion_service_pb2.ReplayedEvent(
        rejected_event_id=one.rejected_event_id,
        outcome=_outcome(one.outcome),
        error=_error(one.error) if one.error else None,
    )


def _outcome(outcome: Outcome) -> event_pb2.EventOutcome:
    return cast("event_pb2.EventOutcome", outcome)


def _error(rejection: Rejection) -> item_error_pb2.ItemError:
    return item_error_to_proto(0, rejection.reason, rejection.field, rejection.message)
