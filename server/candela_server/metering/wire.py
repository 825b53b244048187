"""Outcomes and usage, between the contract and the model; nothing here decides. Events themselves are read in place
by prepare_events.py: they are too many for a second form."""

from __future__ import annotations

from typing import cast
from zoneinfo import ZoneInfo

from candela.catalog.v1 import metric_pb2
from candela.metering.v1 import (
    event_pb2,
    ingestion_service_pb2,
    usage_pb2,
    usage_service_pb2,
)
from candela.type.v1 import item_error_pb2

from candela_server.catalog.metric_filter_wire import filters_from_proto
from candela_server.catalog.refs import ById, BySlug, Ref
from candela_server.contract.values import (
    interval_from_proto,
    interval_to_proto,
    item_error_to_proto,
)
from candela_server.customer.model import CustomerRef, UserRef
from candela_server.customer.wire import customer_ref_from_proto, user_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import time_zone

from .metric_fill import FillStatus
from .model import (
    BucketSize,
    MeasuredUsage,
    Outcome,
    Recorded,
    Rejection,
    UsageBucket,
)
from .read_usage import MAX_WINDOW, GetUsage, QueryUsage
from .rules.group import group_name
from .stream_events import Acknowledgement

_MAX_METRICS = 100
_MAX_GROUPS = 100


def recorded_to_proto(recorded: Recorded) -> ingestion_service_pb2.RecordEventsResponse:
    """One outcome per event, and the reasons."""
    return ingestion_service_pb2.RecordEventsResponse(
        outcomes=_outcomes(recorded), errors=_errors(recorded.rejections)
    )


def acknowledgement_to_proto(
    acknowledgement: Acknowledgement,
) -> ingestion_service_pb2.StreamEventsResponse:
    """Up to which chunk everything is committed, and what was not simply accepted."""
    return ingestion_service_pb2.StreamEventsResponse(
        acknowledged_chunk_number=acknowledgement.chunk_number,
        accepted_count=acknowledgement.accepted_count,
        deduplicated_count=acknowledgement.deduplicated_count,
        rejected_count=acknowledgement.rejected_count,
        exceptions=[
            ingestion_service_pb2.ChunkOutcome(
                chunk_number=number,
                outcomes=_outcomes(recorded),
                errors=_errors(recorded.rejections),
            )
            for number, recorded in acknowledgement.exceptions
        ],
    )


def get_usage_from_proto(request: usage_service_pb2.GetUsageRequest) -> GetUsage:
    """The question; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if len(request.metrics) > _MAX_METRICS:
            fields.add("metrics", f"must name at most {_MAX_METRICS} metrics")
        return GetUsage(
            who=fields.read("who", _who_from_proto, request),
            metrics=tuple(fields.read_each("metrics", metric_ref_from_proto, request.metrics)),
            window=fields.read("window", _window_from_proto, request.window)
            if request.HasField("window")
            else None,
        )


def query_usage_from_proto(request: usage_service_pb2.QueryUsageRequest) -> QueryUsage:
    """The question; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if len(request.groups) > _MAX_GROUPS:
            fields.add("groups", f"must name at most {_MAX_GROUPS} groups")
        return QueryUsage(
            who=fields.read("who", _who_from_proto, request),
            metric=fields.read("metric", metric_ref_from_proto, request.metric),
            window=fields.read("window", _window_from_proto, request.window),
            size=fields.read("bucket_size", BucketSize, request.bucket_size),
            zone=ZoneInfo(fields.read("time_zone", time_zone, request.time_zone))
            if request.time_zone
            else None,
            filters=fields.read("filters", filters_from_proto, request.filters),
            grouped=request.grouped or bool(request.groups),
            groups=tuple(request.groups),
        )


def metric_ref_from_proto(ref: metric_pb2.MetricRef) -> Ref:
    """Which metric is meant. Raises ValueError when nothing is set."""
    match ref.WhichOneof("ref"):
        case "id":
            return ById(ref.id)
        case "slug":
            return BySlug(ref.slug)
        case _:
            raise ValueError("must name a metric by id or slug")


def usage_to_proto(usage: MeasuredUsage) -> usage_pb2.MetricUsage:
    """One metric's number."""
    return usage_pb2.MetricUsage(
        metric_id=usage.metric.id,
        metric_slug=usage.metric.slug,
        value=format_decimal(usage.value),
        fill_status=fill_status_to_proto(usage.fill_status),
    )


def bucket_to_proto(bucket: UsageBucket) -> usage_pb2.UsageBucket:
    """One bucket's number."""
    return usage_pb2.UsageBucket(
        window=interval_to_proto(bucket.window),
        value=format_decimal(bucket.value),
        group=None if bucket.group is None else group_name(bucket.group),
        overflow=bucket.overflow,
    )


def fill_status_to_proto(status: FillStatus) -> usage_pb2.FillStatus:
    """The same number under the contract's name."""
    return cast("usage_pb2.FillStatus", status)


def _who_from_proto(
    request: usage_service_pb2.GetUsageRequest | usage_service_pb2.QueryUsageRequest,
) -> CustomerRef | UserRef | None:
    match request.WhichOneof("who"):
        case "customer":
            return customer_ref_from_proto(request.customer)
        case "user":
            return user_ref_from_proto(request.user)
        case "everyone":
            if not request.everyone:
                raise ValueError("everyone must be true, or absent")
            return None
        case _:
            raise ValueError("must name a customer or a user, or everyone")


def _window_from_proto(window: object) -> Interval:
    interval = interval_from_proto(window)  # type: ignore[arg-type]
    if interval.duration > MAX_WINDOW:
        raise ValueError(f"must be at most {MAX_WINDOW.days} days long")
    return interval


def outcome_to_proto(outcome: Outcome) -> event_pb2.EventOutcome:
    """The same number under the contract's name."""
    return cast("event_pb2.EventOutcome", outcome)


def _outcomes(recorded: Recorded) -> list[event_pb2.EventOutcome]:
    # The numbers are the same on both sides, so a list of ten thousand need not be gone through.
    return cast("list[event_pb2.EventOutcome]", recorded.outcomes)


def _errors(rejections: list[Rejection]) -> list[item_error_pb2.ItemError]:
    return [
        item_error_to_proto(one.index, one.reason, one.field, one.message) for one in rejections
    ]
