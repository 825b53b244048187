"""The token that continues a Watch: it comes back whole, and for nobody else (ENT-8)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.entitlement.rules.resume_token import (
    MAX_AGE,
    MAX_TOKEN_LENGTH,
    Point,
    ResumeTokenExpiredError,
    Watched,
    decode_point,
    digest_of,
    encode_point,
)

from tests.helpers.builders import EPOCH

WATCHED = Watched(secret=b"secret", merchant_id="mer_1", customers=digest_of(["cus_1", "cus_2"]))
POINT = Point(revision=7, listed_to=None, unmoved_until=None)

instants = st.datetimes(datetime(2026, 1, 1), datetime(2126, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=EPOCH.tzinfo)
)


@pytest.mark.spec("ENT-8")
@given(
    st.integers(0, 2**63 - 1),
    st.none() | st.just("") | st.just("cus_00000000000000000000000000"),
    st.none() | instants,
)
def test_point__comes_back_from_its_token(
    revision: int, listed_to: str | None, unmoved_until: datetime | None
) -> None:
    point = Point(revision=revision, listed_to=listed_to, unmoved_until=unmoved_until)
    token = encode_point(WATCHED, point, EPOCH)

    assert decode_point(WATCHED, token, EPOCH + MAX_AGE) == point
    assert len(token) <= MAX_TOKEN_LENGTH


@pytest.mark.spec("ENT-8")
@pytest.mark.parametrize(
    "other",
    [
        Watched(secret=b"other", merchant_id="mer_1", customers=WATCHED.customers),
        Watched(secret=b"secret", merchant_id="mer_2", customers=WATCHED.customers),
        Watched(secret=b"secret", merchant_id="mer_1", customers=digest_of(["cus_1"])),
        Watched(secret=b"secret", merchant_id="mer_1", customers=digest_of([])),
    ],
    ids=["another server's", "another merchant's", "fewer customers", "all customers"],
)
def test_token_of_another_watch__is_refused(other: Watched) -> None:
    token = encode_point(WATCHED, POINT, EPOCH)

    with pytest.raises(ResumeTokenExpiredError, match="without a token"):
        decode_point(other, token, EPOCH)


@pytest.mark.spec("ENT-8")
def test_token_older_than_a_day__is_refused() -> None:
    token = encode_point(WATCHED, POINT, EPOCH)

    with pytest.raises(ResumeTokenExpiredError):
        decode_point(WATCHED, token, EPOCH + MAX_AGE + timedelta(microseconds=1))


@pytest.mark.spec("ENT-8")
@given(st.text(max_size=600))
def test_text_that_is_no_token__is_refused(text: str) -> None:
    with pytest.raises(ResumeTokenExpiredError):
        decode_point(WATCHED, text, EPOCH)


@pytest.mark.spec("ENT-8")
def test_watched_set__is_the_same_in_any_order() -> None:
    assert digest_of(["a", "b"]) == digest_of(["b", "a"]) != digest_of(["ab"])
