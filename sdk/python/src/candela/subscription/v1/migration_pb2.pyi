import datetime

from candela.subscription.v1 import subscription_pb2 as _subscription_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MigrationStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MIGRATION_STATUS_UNSPECIFIED: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_RUNNING: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_DONE: _ClassVar[MigrationStatus]
    MIGRATION_STATUS_CANCELED: _ClassVar[MigrationStatus]

class MigrationOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MIGRATION_OUTCOME_UNSPECIFIED: _ClassVar[MigrationOutcome]
    MIGRATION_OUTCOME_PENDING: _ClassVar[MigrationOutcome]
    MIGRATION_OUTCOME_MOVED: _ClassVar[MigrationOutcome]
    MIGRATION_OUTCOME_SCHEDULED: _ClassVar[MigrationOutcome]
    MIGRATION_OUTCOME_FAILED: _ClassVar[MigrationOutcome]
MIGRATION_STATUS_UNSPECIFIED: MigrationStatus
MIGRATION_STATUS_RUNNING: MigrationStatus
MIGRATION_STATUS_DONE: MigrationStatus
MIGRATION_STATUS_CANCELED: MigrationStatus
MIGRATION_OUTCOME_UNSPECIFIED: MigrationOutcome
MIGRATION_OUTCOME_PENDING: MigrationOutcome
MIGRATION_OUTCOME_MOVED: MigrationOutcome
MIGRATION_OUTCOME_SCHEDULED: MigrationOutcome
MIGRATION_OUTCOME_FAILED: MigrationOutcome

class Migration(_message.Message):
    __slots__ = ("id", "from_plan_version_id", "to_plan_version_id", "filter", "when", "proration", "status", "total_count", "done_count", "failed_count", "created_at", "ended_at", "effective_at")
    ID_FIELD_NUMBER: _ClassVar[int]
    FROM_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    TO_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    DONE_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    from_plan_version_id: str
    to_plan_version_id: str
    filter: MigrationFilter
    when: _subscription_pb2.EffectiveTime
    proration: _subscription_pb2.ProrationBehavior
    status: MigrationStatus
    total_count: int
    done_count: int
    failed_count: int
    created_at: _timestamp_pb2.Timestamp
    ended_at: _timestamp_pb2.Timestamp
    effective_at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., from_plan_version_id: _Optional[str] = ..., to_plan_version_id: _Optional[str] = ..., filter: _Optional[_Union[MigrationFilter, _Mapping]] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., status: _Optional[_Union[MigrationStatus, str]] = ..., total_count: _Optional[int] = ..., done_count: _Optional[int] = ..., failed_count: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., ended_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class MigrationFilter(_message.Message):
    __slots__ = ("subscription_ids", "customer_ids", "price_ids")
    SUBSCRIPTION_IDS_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_IDS_FIELD_NUMBER: _ClassVar[int]
    PRICE_IDS_FIELD_NUMBER: _ClassVar[int]
    subscription_ids: _containers.RepeatedScalarFieldContainer[str]
    customer_ids: _containers.RepeatedScalarFieldContainer[str]
    price_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, subscription_ids: _Optional[_Iterable[str]] = ..., customer_ids: _Optional[_Iterable[str]] = ..., price_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class MigrationResult(_message.Message):
    __slots__ = ("subscription_id", "outcome", "reason", "amount_difference")
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_DIFFERENCE_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    outcome: MigrationOutcome
    reason: str
    amount_difference: _money_pb2.Money
    def __init__(self, subscription_id: _Optional[str] = ..., outcome: _Optional[_Union[MigrationOutcome, str]] = ..., reason: _Optional[str] = ..., amount_difference: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...
