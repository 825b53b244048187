"""What names and ids of the caller's own may be made of."""

from __future__ import annotations

import pytest

from candela_server.kernel.read_fields import idempotency_key
from candela_server.kernel.read_names import line, own_id

IDS = ("42", "org 42", "auth0|5f7c", "billing@acme.example", "Größe", "東京 1", "🦊", "k" * 255)
NAMES = (
    "Acme, Inc.",
    " Acme ",
    "山田\u3000太郎",
    "क\u094d\u200dष",
    "O'Neill & Söhne",
    "👩\u200d🔧",
)

UNSEEN = {
    "line break": "acme\n",
    "break within": "ac\nme",
    "return": "acme\r",
    "tab": "ac\tme",
    "NUL": "ac\x00me",
    "escape": "\x1b[1macme",
    "next line": "ac\x85me",
    "line separator": "ac\u2028me",
    "paragraph separator": "ac\u2029me",
}
ALIKE = {
    "blank before": " acme",
    "blank behind": "acme ",
    "blanks alone": "  ",
    "hard blank behind": "acme\u00a0",
    "zero width": "ac\u200bme",
    "byte order mark": "\ufeffacme",
    "direction": "ac\u202eme",
    "soft hyphen": "ac\u00adme",
}


@pytest.mark.spec("ENT-7", "AUD-2")
@pytest.mark.parametrize("value", IDS)
def test_visible_id__is_taken_as_it_is(value: str) -> None:
    assert (own_id(value), idempotency_key(value)) == (value, value)


@pytest.mark.spec("ENT-7", "AUD-2")
@pytest.mark.parametrize("value", [*UNSEEN.values(), *ALIKE.values()], ids=[*UNSEEN, *ALIKE])
def test_id_that_looks_like_another__is_refused_with_the_value_and_what_to_do(value: str) -> None:
    with pytest.raises(ValueError, match="leave it out") as refused:
        own_id(value)
    with pytest.raises(ValueError, match="leave it out"):
        idempotency_key(value)

    assert repr(value) in str(refused.value)


@pytest.mark.spec("ENT-7", "AUD-2")
@pytest.mark.parametrize(("value", "size"), [("", 0), ("ü" * 128, 256)])
def test_id_of_a_wrong_length__is_refused_with_its_length(value: str, size: int) -> None:
    with pytest.raises(ValueError, match=f"must have 1 to 255 bytes, not {size}"):
        own_id(value)


@pytest.mark.spec("KEY-2", "INV-3")
@pytest.mark.parametrize("value", NAMES)
def test_name_of_any_script__is_taken_as_it_is(value: str) -> None:
    assert line(1, 40)(value) == value


@pytest.mark.spec("KEY-2", "INV-3")
@pytest.mark.parametrize("value", UNSEEN.values(), ids=UNSEEN)
def test_name_that_breaks_its_line__is_refused_with_the_character(value: str) -> None:
    with pytest.raises(ValueError, match=r"U\+[0-9A-F]{4}\); leave it out"):
        line(1, 40)(value)


@pytest.mark.spec("KEY-2", "INV-3")
@pytest.mark.parametrize(
    ("value", "why"),
    [("", "must not be empty"), ("   ", "blanks alone"), ("n" * 41, "1 to 40 characters, not 41")],
)
def test_name_that_nobody_can_read__is_refused(value: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        line(1, 40)(value)


@pytest.mark.spec("KEY-2", "INV-3")
def test_name_that_may_be_absent__may_be_empty() -> None:
    assert line(0, 40)("") == ""
