"""Lists in pages: how many, from where, and the opaque token that continues them.

Every list is ordered by (created_at, id) and continues after the last pair of the page before. The
token carries that pair and is bound to the merchant, the list and the filter: a foreign one is
refused, never misread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Generic, TypeVar

from .errors import FieldViolation, InvalidInput
from .reason import Reason

DEFAULT_SIZE: Final = 50
MAX_SIZE: Final = 1000
"""A larger page_size is capped, not refused: a page must fit a message and a moment."""

MAX_WEIGHT: Final = 10_000
"""Where items hold parts, as invoices hold lines: how many parts a page has at most, unless one item alone has more.
With some 350 bytes each they fit the 4 MB that a client of gRPC accepts unless told otherwise."""

MAX_TOKEN_LENGTH: Final = 512

Position = tuple[datetime, str]
"""The (created_at, id) of the last item of a page."""

_Item = TypeVar("_Item")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MAC_BYTES: Final = 16


class PageTokenInvalidError(InvalidInput):
    """The token was not issued for this list, filter and merchant."""

    reason = Reason.PAGE_TOKEN_INVALID

    def __init__(self) -> None:
        problem = "was not issued for this list, filter and merchant; start again without a token"
        super().__init__(
            f"page_token {problem}",
            violations=(FieldViolation("page_token", problem, Reason.PAGE_TOKEN_INVALID),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScope:
    """What a token is good for.

    `filter` is the request's filter in any fixed form; `secret` is the server's.
    """

    secret: bytes
    merchant_id: str
    list_name: str
    filter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which page is wanted: at most `size` items, from the first one after `after`."""

    size: int = DEFAULT_SIZE
    after: Position | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIZE:
            raise ValueError(f"a page has 1 to {MAX_SIZE} items, not {self.size}")

    @property
    def fetch_limit(self) -> int:
        """How many rows to ask the store for.

        One more than the page holds shows that another page follows.
        """
        return self.size + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_Item]):
    """One page of a list; `next_token` is empty at the list's end."""

    items: tuple[_Item, ...]
    next_token: str = ""


def read_page_request(scope: TokenScope, page_size: int, page_token: str) -> PageRequest:
    """The page that a list request asks for: 50 items when it names no number, capped at 1000.

    Raises InvalidInput for a negative size and PageTokenInvalidError for a foreign token.
    """
    if page_size < 0:
        raise InvalidInput("must not be negative; leave it 0 for the default", field="page_size")
    return PageRequest(
        size=min(page_size, MAX_SIZE) or DEFAULT_SIZE,
        after=decode_token(scope, page_token) if page_token else None,
    )


def make_page(
    scope: TokenScope,
    request: PageRequest,
    fetched: Sequence[_Item],
    position: Callable[[_Item], Position],
    weigh: Callable[[_Item], int] = lambda _: 0,
) -> Page[_Item]:
    """The page made of rows fetched with `request.fetch_limit`, with a token when more follow.

    It ends early where the items' parts, which `weigh` counts, would be more than `MAX_WEIGHT`.
    """
    items: list[_Item] = []
    weight = 0
    for item in fetched[: request.size]:
        weight += weigh(item)
        if items and weight > MAX_WEIGHT:
            break
        items.append(item)
    more = len(fetched) > len(items)
    next_token = encode_token(scope, position(items[-1])) if more else ""
    return Page(items=tuple(items), next_token=next_token)


def encode_token(scope: TokenScope, position: Position) -> str:
    """The opaque token that continues a list after `position`."""
    created_at, item_id = position
    body = f"{(created_at - _EPOCH) // _MICROSECOND}:{item_id}".encode()
    return base64.urlsafe_b64encode(_mac(scope, body) + body).rstrip(b"=").decode()


def decode_token(scope: TokenScope, token: str) -> Position:
    """The position inside the token.

    Raises PageTokenInvalidError when it was issued for something else.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise PageTokenInvalidError
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise PageTokenInvalidError from None
    mac, body = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(scope, body)):
        raise PageTokenInvalidError
    microseconds, _, item_id = body.decode().partition(":")
    return _EPOCH + int(microseconds) * _MICROSECOND, item_id


def _mac(scope: TokenScope, body: bytes) -> bytes:
    # Each part's length goes first, so that no two scopes have the same bytes.
    parts = (scope.merchant_id.encode(), scope.list_name.encode(), scope.filter.encode(), body)
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hmac.new(scope.secret, message, hashlib.sha256).digest()[:_MAC_BYTES]
