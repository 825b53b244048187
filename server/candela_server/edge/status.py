"""From an error of the house to a google.rpc.Status; the only place that knows gRPC codes.

Things of another merchant are looked for inside the caller's own merchant only, so they are simply not found; nothing
here can tell them apart from things that do not exist.
"""

from __future__ import annotations

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from candela_server.kernel.errors import (
    AlreadyExists,
    CandelaError,
    Conflict,
    Forbidden,
    InvalidInput,
    NotFound,
    OverLimit,
    Reason,
    Refused,
    Unauthenticated,
    Unavailable,
    Unserved,
)

DOMAIN = "candela"

_CODES: dict[type[CandelaError], int] = {
    InvalidInput: code_pb2.INVALID_ARGUMENT,
    NotFound: code_pb2.NOT_FOUND,
    AlreadyExists: code_pb2.ALREADY_EXISTS,
    Refused: code_pb2.FAILED_PRECONDITION,
    Conflict: code_pb2.ABORTED,
    OverLimit: code_pb2.RESOURCE_EXHAUSTED,
    Forbidden: code_pb2.PERMISSION_DENIED,
    Unauthenticated: code_pb2.UNAUTHENTICATED,
    Unavailable: code_pb2.UNAVAILABLE,
    Unserved: code_pb2.UNIMPLEMENTED,
}


def status_of(error: CandelaError) -> status_pb2.Status:
    """The whole status: code, message, ErrorInfo always, and the details that fit the kind."""
    code = next(code for kind, code in _CODES.items() if isinstance(error, kind))
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata=dict(error.metadata)
    )
    details: list[Message] = [info]
    if error.violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=violation.field, description=violation.description
                    )
                    for violation in error.violations
                ]
            )
        )
    if isinstance(error, Refused):
        details.append(
            error_details_pb2.PreconditionFailure(
                violations=[
                    error_details_pb2.PreconditionFailure.Violation(
                        type=error.reason,
                        subject=next(iter(error.metadata.values()), ""),
                        description=str(error),
                    )
                ]
            )
        )
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromTimedelta(error.retry_after)
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return status_pb2.Status(code=code, message=str(error), details=[_packed(d) for d in details])


def internal_status(request_id: str) -> status_pb2.Status:
    """What a caller is told of a defect: nothing but the id under which the log has it."""
    info = error_details_pb2.ErrorInfo(
        reason=Reason.INTERNAL, domain=DOMAIN, metadata={"request_id": request_id}
    )
    return status_pb2.Status(
        code=code_pb2.INTERNAL,
        message=f"a defect in the server; report it with the request id {request_id}",
        details=[_packed(info)],
    )


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
