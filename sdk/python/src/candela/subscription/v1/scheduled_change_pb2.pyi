import datetime

from candela.catalog.v1 import plan_pb2 as _plan_pb2
from candela.subscription.v1 import subscription_change_pb2 as _subscription_change_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScheduledChangeStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEDULED_CHANGE_STATUS_UNSPECIFIED: _ClassVar[ScheduledChangeStatus]
    SCHEDULED_CHANGE_STATUS_PENDING: _ClassVar[ScheduledChangeStatus]
    SCHEDULED_CHANGE_STATUS_APPLIED: _ClassVar[ScheduledChangeStatus]
    SCHEDULED_CHANGE_STATUS_CANCELED: _ClassVar[ScheduledChangeStatus]
    SCHEDULED_CHANGE_STATUS_FAILED: _ClassVar[ScheduledChangeStatus]

class ChangeMoment(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_MOMENT_UNSPECIFIED: _ClassVar[ChangeMoment]
    CHANGE_MOMENT_AT: _ClassVar[ChangeMoment]
    CHANGE_MOMENT_NEXT_BILLING: _ClassVar[ChangeMoment]
    CHANGE_MOMENT_TRIAL_END: _ClassVar[ChangeMoment]
SCHEDULED_CHANGE_STATUS_UNSPECIFIED: ScheduledChangeStatus
SCHEDULED_CHANGE_STATUS_PENDING: ScheduledChangeStatus
SCHEDULED_CHANGE_STATUS_APPLIED: ScheduledChangeStatus
SCHEDULED_CHANGE_STATUS_CANCELED: ScheduledChangeStatus
SCHEDULED_CHANGE_STATUS_FAILED: ScheduledChangeStatus
CHANGE_MOMENT_UNSPECIFIED: ChangeMoment
CHANGE_MOMENT_AT: ChangeMoment
CHANGE_MOMENT_NEXT_BILLING: ChangeMoment
CHANGE_MOMENT_TRIAL_END: ChangeMoment

class ScheduledChange(_message.Message):
    __slots__ = ("id", "subscription_id", "status", "due_at", "change_plan", "override_price", "change_quantity", "pause", "resume", "cancel", "swap_component", "start", "outcome", "created_at", "trial_end_behavior", "trial_end_plan_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_PLAN_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_PRICE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    SWAP_COMPONENT_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_BEHAVIOR_FIELD_NUMBER: _ClassVar[int]
    TRIAL_END_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    subscription_id: str
    status: ScheduledChangeStatus
    due_at: _timestamp_pb2.Timestamp
    change_plan: _subscription_change_pb2.ChangePlanRequest
    override_price: _subscription_change_pb2.OverridePriceRequest
    change_quantity: _subscription_change_pb2.ChangeQuantityRequest
    pause: _subscription_change_pb2.PauseSubscriptionRequest
    resume: _subscription_change_pb2.ResumeSubscriptionRequest
    cancel: _subscription_change_pb2.CancelSubscriptionRequest
    swap_component: _subscription_change_pb2.SwapComponentRequest
    start: ScheduledStart
    outcome: str
    created_at: _timestamp_pb2.Timestamp
    trial_end_behavior: _plan_pb2.TrialEndBehavior
    trial_end_plan_id: str
    def __init__(self, id: _Optional[str] = ..., subscription_id: _Optional[str] = ..., status: _Optional[_Union[ScheduledChangeStatus, str]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., change_plan: _Optional[_Union[_subscription_change_pb2.ChangePlanRequest, _Mapping]] = ..., override_price: _Optional[_Union[_subscription_change_pb2.OverridePriceRequest, _Mapping]] = ..., change_quantity: _Optional[_Union[_subscription_change_pb2.ChangeQuantityRequest, _Mapping]] = ..., pause: _Optional[_Union[_subscription_change_pb2.PauseSubscriptionRequest, _Mapping]] = ..., resume: _Optional[_Union[_subscription_change_pb2.ResumeSubscriptionRequest, _Mapping]] = ..., cancel: _Optional[_Union[_subscription_change_pb2.CancelSubscriptionRequest, _Mapping]] = ..., swap_component: _Optional[_Union[_subscription_change_pb2.SwapComponentRequest, _Mapping]] = ..., start: _Optional[_Union[ScheduledStart, _Mapping]] = ..., outcome: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., trial_end_behavior: _Optional[_Union[_plan_pb2.TrialEndBehavior, str]] = ..., trial_end_plan_id: _Optional[str] = ...) -> None: ...

class ScheduledStart(_message.Message):
    __slots__ = ("plan_version_id", "price_id")
    PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_ID_FIELD_NUMBER: _ClassVar[int]
    plan_version_id: str
    price_id: str
    def __init__(self, plan_version_id: _Optional[str] = ..., price_id: _Optional[str] = ...) -> None: ...

class ScheduleChangeRequest(_message.Message):
    __slots__ = ("idempotency_key", "subscription_id", "moment", "due_at", "change_plan", "override_price", "change_quantity", "pause", "resume", "cancel", "swap_component", "reason")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    MOMENT_FIELD_NUMBER: _ClassVar[int]
    DUE_AT_FIELD_NUMBER: _ClassVar[int]
    CHANGE_PLAN_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_PRICE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    SWAP_COMPONENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    subscription_id: str
    moment: ChangeMoment
    due_at: _timestamp_pb2.Timestamp
    change_plan: _subscription_change_pb2.ChangePlanRequest
    override_price: _subscription_change_pb2.OverridePriceRequest
    change_quantity: _subscription_change_pb2.ChangeQuantityRequest
    pause: _subscription_change_pb2.PauseSubscriptionRequest
    resume: _subscription_change_pb2.ResumeSubscriptionRequest
    cancel: _subscription_change_pb2.CancelSubscriptionRequest
    swap_component: _subscription_change_pb2.SwapComponentRequest
    reason: str
    def __init__(self, idempotency_key: _Optional[str] = ..., subscription_id: _Optional[str] = ..., moment: _Optional[_Union[ChangeMoment, str]] = ..., due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., change_plan: _Optional[_Union[_subscription_change_pb2.ChangePlanRequest, _Mapping]] = ..., override_price: _Optional[_Union[_subscription_change_pb2.OverridePriceRequest, _Mapping]] = ..., change_quantity: _Optional[_Union[_subscription_change_pb2.ChangeQuantityRequest, _Mapping]] = ..., pause: _Optional[_Union[_subscription_change_pb2.PauseSubscriptionRequest, _Mapping]] = ..., resume: _Optional[_Union[_subscription_change_pb2.ResumeSubscriptionRequest, _Mapping]] = ..., cancel: _Optional[_Union[_subscription_change_pb2.CancelSubscriptionRequest, _Mapping]] = ..., swap_component: _Optional[_Union[_subscription_change_pb2.SwapComponentRequest, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class ScheduleChangeResponse(_message.Message):
    __slots__ = ("scheduled_change",)
    SCHEDULED_CHANGE_FIELD_NUMBER: _ClassVar[int]
    scheduled_change: ScheduledChange
    def __init__(self, scheduled_change: _Optional[_Union[ScheduledChange, _Mapping]] = ...) -> None: ...

class ListScheduledChangesRequest(_message.Message):
    __slots__ = ("subscription_id", "page_size", "page_token", "include_ended")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ENDED_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    page_size: int
    page_token: str
    include_ended: bool
    def __init__(self, subscription_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., include_ended: _Optional[bool] = ...) -> None: ...

class ListScheduledChangesResponse(_message.Message):
    __slots__ = ("scheduled_changes", "next_page_token")
    SCHEDULED_CHANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    scheduled_changes: _containers.RepeatedCompositeFieldContainer[ScheduledChange]
    next_page_token: str
    def __init__(self, scheduled_changes: _Optional[_Iterable[_Union[ScheduledChange, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelScheduledChangeRequest(_message.Message):
    __slots__ = ("idempotency_key", "scheduled_change_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULED_CHANGE_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    scheduled_change_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., scheduled_change_id: _Optional[str] = ...) -> None: ...

class CancelScheduledChangeResponse(_message.Message):
    __slots__ = ("scheduled_change",)
    SCHEDULED_CHANGE_FIELD_NUMBER: _ClassVar[int]
    scheduled_change: ScheduledChange
    def __init__(self, scheduled_change: _Optional[_Union[ScheduledChange, _Mapping]] = ...) -> None: ...
