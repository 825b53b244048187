"""Readers for the kinds of field that many requests have; each refuses with what would be right.

For use with `FieldViolations.read`, in `wire.py`. Some are readers themselves (`slug`,
`currency_code`); the ones with bounds make a reader (`text(1, 200)`). An empty proto string counts
as absent for `optional`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol, TypeVar

from .currency import minor_digits
from .errors import FieldViolation, InvalidInput
from .ids import parse_id
from .money import Money, parse_decimal
from .read_names import own_id
from .reason import Reason
from .recurrence import Recurrence
from .recurrence_text import RecurrenceError
from .time_zone import time_zone_named

MAX_SLUG_LENGTH: Final = 64
MAX_EMAIL_LENGTH: Final = 254  # RFC 5321's longest path
MAX_LABELS: Final = 50
MAX_LABEL_KEY_BYTES: Final = 40
MAX_LABEL_VALUE_BYTES: Final = 500

_T = TypeVar("_T")

_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_EMAIL: Final = re.compile(r"[^@\s\x00-\x1f]+@[^@\s\x00-\x1f]+\.[^@\s\x00-\x1f.]+")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A thousand years around now; beyond lies only nonsense, and PostgreSQL's and Python's limits
# differ.
_FIRST_SECOND: Final = int((datetime(1900, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
_LAST_SECOND: Final = int((datetime(2900, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())


class WireInstant(Protocol):
    """What a google.protobuf.Timestamp looks like from here; the kernel knows no stubs."""

    @property
    def seconds(self) -> int:
        """Seconds since 1970, UTC."""
        ...

    @property
    def nanos(self) -> int:
        """The rest, in nanoseconds."""
        ...


class WireMoney(Protocol):
    """What a candela.type.v1.Money looks like from here."""

    @property
    def currency(self) -> str:
        """An ISO 4217 code."""
        ...

    @property
    def amount(self) -> str:
        """A plain decimal."""
        ...


def optional(read: Callable[[str], _T]) -> Callable[[str], _T | None]:
    """A reader that takes an empty text as absent and leaves any other to `read`."""

    def read_optional(value: str) -> _T | None:
        return read(value) if value else None

    return read_optional


def or_empty(read: Callable[[str], str]) -> Callable[[str], str]:
    """A reader that leaves an empty text, which removes, as it is and any other to `read`."""

    def read_or_empty(value: str) -> str:
        return read(value) if value else ""

    return read_or_empty


def text(least: int, most: int) -> Callable[[str], str]:
    """A reader of text on any number of lines: `least` to `most` characters, no control characters besides."""

    def read_text(value: str) -> str:
        if len(value) < least and not value:
            raise ValueError("must not be empty")
        if not least <= len(value) <= most:
            raise ValueError(f"must have {least} to {most} characters, not {len(value)}")
        if _CONTROL.search(value):
            raise ValueError("must not contain control characters")
        return value

    return read_text


def slug(value: str) -> str:
    """A slug.

    Lower-case letters and digits in groups joined by single hyphens, at most 64 characters
    (CAT-10).
    """
    if not value:
        raise ValueError("must not be empty")
    if len(value) > MAX_SLUG_LENGTH:
        raise ValueError(f"must have at most {MAX_SLUG_LENGTH} characters, not {len(value)}")
    if not _SLUG.fullmatch(value):
        raise ValueError(
            "must be lower-case letters and digits, joined by single hyphens, such as api-calls"
        )
    return value


def decimal(
    *,
    least: Decimal | None = None,
    most: Decimal | None = None,
    max_places: int = 12,
    max_digits: int = 38,
) -> Callable[[str], Decimal]:
    """A reader of a plain decimal within bounds, both inclusive."""

    def read_decimal(value: str) -> Decimal:
        if not value:
            raise ValueError("must not be empty")
        number = parse_decimal(value, max_places=max_places, max_digits=max_digits)
        if least is not None and number < least:
            raise ValueError(f"must be at least {least}, not {value}")
        if most is not None and number > most:
            raise ValueError(f"must be at most {most}, not {value}")
        return number

    return read_decimal


def positive_decimal(value: str) -> Decimal:
    """A plain decimal above 0, with at most 12 places."""
    number = decimal()(value)
    if number <= 0:
        raise ValueError(f"must be above 0, not {value}")
    return number


def whole_number(least: int, most: int) -> Callable[[int], int]:
    """A reader of an integer within bounds, both inclusive."""

    def read_whole_number(value: int) -> int:
        if not least <= value <= most:
            raise ValueError(f"must be {least} to {most}, not {value}")
        return value

    return read_whole_number


def currency_code(value: str) -> str:
    """An upper-case ISO 4217 code."""
    minor_digits(value)
    return value


def country_code(value: str) -> str:
    """An upper-case ISO 3166-1 alpha-2 code."""
    if len(value) != 2 or not value.isascii() or not value.isalpha() or not value.isupper():
        raise ValueError("must be an ISO 3166-1 alpha-2 code in upper case, such as DE")
    return value


def money(value: WireMoney) -> Money:
    """An amount of one currency with at most 12 places, which may be negative."""
    violations: list[FieldViolation] = []
    currency, amount = "", Decimal(0)
    try:
        currency = currency_code(value.currency)
    except ValueError as error:
        violations.append(FieldViolation("currency", str(error)))
    try:
        amount = decimal()(value.amount)
    except ValueError as error:
        violations.append(FieldViolation("amount", str(error)))
    if violations:
        raise InvalidInput("is not an amount of money", violations=violations)
    return Money(currency=currency, amount=amount)


def time_zone(value: str) -> str:
    """An IANA time zone name, such as Europe/Berlin."""
    time_zone_named(value)
    return value


def recurrence(rule: str, default_time_zone: str) -> Recurrence:
    """A recurrence rule, in the zone that it names or else in the given one (DSL-5)."""
    try:
        return Recurrence.parse(rule, default_time_zone)
    except RecurrenceError as error:
        violation = FieldViolation("", error.reason, Reason.RECURRENCE_RULE_INVALID)
        raise InvalidInput(error.reason, violations=[violation]) from error


def typed_id(prefix: str) -> Callable[[str], str]:
    """A reader of ids of one kind; another kind's id is refused naming the expected prefix."""

    def read_id(value: str) -> str:
        return parse_id(prefix, value)

    return read_id


def idempotency_key(value: str) -> str:
    """What makes a repeated call harmless (AUD-2): an id of the caller's own."""
    return own_id(value)


def email(value: str) -> str:
    """An e-mail address, checked for its shape only; whether it exists shows when it is used."""
    if len(value) > MAX_EMAIL_LENGTH or not _EMAIL.fullmatch(value):
        raise ValueError("is not an e-mail address such as billing@example.com")
    return value


def metadata(value: Mapping[str, str]) -> dict[str, str]:
    """A merchant's own labels: at most 50, with keys of 1 to 40 bytes and values of at most 500."""
    if len(value) > MAX_LABELS:
        raise ValueError(f"must have at most {MAX_LABELS} keys, not {len(value)}")
    for key, label in value.items():
        if not 1 <= len(key.encode()) <= MAX_LABEL_KEY_BYTES:
            raise ValueError(f"key {key[:40]!r} must have 1 to {MAX_LABEL_KEY_BYTES} bytes")
        if len(label.encode()) > MAX_LABEL_VALUE_BYTES:
            raise ValueError(
                f"the value of {key!r} must have at most {MAX_LABEL_VALUE_BYTES} bytes"
            )
        if _CONTROL.search(key) or "\x00" in label:
            raise ValueError(f"key {key!r} or its value contains control characters")
    return dict(value)


def instant(value: WireInstant) -> datetime:
    """A UTC instant, cut to microseconds, between the years 1900 and 2900."""
    if not _FIRST_SECOND <= value.seconds < _LAST_SECOND or not 0 <= value.nanos < 1_000_000_000:
        raise ValueError("is not an instant between the years 1900 and 2900")
    return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
