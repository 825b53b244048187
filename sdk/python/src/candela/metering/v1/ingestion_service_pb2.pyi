import datetime

from candela.customer.v1 import customer_pb2 as _customer_pb2
from candela.metering.v1 import backfill_pb2 as _backfill_pb2
from candela.metering.v1 import event_pb2 as _event_pb2
from candela.type.v1 import interval_pb2 as _interval_pb2
from candela.type.v1 import item_error_pb2 as _item_error_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordEventRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: _event_pb2.Event
    def __init__(self, event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ...) -> None: ...

class RecordEventResponse(_message.Message):
    __slots__ = ("outcome",)
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    outcome: _event_pb2.EventOutcome
    def __init__(self, outcome: _Optional[_Union[_event_pb2.EventOutcome, str]] = ...) -> None: ...

class RecordEventsRequest(_message.Message):
    __slots__ = ("events", "backfill_id")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_ID_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    backfill_id: str
    def __init__(self, events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., backfill_id: _Optional[str] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("outcomes", "errors")
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    outcomes: _containers.RepeatedScalarFieldContainer[_event_pb2.EventOutcome]
    errors: _containers.RepeatedCompositeFieldContainer[_item_error_pb2.ItemError]
    def __init__(self, outcomes: _Optional[_Iterable[_Union[_event_pb2.EventOutcome, str]]] = ..., errors: _Optional[_Iterable[_Union[_item_error_pb2.ItemError, _Mapping]]] = ...) -> None: ...

class StreamEventsRequest(_message.Message):
    __slots__ = ("chunk_number", "events", "backfill_id")
    CHUNK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_ID_FIELD_NUMBER: _ClassVar[int]
    chunk_number: int
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    backfill_id: str
    def __init__(self, chunk_number: _Optional[int] = ..., events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ..., backfill_id: _Optional[str] = ...) -> None: ...

class StreamEventsResponse(_message.Message):
    __slots__ = ("acknowledged_chunk_number", "accepted_count", "deduplicated_count", "rejected_count", "exceptions")
    ACKNOWLEDGED_CHUNK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REJECTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXCEPTIONS_FIELD_NUMBER: _ClassVar[int]
    acknowledged_chunk_number: int
    accepted_count: int
    deduplicated_count: int
    rejected_count: int
    exceptions: _containers.RepeatedCompositeFieldContainer[ChunkOutcome]
    def __init__(self, acknowledged_chunk_number: _Optional[int] = ..., accepted_count: _Optional[int] = ..., deduplicated_count: _Optional[int] = ..., rejected_count: _Optional[int] = ..., exceptions: _Optional[_Iterable[_Union[ChunkOutcome, _Mapping]]] = ...) -> None: ...

class ChunkOutcome(_message.Message):
    __slots__ = ("chunk_number", "outcomes", "errors")
    CHUNK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    ERRORS_FIELD_NUMBER: _ClassVar[int]
    chunk_number: int
    outcomes: _containers.RepeatedScalarFieldContainer[_event_pb2.EventOutcome]
    errors: _containers.RepeatedCompositeFieldContainer[_item_error_pb2.ItemError]
    def __init__(self, chunk_number: _Optional[int] = ..., outcomes: _Optional[_Iterable[_Union[_event_pb2.EventOutcome, str]]] = ..., errors: _Optional[_Iterable[_Union[_item_error_pb2.ItemError, _Mapping]]] = ...) -> None: ...

class EventFilter(_message.Message):
    __slots__ = ("customer", "names", "window")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    NAMES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    names: _containers.RepeatedScalarFieldContainer[str]
    window: _interval_pb2.Interval
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., names: _Optional[_Iterable[str]] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ...) -> None: ...

class IdempotencyKeys(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, keys: _Optional[_Iterable[str]] = ...) -> None: ...

class PreviewVoidEventsRequest(_message.Message):
    __slots__ = ("idempotency_keys", "filter")
    IDEMPOTENCY_KEYS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    idempotency_keys: IdempotencyKeys
    filter: EventFilter
    def __init__(self, idempotency_keys: _Optional[_Union[IdempotencyKeys, _Mapping]] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ...) -> None: ...

class PreviewVoidEventsResponse(_message.Message):
    __slots__ = ("event_count", "changes", "unmeasured_metric_ids")
    EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    UNMEASURED_METRIC_IDS_FIELD_NUMBER: _ClassVar[int]
    event_count: int
    changes: _containers.RepeatedCompositeFieldContainer[UsageChange]
    unmeasured_metric_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, event_count: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[UsageChange, _Mapping]]] = ..., unmeasured_metric_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class UsageChange(_message.Message):
    __slots__ = ("customer_id", "metric_id", "window", "value_before", "value_after")
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    VALUE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    VALUE_AFTER_FIELD_NUMBER: _ClassVar[int]
    customer_id: str
    metric_id: str
    window: _interval_pb2.Interval
    value_before: str
    value_after: str
    def __init__(self, customer_id: _Optional[str] = ..., metric_id: _Optional[str] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., value_before: _Optional[str] = ..., value_after: _Optional[str] = ...) -> None: ...

class VoidEventsRequest(_message.Message):
    __slots__ = ("idempotency_key", "idempotency_keys", "filter", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEYS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    idempotency_keys: IdempotencyKeys
    filter: EventFilter
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., idempotency_keys: _Optional[_Union[IdempotencyKeys, _Mapping]] = ..., filter: _Optional[_Union[EventFilter, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class VoidEventsResponse(_message.Message):
    __slots__ = ("voided_count",)
    VOIDED_COUNT_FIELD_NUMBER: _ClassVar[int]
    voided_count: int
    def __init__(self, voided_count: _Optional[int] = ...) -> None: ...

class ReplaceEventRequest(_message.Message):
    __slots__ = ("idempotency_key", "replaced_idempotency_key", "event", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    REPLACED_IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    replaced_idempotency_key: str
    event: _event_pb2.Event
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., replaced_idempotency_key: _Optional[str] = ..., event: _Optional[_Union[_event_pb2.Event, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class ReplaceEventResponse(_message.Message):
    __slots__ = ("replaced", "event")
    REPLACED_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    replaced: _event_pb2.StoredEvent
    event: _event_pb2.StoredEvent
    def __init__(self, replaced: _Optional[_Union[_event_pb2.StoredEvent, _Mapping]] = ..., event: _Optional[_Union[_event_pb2.StoredEvent, _Mapping]] = ...) -> None: ...

class CreateBackfillRequest(_message.Message):
    __slots__ = ("idempotency_key", "window", "customer", "replaces_existing", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    REPLACES_EXISTING_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    window: _interval_pb2.Interval
    customer: _customer_pb2.CustomerRef
    replaces_existing: bool
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., window: _Optional[_Union[_interval_pb2.Interval, _Mapping]] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., replaces_existing: _Optional[bool] = ..., reason: _Optional[str] = ...) -> None: ...

class CreateBackfillResponse(_message.Message):
    __slots__ = ("backfill",)
    BACKFILL_FIELD_NUMBER: _ClassVar[int]
    backfill: _backfill_pb2.Backfill
    def __init__(self, backfill: _Optional[_Union[_backfill_pb2.Backfill, _Mapping]] = ...) -> None: ...

class CloseBackfillRequest(_message.Message):
    __slots__ = ("idempotency_key", "backfill_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    backfill_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., backfill_id: _Optional[str] = ...) -> None: ...

class CloseBackfillResponse(_message.Message):
    __slots__ = ("backfill",)
    BACKFILL_FIELD_NUMBER: _ClassVar[int]
    backfill: _backfill_pb2.Backfill
    def __init__(self, backfill: _Optional[_Union[_backfill_pb2.Backfill, _Mapping]] = ...) -> None: ...

class RevertBackfillRequest(_message.Message):
    __slots__ = ("idempotency_key", "backfill_id", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    BACKFILL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    backfill_id: str
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., backfill_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class RevertBackfillResponse(_message.Message):
    __slots__ = ("backfill",)
    BACKFILL_FIELD_NUMBER: _ClassVar[int]
    backfill: _backfill_pb2.Backfill
    def __init__(self, backfill: _Optional[_Union[_backfill_pb2.Backfill, _Mapping]] = ...) -> None: ...

class GetBackfillRequest(_message.Message):
    __slots__ = ("backfill_id",)
    BACKFILL_ID_FIELD_NUMBER: _ClassVar[int]
    backfill_id: str
    def __init__(self, backfill_id: _Optional[str] = ...) -> None: ...

class GetBackfillResponse(_message.Message):
    __slots__ = ("backfill",)
    BACKFILL_FIELD_NUMBER: _ClassVar[int]
    backfill: _backfill_pb2.Backfill
    def __init__(self, backfill: _Optional[_Union[_backfill_pb2.Backfill, _Mapping]] = ...) -> None: ...

class ListRejectedEventsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "include_replayed", "received_since_at")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_REPLAYED_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SINCE_AT_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    include_replayed: bool
    received_since_at: _timestamp_pb2.Timestamp
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_replayed: _Optional[bool] = ..., received_since_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListRejectedEventsResponse(_message.Message):
    __slots__ = ("rejected_events", "next_page_token")
    REJECTED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    rejected_events: _containers.RepeatedCompositeFieldContainer[_event_pb2.RejectedEvent]
    next_page_token: str
    def __init__(self, rejected_events: _Optional[_Iterable[_Union[_event_pb2.RejectedEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReplayRejectedEventsRequest(_message.Message):
    __slots__ = ("idempotency_key", "rejected_event_ids", "after_rejected_event_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    REJECTED_EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    AFTER_REJECTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    rejected_event_ids: _containers.RepeatedScalarFieldContainer[str]
    after_rejected_event_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., rejected_event_ids: _Optional[_Iterable[str]] = ..., after_rejected_event_id: _Optional[str] = ...) -> None: ...

class ReplayRejectedEventsResponse(_message.Message):
    __slots__ = ("accepted_count", "deduplicated_count", "held_count", "results", "last_rejected_event_id")
    ACCEPTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DEDUPLICATED_COUNT_FIELD_NUMBER: _ClassVar[int]
    HELD_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    LAST_REJECTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    accepted_count: int
    deduplicated_count: int
    held_count: int
    results: _containers.RepeatedCompositeFieldContainer[ReplayedEvent]
    last_rejected_event_id: str
    def __init__(self, accepted_count: _Optional[int] = ..., deduplicated_count: _Optional[int] = ..., held_count: _Optional[int] = ..., results: _Optional[_Iterable[_Union[ReplayedEvent, _Mapping]]] = ..., last_rejected_event_id: _Optional[str] = ...) -> None: ...

class ReplayedEvent(_message.Message):
    __slots__ = ("rejected_event_id", "outcome", "error")
    REJECTED_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    rejected_event_id: str
    outcome: _event_pb2.EventOutcome
    error: _item_error_pb2.ItemError
    def __init__(self, rejected_event_id: _Optional[str] = ..., outcome: _Optional[_Union[_event_pb2.EventOutcome, str]] = ..., error: _Optional[_Union[_item_error_pb2.ItemError, _Mapping]] = ...) -> None: ...
