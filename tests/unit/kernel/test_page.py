"""Page tokens continue the list they were issued for, and no other."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.kernel.page import (
    PageRequest,
    PageTokenInvalidError,
    Position,
    TokenScope,
    decode_token,
    encode_token,
    make_page,
    read_page_request,
)

SCOPE = TokenScope(secret=b"s" * 32, merchant_id="mer_1", list_name="customers", filter="a")
NOON = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)

positions = st.tuples(st.datetimes(timezones=st.just(UTC)), st.text(max_size=40))


@pytest.mark.spec("CAT-2")
@given(positions)
def test_token__holds_its_position_to_the_microsecond(position: Position) -> None:
    assert decode_token(SCOPE, encode_token(SCOPE, position)) == position


@pytest.mark.spec("KEY-2")
@pytest.mark.parametrize(
    "other",
    [
        {"merchant_id": "mer_2"},
        {"list_name": "users"},
        {"filter": "b"},
        {"secret": b"t" * 32},
        {"list_name": "customersa", "filter": ""},
    ],
    ids=["merchant", "list", "filter", "server", "the same bytes cut elsewhere"],
)
def test_token_of_another_scope__is_refused(other: dict[str, str]) -> None:
    token = encode_token(dataclasses.replace(SCOPE, **other), (NOON, "cus_1"))  # type: ignore[arg-type]

    with pytest.raises(PageTokenInvalidError) as refused:
        decode_token(SCOPE, token)

    assert refused.value.reason is Reason.PAGE_TOKEN_INVALID
    assert refused.value.violations[0].field == "page_token"


@pytest.mark.spec("KEY-2")
@given(st.text())
def test_any_other_text__is_refused_and_nothing_else(token: str) -> None:
    with pytest.raises(PageTokenInvalidError):
        decode_token(SCOPE, token)


@pytest.mark.spec("CAT-2")
@pytest.mark.parametrize(
    ("asked", "size"), [(0, 50), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)]
)
def test_page_size__has_a_default_and_a_cap(asked: int, size: int) -> None:
    assert read_page_request(SCOPE, asked, "") == PageRequest(size=size, after=None)


@pytest.mark.spec("CAT-2")
def test_negative_page_size__is_refused() -> None:
    with pytest.raises(InvalidInput, match="negative") as refused:
        read_page_request(SCOPE, -1, "")

    assert refused.value.violations[0].field == "page_size"


@pytest.mark.spec("CAT-2")
@given(st.integers(0, 30), st.integers(1, 7))
def test_following_the_tokens__gives_each_item_once(count: int, size: int) -> None:
    everything = [(NOON + timedelta(seconds=n // 3), f"cus_{n:02}") for n in range(count)]
    got: list[Position] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = read_page_request(SCOPE, size, token)
        rest = [item for item in everything if request.after is None or item > request.after]
        page = make_page(SCOPE, request, rest[: request.fetch_limit], lambda item: item)
        got.extend(page.items)
        token, pages = page.next_token, pages + 1

    assert got == everything
    assert pages == max(1, -(-count // size))


@pytest.mark.spec("INV-1")
@pytest.mark.parametrize(
    ("lines", "pages"),
    [
        ([9_999, 1, 1], [2, 1]),
        ([4_000, 4_000, 4_000, 4_000], [2, 2]),
        ([20_000, 1, 20_000, 0], [1, 1, 1, 1]),
    ],
    ids=["just fits", "does not fit", "heavier than a page"],
)
def test_items_with_many_parts__are_divided_so_that_a_page_fits_a_message(
    lines: list[int], pages: list[int]
) -> None:
    rest = [(NOON + timedelta(days=number), count) for number, count in enumerate(lines)]
    request = PageRequest(size=50)
    sizes = []
    while rest:
        page = make_page(SCOPE, request, rest, lambda one: (one[0], "inv_1"), lambda one: one[1])
        sizes.append(len(page.items))
        rest = rest[len(page.items) :]
        assert bool(page.next_token) is bool(rest)

    assert sizes == pages
