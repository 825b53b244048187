"""Rows as events of the contract, and what the server says of them."""

from __future__ import annotations

from collections.abc import Sequence

from candela.metering.v1 import event_pb2, ingestion_service_pb2
from candela.type.v1 import error_reason_pb2

from .model import ImportedEvent, Progress, Rejected, Row


def event_to_proto(event: ImportedEvent) -> event_pb2.Event:
    """The event as it is sent."""
    sent = event_pb2.Event(
        idempotency_key=event.idempotency_key,
        name=event.name,
        properties_json=event.properties_json,
        value=event.value,
    )
    # Fields of a oneof: the empty ones must not be touched.
    for field in ("customer_id", "external_customer_id", "user_id", "external_user_id"):
        text = getattr(event, field)
        if text:
            setattr(sent, field, text)
    if event.timestamp_us is not None:
        sent.timestamp.seconds, rest = divmod(event.timestamp_us, 1_000_000)
        sent.timestamp.nanos = rest * 1000
    return sent


def count_outcomes(
    progress: Progress, rows: Sequence[Row], chunk: ingestion_service_pb2.ChunkOutcome | None
) -> list[Rejected]:
    """Adds what became of a chunk's rows to the progress; answers those that were rejected."""
    if chunk is None:
        progress.accepted += len(rows)
        return []
    for outcome in chunk.outcomes:
        match outcome:
            case event_pb2.EVENT_OUTCOME_ACCEPTED:
                progress.accepted += 1
            case event_pb2.EVENT_OUTCOME_DEDUPLICATED:
                progress.deduplicated += 1
            case event_pb2.EVENT_OUTCOME_HELD:
                progress.held += 1
            case _:
                progress.rejected += 1
    return [
        Rejected(
            line=rows[error.index].line,
            reason=_reason(error.reason),
            field=error.field,
            message=error.message,
            content=rows[error.index].content,
        )
        for error in chunk.errors
        if chunk.outcomes[error.index] != event_pb2.EVENT_OUTCOME_HELD
    ]


def _reason(number: int) -> str:
    # A newer server may have reasons that this release has no name for.
    known = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_number.get(number)
    return known.name.removeprefix("ERROR_REASON_") if known else str(number)
