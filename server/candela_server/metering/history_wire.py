"""Listed events, previews, fills and unmatched names, between the contract and the model; nothing here decides."""

from __future__ import annotations

from candela.metering.v1 import event_pb2, usage_pb2, usage_service_pb2

from candela_server.catalog.wire import new_metric_from_proto
from candela_server.contract.values import (
    interval_from_proto,
    interval_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.customer.wire import customer_ref_from_proto, user_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import text

from .event_list_store import ListedEvent
from .fill_metric import FillMetric
from .list_events import MAX_LISTED_WINDOW, ListEvents
from .measure_events import MAX_MEASURED_WINDOW
from .metric_fill import MetricFill
from .preview_metric import PreviewMetric
from .unmatched_name_store import UnmatchedName
from .wire import fill_status_to_proto, metric_ref_from_proto

_MAX_NAMES = 100


def list_events_from_proto(request: usage_service_pb2.ListEventsRequest) -> ListEvents:
    """Which events; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if len(request.names) > _MAX_NAMES:
            fields.add("names", f"must be at most {_MAX_NAMES} names, not {len(request.names)}")
        return ListEvents(
            customer=fields.read("customer", customer_ref_from_proto, request.customer)
            if request.HasField("customer")
            else None,
            user=fields.read("user", user_ref_from_proto, request.user)
            if request.HasField("user")
            else None,
            names=fields.read_each("names", text(1, 128), request.names),
            window=fields.read(
                "window", _window_from_proto, request.window, MAX_LISTED_WINDOW.days
            ),
        )


def filter_of(request: usage_service_pb2.ListEventsRequest) -> str:
    """What a page token of this list is bound to: everything but the page."""
    bare = usage_service_pb2.ListEventsRequest()
    bare.CopyFrom(request)
    bare.ClearField("page_size")
    bare.ClearField("page_token")
    return bare.SerializeToString(deterministic=True).hex()


def listed_event_to_proto(event: ListedEvent) -> event_pb2.StoredEvent:
    """One event as stored."""
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
        backfill_id=event.backfill_id,
    )


def preview_metric_from_proto(request: usage_service_pb2.PreviewMetricRequest) -> PreviewMetric:
    """The metric to be; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return PreviewMetric(
            metric=fields.read("metric", new_metric_from_proto, request.metric),
            customer=fields.read("customer", customer_ref_from_proto, request.customer),
            window=fields.read(
                "window", _window_from_proto, request.window, MAX_MEASURED_WINDOW.days
            ),
        )


def fill_metric_from_proto(request: usage_service_pb2.FillMetricRequest) -> FillMetric:
    """Which metric; raises InvalidInput when none is named."""
    with FieldViolations() as fields:
        return FillMetric(metric=fields.read("metric", metric_ref_from_proto, request.metric))


def fill_to_proto(fill: MetricFill) -> usage_pb2.MetricFill:
    """One fill."""
    return usage_pb2.MetricFill(
        id=fill.id,
        metric_id=fill.metric_id,
        window=interval_to_proto(fill.window) if fill.window else None,
        status=fill_status_to_proto(fill.status),
        read_count=fill.read_count,
        estimated_count=fill.estimated_count,
        started_at=timestamp_to_proto(fill.started_at),
        finished_at=optional_timestamp_to_proto(fill.finished_at),
    )


def unmatched_name_to_proto(name: UnmatchedName) -> usage_pb2.UnmatchedEventName:
    """One name that no metric reads."""
    return usage_pb2.UnmatchedEventName(
        name=name.name,
        event_count=name.event_count,
        first_event_at=timestamp_to_proto(name.first_event_at),
        last_event_at=timestamp_to_proto(name.last_event_at),
    )


def _window_from_proto(window: object, days: int) -> Interval:
    interval = interval_from_proto(window)  # type: ignore[arg-type]
    if interval.duration.total_seconds() > days * 86_400:
        raise ValueError(f"must be at most {days} days long")
    return interval
