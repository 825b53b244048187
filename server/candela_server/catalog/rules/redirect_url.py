"""Where "contact sales" may lead: an address that a public page can safely make a link of (PUB-1)."""

from __future__ import annotations

from urllib.parse import urlsplit

MAX_URL_LENGTH = 2000
"""Browsers and proxies still take addresses of this length."""


def https_url(value: str) -> str:
    """An https address. Raises ValueError for other schemes, which could run code in a page, and for logins in it."""
    if len(value) > MAX_URL_LENGTH:
        raise ValueError(f"must have at most {MAX_URL_LENGTH} characters, not {len(value)}")
    if not value.isascii() or not value.isprintable() or " " in value or "\\" in value:
        raise ValueError("must hold printable ASCII without spaces; percent-encode the rest")
    parts = urlsplit(value)
    if parts.scheme != "https" or not value.startswith("https://"):
        raise ValueError(
            f"must be an https address such as https://example.com/sales, not {value!r}"
        )
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError(f"must name a host and no login, not {value!r}")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"names a port that is none: {value!r}") from error
    return value
