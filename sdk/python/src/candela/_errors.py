"""What a failed call says, in one object: the stable reason, the sentence, and the fields that were wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field: its path in the request, for example "prices[0].currency", and what is wrong."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call failed.

    `reason` is the full name of an ErrorReason value, for example "ERROR_REASON_FEATURE_NOT_FOUND"; it is empty when
    the failure did not come from a Candela server, such as a refused connection. `retry_after` is set when the same
    call may succeed later.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: Mapping[str, str]
    fields: tuple[FieldViolation, ...]
    retry_after: timedelta | None

    def __str__(self) -> str:
        """The reason and the sentence."""
        return f"{self.reason or self.code.name}: {self.message}"


def failure_of(error: grpc.RpcError) -> Failure:
    """What the failed call said."""
    # Every RpcError that a stub raises is a grpc.Call as well; the types do not say so.
    call = cast(Any, error)
    code: grpc.StatusCode = call.code()
    message: str = call.details() or ""
    reason, metadata, retry_after = "", dict[str, str](), None
    fields: list[FieldViolation] = []
    status = rpc_status.from_call(call)
    for packed in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        retry = error_details_pb2.RetryInfo()
        if packed.Unpack(info):
            reason, metadata = info.reason, dict(info.metadata)
        elif packed.Unpack(bad):
            fields += [FieldViolation(v.field, v.description) for v in bad.field_violations]
        elif packed.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    return Failure(code, reason, message, metadata, tuple(fields), retry_after)
