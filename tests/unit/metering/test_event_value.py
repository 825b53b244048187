"""What an event may carry (EVT-1, faults 35 and 40)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.metering.rules.event_value import (
    EventFieldError,
    check_key,
    check_name,
    parse_properties,
    parse_value,
    property_text,
)


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "-inf",
        "1e308",
        "1E2",
        "",
        " 1",
        "1 ",
        "+1",
        "0x1",
        "1_000",
        "٣",
        "1" * 39,
        "0." + "1" * 13,
        "1" * 30 + "." + "1" * 12,
        ".5",
        "1.",
        "--1",
    ],
)
def test_a_value_that_is_no_plain_decimal__is_refused(text: str) -> None:
    with pytest.raises(EventFieldError) as caught:
        parse_value(text)

    assert caught.value.field == "value"


@pytest.mark.spec("EVT-1")
@given(st.decimals(min_value=-(10**25), max_value=10**25, places=12, allow_nan=False))
def test_a_plain_decimal__is_read_exactly(value: Decimal) -> None:
    assert parse_value(format(value, "f")) == value


def test_negative_zero__is_zero() -> None:
    assert str(parse_value("-0.00")) == "0"


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize(
    "encoded",
    [
        b"[]",
        b"1",
        b"{",
        b'{"a":null}',
        b'{"a":[1]}',
        b'{"a":{}}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e400}',
        b'{"a":1e-13}',
        b'{"a":' + b"9" * 39 + b"}",
        b'{"a":"\\u0000"}',
        b'{"a":"\\ud800"}',
        b'{"\\ud800":1}',
        b'{"":1}',
        b'{"a":"\xff"}',
        b'{"' + b"n" * 65 + b'":1}',
        b'{"a":"' + b"v" * 501 + b'"}',
        b'{"a":' * 3000 + b"1" + b"}" * 3000,
        b" " * 8193,
        json.dumps({f"p{number}": 1 for number in range(51)}).encode(),
    ],
)
def test_properties_that_are_not_small_and_flat__are_refused(encoded: bytes) -> None:
    with pytest.raises(EventFieldError) as caught:
        parse_properties(encoded)

    assert caught.value.field == "properties_json"


@pytest.mark.spec("EVT-1")
def test_flat_properties__are_read_with_exact_numbers() -> None:
    got = parse_properties(
        '{"model":"gpt-∞","n":0.1,"big":1e3,"yes":true,"__proto__":"x"}'.encode()
    )

    assert got == {
        "model": "gpt-∞",
        "n": Decimal("0.1"),
        "big": Decimal(1000),
        "yes": True,
        "__proto__": "x",
    }
    assert [property_text(got[name]) for name in ("n", "big", "yes")] == ["0.1", "1000", "true"]


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("key", ["", "k" * 256, "é" * 128, "a\x00b"])
def test_a_bad_key__is_refused(key: str) -> None:
    with pytest.raises(EventFieldError) as caught:
        check_key(key, key.encode())

    assert caught.value.field == "idempotency_key"


@pytest.mark.spec("EVT-1")
@pytest.mark.parametrize("key", ["k" * 255, "🔑", "'; DROP TABLE event; --", " a\tb\\ "])
def test_an_odd_but_short_key__is_taken(key: str) -> None:
    check_key(key, key.encode())


@pytest.mark.parametrize(
    "name", ["", " ", "n" * 129, "a\nb", "a\x7f", " call", "call ", "ca\u200bll"]
)
def test_a_bad_name__is_refused(name: str) -> None:
    with pytest.raises(EventFieldError):
        check_name(name)
