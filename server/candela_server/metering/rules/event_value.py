"""What an event may carry: its key, its name, its value and its properties (EVT-1)."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Final, NoReturn, TypeAlias

from candela_server.catalog.rules.event_names import MAX_PROPERTY_NAME_BYTES, event_name

from .card_number import holds_card_number, may_hold_card_number

MAX_KEY_BYTES = 255
MAX_PROPERTIES_BYTES = 8192
MAX_PROPERTIES = 50
MAX_PROPERTY_BYTES = 500
MAX_DIGITS = 38
"""Digits of a value: what a sum of many still holds exactly in numeric, and what a decimal128 would."""

MAX_PLACES = 12

Property: TypeAlias = str | bool | Decimal
Properties: TypeAlias = dict[str, Property]

_VALUE = re.compile(r"-?[0-9]{1,38}(?:\.[0-9]{1,12})?")
_CARD: Final = (
    "looks like a payment card number, which no event may hold; send a token of it instead"
)


class EventFieldError(ValueError):
    """A field of an event is wrong; `field` says which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def check_key(key: str, encoded: bytes) -> None:
    """Refuses an idempotency key that is missing, too long or holds a NUL, which cannot be stored.

    Nothing else of it matters, because it is only compared: to refuse an event for it would lose what was used. Nor is
    it searched for card numbers: nobody reads one off a key, and of random keys some look like one by chance.
    """
    if not encoded:
        raise EventFieldError(
            "idempotency_key", "the idempotency key is missing; send one per event"
        )
    if len(encoded) > MAX_KEY_BYTES:
        raise EventFieldError(
            "idempotency_key",
            f"the key has {len(encoded)} bytes; at most {MAX_KEY_BYTES} are allowed",
        )
    if "\x00" in key:
        raise EventFieldError("idempotency_key", "the key holds a NUL character")


def check_name(name: str) -> None:
    """Refuses an event name that no metric could read."""
    try:
        event_name(name)
    except ValueError as error:
        raise EventFieldError("name", f"the name {error}") from error
    if holds_card_number(name):
        raise EventFieldError("name", f"the name {_CARD}")


def check_reference(field: str, text: str) -> None:
    """Refuses an id of the sender's own that must not be kept; it names nobody, or it would not be looked at."""
    if holds_card_number(text):
        raise EventFieldError(field, f"the id {_CARD}")
    if "\x00" in text:
        raise EventFieldError(field, "the id holds a NUL character")


def parse_value(text: str) -> Decimal:
    """The exact decimal that `text` is: plain, finite, at most 38 digits, at most 12 after the point."""
    if not _VALUE.fullmatch(text):
        shown = text if len(text) <= 60 else text[:57] + "…"
        raise EventFieldError(
            "value",
            f"{shown!r} is not a plain decimal of at most {MAX_DIGITS} digits, 12 of them after the point",
        )
    value = Decimal(text)
    if len(value.as_tuple().digits) > MAX_DIGITS:
        raise EventFieldError("value", f"{text} has more than {MAX_DIGITS} digits")
    return value if value else Decimal(0)  # never a negative zero


def parse_properties(encoded: bytes) -> Properties:
    """The flat object of properties that `encoded` is, numbers as exact decimals."""
    if len(encoded) > MAX_PROPERTIES_BYTES:
        raise EventFieldError(
            "properties_json",
            f"{len(encoded)} bytes; at most {MAX_PROPERTIES_BYTES} are allowed",
        )
    try:
        document = _decoder.decode(encoded.decode())
    except EventFieldError:
        raise
    except (ValueError, RecursionError) as error:
        raise EventFieldError("properties_json", f"not JSON in UTF-8: {error}") from error
    if type(document) is not dict:
        raise EventFieldError("properties_json", "not a JSON object")
    if len(document) > MAX_PROPERTIES:
        raise EventFieldError(
            "properties_json",
            f"{len(document)} properties; at most {MAX_PROPERTIES} are allowed",
        )
    for name, value in document.items():
        _check_property(name, value)
    if may_hold_card_number(encoded):
        _refuse_card_numbers(document)
    return document


def property_text(value: Property) -> str:
    """A property as text, exactly as PostgreSQL's ->> writes it: what unique values and groups are told apart by."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return format(value, "f")


def _check_property(name: str, value: object) -> None:
    # Stricter where metrics name it (property_name): a name that no metric can read does no harm here.
    if not name or len(_encoded(name)) > MAX_PROPERTY_NAME_BYTES or "\x00" in name:
        raise EventFieldError(
            "properties_json",
            f"a property's name has 1 to {MAX_PROPERTY_NAME_BYTES} bytes and no NUL",
        )
    if isinstance(value, str):
        if len(_encoded(value)) > MAX_PROPERTY_BYTES or "\x00" in value:
            raise EventFieldError(
                "properties_json",
                f"property {name!r}: a text has at most {MAX_PROPERTY_BYTES} bytes and no NUL",
            )
    elif not isinstance(value, (bool, Decimal)):
        raise EventFieldError(
            "properties_json",
            f"property {name!r} is neither a text, a number nor a boolean; the object must be flat",
        )


def _refuse_card_numbers(document: Properties) -> None:
    # The message never repeats what was found.
    for position, (name, value) in enumerate(document.items(), start=1):
        if holds_card_number(name):
            raise EventFieldError("properties_json", f"the name of property {position} {_CARD}")
        if not isinstance(value, bool) and holds_card_number(property_text(value)):
            raise EventFieldError("properties_json", f"property {name!r} {_CARD}")


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which no database stores
        raise EventFieldError("properties_json", "a text holds half of a surrogate pair") from error


def _number(text: str) -> Decimal:
    """A JSON number, bounded so that neither its digits nor its exponent can be made to cost anything."""
    if len(text) > 2 * MAX_DIGITS:
        raise EventFieldError("properties_json", "a number has more than 38 digits")
    number = Decimal(text)
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if not -MAX_PLACES <= exponent <= MAX_DIGITS or len(digits) + max(exponent, 0) > MAX_DIGITS:
        raise EventFieldError(
            "properties_json",
            f"the number {text} has more than {MAX_DIGITS} digits, or more than {MAX_PLACES} after the point",
        )
    return number if number else abs(number)


def _no_constant(name: str) -> NoReturn:
    raise EventFieldError("properties_json", f"{name} is not a JSON number")


_decoder = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_no_constant)
