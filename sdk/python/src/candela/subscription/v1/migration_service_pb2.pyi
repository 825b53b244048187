import datetime

from candela.subscription.v1 import migration_pb2 as _migration_pb2
from candela.subscription.v1 import subscription_pb2 as _subscription_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PreviewMigrationRequest(_message.Message):
    __slots__ = ("from_plan_version_id", "to_plan_version_id", "filter", "when", "proration", "page_size", "page_token", "effective_at")
    FROM_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    TO_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    from_plan_version_id: str
    to_plan_version_id: str
    filter: _migration_pb2.MigrationFilter
    when: _subscription_pb2.EffectiveTime
    proration: _subscription_pb2.ProrationBehavior
    page_size: int
    page_token: str
    effective_at: _timestamp_pb2.Timestamp
    def __init__(self, from_plan_version_id: _Optional[str] = ..., to_plan_version_id: _Optional[str] = ..., filter: _Optional[_Union[_migration_pb2.MigrationFilter, _Mapping]] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PreviewMigrationResponse(_message.Message):
    __slots__ = ("total_count", "results", "next_page_token")
    TOTAL_COUNT_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    total_count: int
    results: _containers.RepeatedCompositeFieldContainer[_migration_pb2.MigrationResult]
    next_page_token: str
    def __init__(self, total_count: _Optional[int] = ..., results: _Optional[_Iterable[_Union[_migration_pb2.MigrationResult, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateMigrationRequest(_message.Message):
    __slots__ = ("idempotency_key", "from_plan_version_id", "to_plan_version_id", "filter", "when", "proration", "effective_at")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    FROM_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    TO_PLAN_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    WHEN_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    from_plan_version_id: str
    to_plan_version_id: str
    filter: _migration_pb2.MigrationFilter
    when: _subscription_pb2.EffectiveTime
    proration: _subscription_pb2.ProrationBehavior
    effective_at: _timestamp_pb2.Timestamp
    def __init__(self, idempotency_key: _Optional[str] = ..., from_plan_version_id: _Optional[str] = ..., to_plan_version_id: _Optional[str] = ..., filter: _Optional[_Union[_migration_pb2.MigrationFilter, _Mapping]] = ..., when: _Optional[_Union[_subscription_pb2.EffectiveTime, str]] = ..., proration: _Optional[_Union[_subscription_pb2.ProrationBehavior, str]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CreateMigrationResponse(_message.Message):
    __slots__ = ("migration",)
    MIGRATION_FIELD_NUMBER: _ClassVar[int]
    migration: _migration_pb2.Migration
    def __init__(self, migration: _Optional[_Union[_migration_pb2.Migration, _Mapping]] = ...) -> None: ...

class GetMigrationRequest(_message.Message):
    __slots__ = ("migration_id",)
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    migration_id: str
    def __init__(self, migration_id: _Optional[str] = ...) -> None: ...

class GetMigrationResponse(_message.Message):
    __slots__ = ("migration",)
    MIGRATION_FIELD_NUMBER: _ClassVar[int]
    migration: _migration_pb2.Migration
    def __init__(self, migration: _Optional[_Union[_migration_pb2.Migration, _Mapping]] = ...) -> None: ...

class ListMigrationsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListMigrationsResponse(_message.Message):
    __slots__ = ("migrations", "next_page_token")
    MIGRATIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    migrations: _containers.RepeatedCompositeFieldContainer[_migration_pb2.Migration]
    next_page_token: str
    def __init__(self, migrations: _Optional[_Iterable[_Union[_migration_pb2.Migration, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListMigrationResultsRequest(_message.Message):
    __slots__ = ("migration_id", "page_size", "page_token", "outcomes")
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    migration_id: str
    page_size: int
    page_token: str
    outcomes: _containers.RepeatedScalarFieldContainer[_migration_pb2.MigrationOutcome]
    def __init__(self, migration_id: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., outcomes: _Optional[_Iterable[_Union[_migration_pb2.MigrationOutcome, str]]] = ...) -> None: ...

class ListMigrationResultsResponse(_message.Message):
    __slots__ = ("results", "next_page_token")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[_migration_pb2.MigrationResult]
    next_page_token: str
    def __init__(self, results: _Optional[_Iterable[_Union[_migration_pb2.MigrationResult, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelMigrationRequest(_message.Message):
    __slots__ = ("idempotency_key", "migration_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    MIGRATION_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    migration_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., migration_id: _Optional[str] = ...) -> None: ...

class CancelMigrationResponse(_message.Message):
    __slots__ = ("migration",)
    MIGRATION_FIELD_NUMBER: _ClassVar[int]
    migration: _migration_pb2.Migration
    def __init__(self, migration: _Optional[_Union[_migration_pb2.Migration, _Mapping]] = ...) -> None: ...
