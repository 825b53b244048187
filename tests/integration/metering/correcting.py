"""Corrections through the servicer, in short words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

from candela.customer.v1 import customer_pb2
from candela.metering.v1 import backfill_pb2
from candela.metering.v1 import ingestion_service_pb2 as pb

from candela_server.contract.values import interval_to_proto
from candela_server.customer.model import Customer
from candela_server.kernel.interval import Interval
from candela_server.metering.correction_servicer import CorrectionDesk
from candela_server.metering.prepare_events import Preparer
from candela_server.metering.record_backfill import BackfillRecorder
from candela_server.metering.servicer import IngestionServicer
from candela_server.storage.mutation import Mutations

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import Metering

_numbers = count()


def ingestion(metering: Metering) -> IngestionServicer:
    """IngestionService of one server process."""
    preparer = Preparer(metering.directory, metering.clock)
    return IngestionServicer(
        metering.ingestor,
        CorrectionDesk(
            db=metering.db,
            events=metering.events,
            mutations=Mutations(metering.db, metering.clock),
            counters=metering.counters,
            preparer=preparer,
            recorder=BackfillRecorder(
                metering.events,
                metering.directory,
                preparer,
                metering.clock,
                metering.ingestor.admission,
            ),
            clock=metering.clock,
        ),
        b"secret",
    )


def new_key() -> str:
    """An idempotency key of a request."""
    return f"correction-{next(_numbers)}"


def by_keys(*keys: str) -> dict[str, Any]:
    """The target of these events."""
    return {"idempotency_keys": pb.IdempotencyKeys(keys=keys)}


def by_filter(
    window: Interval, *, customer: Customer | None = None, names: Sequence[str] = ()
) -> dict[str, Any]:
    """The target of what matches."""
    chosen = pb.EventFilter(names=names, window=interval_to_proto(window))
    if customer is not None:
        chosen.customer.id = customer.id
    return {"filter": chosen}


async def void(metering: Metering, key: str | None = None, **target: Any) -> int:
    """How many events a void took out."""
    with acting_as(metering.merchant_id, "VoidEvents"):
        answer = await ingestion(metering).VoidEvents(
            pb.VoidEventsRequest(
                idempotency_key=key or new_key(), reason="sent in error", **target
            ),
            None,
        )
    return answer.voided_count


async def preview(metering: Metering, **target: Any) -> pb.PreviewVoidEventsResponse:
    """What a void would do."""
    with acting_as(metering.merchant_id, "PreviewVoidEvents"):
        return await ingestion(metering).PreviewVoidEvents(
            pb.PreviewVoidEventsRequest(**target), None
        )


async def replace(
    metering: Metering, old_key: str, new: Any, key: str | None = None
) -> pb.ReplaceEventResponse:
    """Both facts of a replacement."""
    with acting_as(metering.merchant_id, "ReplaceEvent"):
        return await ingestion(metering).ReplaceEvent(
            pb.ReplaceEventRequest(
                idempotency_key=key or new_key(),
                replaced_idempotency_key=old_key,
                event=new,
                reason="wrong amount",
            ),
            None,
        )


async def open_backfill(
    metering: Metering,
    start_at: datetime,
    end_at: datetime,
    *,
    customer: Customer | None = None,
    replaces_existing: bool = False,
) -> backfill_pb2.Backfill:
    """A new backfill."""
    with acting_as(metering.merchant_id, "CreateBackfill"):
        answer = await ingestion(metering).CreateBackfill(
            pb.CreateBackfillRequest(
                idempotency_key=new_key(),
                window=interval_to_proto(Interval(start_at, end_at)),
                customer=customer_pb2.CustomerRef(id=customer.id) if customer else None,
                replaces_existing=replaces_existing,
                reason="an import failed",
            ),
            None,
        )
    return answer.backfill


async def record_into(
    metering: Metering, backfill_id: str, *events: Any
) -> pb.RecordEventsResponse:
    """Records a batch into a backfill."""
    with acting_as(metering.merchant_id, "RecordEvents"):
        return await ingestion(metering).RecordEvents(
            pb.RecordEventsRequest(events=events, backfill_id=backfill_id), None
        )


async def close(metering: Metering, backfill_id: str) -> backfill_pb2.Backfill:
    """A backfill after it was closed."""
    with acting_as(metering.merchant_id, "CloseBackfill"):
        answer = await ingestion(metering).CloseBackfill(
            pb.CloseBackfillRequest(idempotency_key=new_key(), backfill_id=backfill_id), None
        )
    return answer.backfill


async def revert(metering: Metering, backfill_id: str) -> backfill_pb2.Backfill:
    """A backfill after it was reverted."""
    with acting_as(metering.merchant_id, "RevertBackfill"):
        answer = await ingestion(metering).RevertBackfill(
            pb.RevertBackfillRequest(
                idempotency_key=new_key(), backfill_id=backfill_id, reason="the wrong file"
            ),
            None,
        )
    return answer.backfill
