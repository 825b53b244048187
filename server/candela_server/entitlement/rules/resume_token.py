"""The token that continues a Watch: what it holds, and whom it is good for (ENT-8)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from candela_server.kernel.errors import Reason, Refused

MAX_AGE = timedelta(hours=24)
MAX_TOKEN_LENGTH = 512

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MAC_BYTES = 16
# Layout 1: the revision, when it was issued, and when time alone changes something (0 for never).
_NUMBERS = struct.Struct(">BQQQ")
_LAYOUT = 1


class ResumeTokenExpiredError(Refused):
    """The token is too old, of another merchant or of other customers; callers are not told which."""

    reason = Reason.RESUME_TOKEN_EXPIRED

    def __init__(self) -> None:
        super().__init__(
            "resume_token is too old or was issued for other customers; watch again without a token"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What a token is bound to: the server's secret, the merchant, and the watched set."""

    secret: bytes
    merchant_id: str
    customers: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Up to where a stream has told everything.

    Every change with an xid below `revision` was sent. `listed_to` is the last customer, by id, of the first
    listing, or None when that was complete. Before `unmoved_until` time alone changes nothing that was sent, usage
    features aside.
    """

    revision: int
    listed_to: str | None
    unmoved_until: datetime | None


def digest_of(customer_ids: Sequence[str]) -> bytes:
    """The watched set in a few bytes; empty for all customers."""
    if not customer_ids:
        return b""
    return hashlib.sha256("\n".join(sorted(customer_ids)).encode()).digest()


def encode_point(watched: Watched, point: Point, issued_at: datetime) -> str:
    """The opaque token."""
    listing = "." if point.listed_to is None else f"+{point.listed_to}"
    body = (
        _NUMBERS.pack(
            _LAYOUT, point.revision, _microseconds(issued_at), _microseconds(point.unmoved_until)
        )
        + listing.encode()
    )
    return base64.urlsafe_b64encode(_mac(watched, body) + body).rstrip(b"=").decode()


def decode_point(watched: Watched, token: str, now: datetime) -> Point:
    """The point inside the token. Raises ResumeTokenExpiredError."""
    if len(token) > MAX_TOKEN_LENGTH:
        raise ResumeTokenExpiredError
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ResumeTokenExpiredError from None
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if len(body) <= _NUMBERS.size or not hmac.compare_digest(mac, _mac(watched, body)):
        raise ResumeTokenExpiredError
    layout, revision, issued, unmoved = _NUMBERS.unpack_from(body)
    if layout != _LAYOUT or now - (_EPOCH + issued * _MICROSECOND) > MAX_AGE:
        raise ResumeTokenExpiredError
    listing = body[_NUMBERS.size :].decode()
    return Point(
        revision=revision,
        listed_to=None if listing == "." else listing[1:],
        unmoved_until=_EPOCH + unmoved * _MICROSECOND if unmoved else None,
    )


def _microseconds(instant: datetime | None) -> int:
    return 0 if instant is None else (instant - _EPOCH) // _MICROSECOND


def _mac(watched: Watched, body: bytes) -> bytes:
    # Each part's length goes first, so that no two sets have the same bytes.
    parts = (b"candela-watch", watched.merchant_id.encode(), watched.customers, body)
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(watched.secret, message, hashlib.sha256).digest()[:_MAC_BYTES]
