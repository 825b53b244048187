"""Why a call fails: ten kinds of error, each a gRPC code, with a reason from `Reason`.

Rooms define their facts under these kinds in `model.py`. What turns a kind into a google.rpc.Status
is the edge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType, TracebackType
from typing import Any, Final, ParamSpec, Protocol, Self, TypeVar, cast

from .money import format_decimal
from .reason import Reason as Reason

_T = TypeVar("_T")
_Item = TypeVar("_Item")
_P = ParamSpec("_P")

MAX_VIOLATIONS: Final = 100
"""A hostile request of a million wrong items must not become an answer of a million lines."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One wrong field.

    Its path from the request, what is wrong with it, and a reason of its own if it has one.
    """

    field: str
    description: str
    reason: Reason | None = None

    def __str__(self) -> str:
        return f"{self.field}: {self.description}" if self.field else self.description

    def under(self, prefix: str) -> FieldViolation:
        """The same violation, seen from the message that holds the field at `prefix`."""
        return FieldViolation(join_path(prefix, self.field), self.description, self.reason)


def join_path(prefix: str, field: str) -> str:
    """The path of `field` inside `prefix`: "prices[1]" and "name" give "prices[1].name"."""
    if not prefix or not field or field.startswith("["):
        return prefix + field
    return f"{prefix}.{field}"


class CandelaError(Exception):
    """A failure with a meaning: a stable reason, a sentence that ends with what to do, and data.

    Keyword arguments beyond the named ones are the error's metadata: ids, expected, actual; never a
    secret. With `field` alone, the message is that field's violation. `retry_after` is how long to
    wait before trying again.
    """

    reason: Reason

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        violations: Iterable[FieldViolation] = (),
        retry_after: timedelta | None = None,
        **metadata: object,
    ) -> None:
        assert hasattr(self, "reason"), f"{type(self).__name__} must say its reason"
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        if field is not None and not self.violations:
            self.violations = (FieldViolation(field, message),)
        self.retry_after = retry_after
        self.metadata: Mapping[str, str] = MappingProxyType(
            {key: _metadata_text(value) for key, value in metadata.items()}
        )


class InvalidInput(CandelaError):  # noqa: N818 - the kinds are named as the facts they state
    """Wrong by itself, whatever the state of things. INVALID_ARGUMENT."""

    reason = Reason.INVALID_FIELD


class NotFound(CandelaError):  # noqa: N818
    """Does not exist in this merchant. NOT_FOUND, also for what belongs to another tenant."""


class AlreadyExists(CandelaError):  # noqa: N818
    """What must be unique is taken. ALREADY_EXISTS."""


class Refused(CandelaError):  # noqa: N818
    """Right by itself but wrong now: a state does not allow it. FAILED_PRECONDITION."""


class Conflict(CandelaError):  # noqa: N818
    """Another change was first; the same call may succeed when repeated. ABORTED."""

    reason = Reason.CONCURRENT_CHANGE


class OverLimit(CandelaError):  # noqa: N818
    """A limit of the service, not of the product. RESOURCE_EXHAUSTED."""

    reason = Reason.OVERLOADED


class Forbidden(CandelaError):  # noqa: N818
    """The key is known but may not do this. PERMISSION_DENIED."""

    reason = Reason.FORBIDDEN_SCOPE


class Unauthenticated(CandelaError):  # noqa: N818
    """No valid key. UNAUTHENTICATED."""

    reason = Reason.UNAUTHENTICATED


class Unavailable(CandelaError):  # noqa: N818
    """The server cannot answer now. UNAVAILABLE."""

    reason = Reason.UNAVAILABLE


class Unserved(CandelaError):  # noqa: N818
    """Part of the contract, but not served by this release. UNIMPLEMENTED."""

    reason = Reason.UNKNOWN_METHOD

    def __init__(self, what: str, spec_ids: str, *, field: str | None = None) -> None:
        super().__init__(
            f"{what} is not served yet ({spec_ids}); a later release will",
            field=field,
            method=what,
            spec_ids=spec_ids,
        )


def _metadata_text(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Decimal():
            return format_decimal(value)
        case _:
            return str(value)


class HasFields(Protocol):
    """What a protobuf message looks like from here; the kernel knows no stubs."""

    def HasField(self, field_name: Any, /) -> bool:
        """Whether the field is there."""
        ...


class FieldViolations:
    """Collects every wrong field of a request and raises InvalidInput once, as its block ends.

        with FieldViolations() as fields:
            return GrantCredits(
                amount=fields.read("amount", positive_decimal, request.amount),
                prices=fields.read_each("prices", price_from_proto, request.prices),
            )

    A parser says what is wrong by raising ValueError, or InvalidInput with violations of its own,
    whose paths are then put under the field. The value that `read` returns for a wrong field is
    never seen outside the block; what fails inside it because of such a value is not reported.
    """

    __slots__ = ("_found", "_prefix")

    def __init__(self) -> None:
        self._found: list[FieldViolation] = []
        self._prefix = ""

    def read(
        self, field: str, parse: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """What `parse` makes of the arguments.

        When it refuses them, the violation is noted under `field`.
        """
        try:
            return parse(*args, **kwargs)
        except InvalidInput as error:
            self._note(_violations_of(error), field)
        except ValueError as error:
            self.add(field, str(error))
        return cast("_T", _UNREAD)

    def read_given(self, message: HasFields, field: str, parse: Callable[[Any], _T]) -> _T | None:
        """What `parse` makes of a field that may be absent; None when it is."""
        if not message.HasField(field):
            return None
        return self.read(field, parse, getattr(message, field))

    def read_each(
        self, field: str, parse: Callable[[_Item], _T], items: Iterable[_Item]
    ) -> tuple[_T, ...]:
        """What `parse` makes of each item; violations are noted under `field[index]`."""
        return tuple(
            self.read(f"{field}[{index}]", parse, item) for index, item in enumerate(items)
        )

    def add(self, field: str, description: str, reason: Reason | None = None) -> None:
        """Notes that `field` is wrong."""
        self._note((FieldViolation(field, description, reason),), "")

    def nested(self, prefix: str) -> FieldViolations:
        """A view for the fields of the message at `prefix`; what it notes, this one raises."""
        view = FieldViolations()
        view._found = self._found
        view._prefix = join_path(self._prefix, prefix)
        return view

    @property
    def any(self) -> bool:
        """Whether a field was found wrong so far, here or in a nested view."""
        return bool(self._found)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, Exception):
            return
        if isinstance(error, InvalidInput) and self._found:
            self._note(_violations_of(error), "")
        # A nested view leaves raising to its owner, unless its block could not go on.
        if self._found and (error is not None or not self._prefix):
            raise _invalid_input(self._found) from error

    def _note(self, violations: Iterable[FieldViolation], field: str) -> None:
        prefix = join_path(self._prefix, field)
        for violation in violations:
            seen_from_here = violation.under(prefix) if prefix else violation
            if len(self._found) < MAX_VIOLATIONS and seen_from_here not in self._found:
                self._found.append(seen_from_here)


class _Unread:
    """Stands for the value of a wrong field until the with-block ends."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<unread field>"


_UNREAD: Final = _Unread()


def _violations_of(error: InvalidInput) -> tuple[FieldViolation, ...]:
    """The error's violations; an error without any is one about the whole value."""
    reason = None if error.reason is Reason.INVALID_FIELD else error.reason
    return error.violations or (FieldViolation("", error.message, reason),)


def _invalid_input(violations: list[FieldViolation]) -> InvalidInput:
    """One error for all violations. It has their reason when they share one, else INVALID_FIELD."""
    listed = "; ".join(str(violation) for violation in violations)
    count = "1 field is" if len(violations) == 1 else f"{len(violations)} fields are"
    error = InvalidInput(f"{count} wrong: {listed}; correct the request", violations=violations)
    reasons = {violation.reason for violation in violations}
    shared = reasons.pop()
    if shared is not None and not reasons:
        error.reason = shared
    return error
