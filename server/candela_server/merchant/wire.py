"""Merchants, keys, clocks and audit entries, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from candela.merchant.v1 import (
    api_key_pb2,
    api_key_service_pb2,
    audit_entry_pb2,
    merchant_pb2,
    test_clock_pb2,
    test_clock_service_pb2,
)
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.caller import Mode, Scope
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import instant, typed_id
from candela_server.kernel.read_names import line

from .advance_test_clock import AdvanceTestClock
from .create_api_key import CreateApiKey
from .create_test_clock import CreateTestClock
from .list_audit_entries import AuditEntry
from .model import ApiKey, ApiKeyId, ApiKeyKind, Merchant, TestClock, TestClockId, TestClockStatus
from .numbering import Series
from .revoke_api_key import RevokeApiKey
from .rotate_api_key import DEFAULT_OVERLAP, MAX_OVERLAP, RotateApiKey
from .settings_wire import settings_to_proto

_FIRST_CLOCK_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
_LAST_CLOCK_INSTANT = datetime(2100, 1, 1, tzinfo=UTC)
_MODES = {Mode.LIVE: merchant_pb2.MODE_LIVE, Mode.TEST: merchant_pb2.MODE_TEST}
_KINDS = {
    ApiKeyKind.SECRET: api_key_pb2.API_KEY_KIND_SECRET,
    ApiKeyKind.PUBLISHABLE: api_key_pb2.API_KEY_KIND_PUBLISHABLE,
}
_SCOPES = {
    Scope.READ: api_key_pb2.API_KEY_SCOPE_READ,
    Scope.WRITE: api_key_pb2.API_KEY_SCOPE_WRITE,
    Scope.ADMIN: api_key_pb2.API_KEY_SCOPE_ADMIN,
}
_CLOCK_STATUSES = {
    TestClockStatus.READY: test_clock_pb2.TEST_CLOCK_STATUS_READY,
    TestClockStatus.ADVANCING: test_clock_pb2.TEST_CLOCK_STATUS_ADVANCING,
    TestClockStatus.FAILED: test_clock_pb2.TEST_CLOCK_STATUS_FAILED,
}


def create_api_key_from_proto(request: api_key_service_pb2.CreateApiKeyRequest) -> CreateApiKey:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        kind = fields.read("kind", _kind_from_proto, request.kind)
        scopes = fields.read_each("scopes", _scope_from_proto, request.scopes)
        if kind is ApiKeyKind.SECRET and not scopes:
            fields.add("scopes", "must name at least one scope for a secret key")
        if kind is ApiKeyKind.PUBLISHABLE and scopes:
            fields.add("scopes", "must be empty for a publishable key")
        return CreateApiKey(
            name=fields.read("name", line(1, 100), request.name),
            kind=kind,
            scopes=frozenset(scopes),
            expires_at=fields.read_given(request, "expires_at", instant),
        )


def rotate_api_key_from_proto(request: api_key_service_pb2.RotateApiKeyRequest) -> RotateApiKey:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return RotateApiKey(
            api_key_id=fields.read("api_key_id", _key_id, request.api_key_id),
            overlap=fields.read("overlap", _overlap, request.overlap)
            if request.HasField("overlap")
            else DEFAULT_OVERLAP,
        )


def revoke_api_key_from_proto(request: api_key_service_pb2.RevokeApiKeyRequest) -> RevokeApiKey:
    """The command; raises InvalidInput."""
    with FieldViolations() as fields:
        return RevokeApiKey(api_key_id=fields.read("api_key_id", _key_id, request.api_key_id))


def api_key_id_from_proto(field: str, value: str) -> ApiKeyId:
    """A key's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return fields.read(field, _key_id, value)


def create_test_clock_from_proto(
    request: test_clock_service_pb2.CreateTestClockRequest,
) -> CreateTestClock:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if not request.HasField("now_at"):
            fields.add("now_at", "must be set")
        return CreateTestClock(
            now_at=fields.read("now_at", _clock_instant, request),
            name=fields.read("name", line(0, 100), request.name),
        )


def advance_test_clock_from_proto(
    request: test_clock_service_pb2.AdvanceTestClockRequest,
) -> AdvanceTestClock:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if not request.HasField("target_at"):
            fields.add("target_at", "must be set")
        return AdvanceTestClock(
            test_clock_id=fields.read("test_clock_id", _clock_id, request.test_clock_id),
            target_at=fields.read("target_at", instant, request.target_at),
        )


def test_clock_id_from_proto(value: str) -> TestClockId:
    """A test clock's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return fields.read("test_clock_id", _clock_id, value)


def merchant_to_proto(
    merchant: Merchant, next_numbers: Mapping[Series, int]
) -> merchant_pb2.Merchant:
    """The merchant as the contract shows it, and what the next document of each series is counted as."""
    return merchant_pb2.Merchant(
        id=merchant.id,
        name=merchant.name,
        mode=_MODES[merchant.mode],
        time_zone=merchant.time_zone,
        default_currency=merchant.default_currency,
        test_clock_id=merchant.test_clock_id,
        settings=settings_to_proto(merchant.settings, next_numbers),
        created_at=timestamp_to_proto(merchant.created_at),
        version=merchant.version,
    )


def api_key_to_proto(key: ApiKey) -> api_key_pb2.ApiKey:
    """The key as lists show it: its prefix only (KEY-2)."""
    return api_key_pb2.ApiKey(
        id=key.id,
        name=key.name,
        kind=_KINDS[key.kind],
        prefix=key.prefix,
        scopes=[_SCOPES[scope] for scope in sorted(key.scopes)],
        created_at=timestamp_to_proto(key.created_at),
        expires_at=optional_timestamp_to_proto(key.expires_at),
        revoked_at=optional_timestamp_to_proto(key.revoked_at),
        last_used_at=optional_timestamp_to_proto(key.last_used_at),
        replaced_by_id=key.replaced_by_id,
    )


def test_clock_to_proto(clock: TestClock) -> test_clock_pb2.TestClock:
    """The test clock as the contract shows it."""
    return test_clock_pb2.TestClock(
        id=clock.id,
        name=clock.name,
        now_at=timestamp_to_proto(clock.now_at),
        status=_CLOCK_STATUSES[clock.status],
        target_at=optional_timestamp_to_proto(clock.target_at),
        created_at=timestamp_to_proto(clock.created_at),
        failure=clock.failure,
        archived_at=optional_timestamp_to_proto(clock.archived_at),
    )


def audit_entries_to_proto(entries: Sequence[AuditEntry]) -> list[audit_entry_pb2.AuditEntry]:
    """The entries as the contract shows them."""
    return [_audit_entry_to_proto(entry) for entry in entries]


def _audit_entry_to_proto(entry: AuditEntry) -> audit_entry_pb2.AuditEntry:
    return audit_entry_pb2.AuditEntry(
        id=entry.id,
        at=timestamp_to_proto(entry.at),
        actor=entry.actor,
        api_key_id=entry.api_key_id or "",
        action=entry.action,
        subject_id=entry.subject_id,
        reason=entry.reason or "",
        before=_struct(entry.before),
        after=_struct(entry.after),
        request_id=entry.request_id or "",
        method=entry.method or "",
    )


def _struct(value: dict[str, object] | None) -> Struct | None:
    if value is None:
        return None
    struct = Struct()
    struct.update(cast(Any, value))
    return struct


def _kind_from_proto(value: int) -> ApiKeyKind:
    for kind, number in _KINDS.items():
        if number == value:
            return kind
    raise ValueError("must be SECRET or PUBLISHABLE")


def _scope_from_proto(value: int) -> Scope:
    for scope, number in _SCOPES.items():
        if number == value:
            return scope
    raise ValueError("must be READ, WRITE or ADMIN")


def _key_id(value: str) -> ApiKeyId:
    return ApiKeyId(typed_id("key")(value))


def _clock_id(value: str) -> TestClockId:
    return TestClockId(typed_id("tck")(value))


def _overlap(duration: Duration) -> timedelta:
    overlap = duration.ToTimedelta()
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise ValueError(f"must be 0 to {MAX_OVERLAP.days} days")
    return overlap


def _clock_instant(request: test_clock_service_pb2.CreateTestClockRequest) -> datetime:
    now_at = instant(request.now_at)
    if request.HasField("now_at") and not _FIRST_CLOCK_INSTANT <= now_at < _LAST_CLOCK_INSTANT:
        raise ValueError("must lie from 2000-01-01 to 2100-01-01")
    return now_at
