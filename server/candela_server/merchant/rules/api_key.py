"""How API keys are made, hashed and recognised (KEY-1).

A key is "sk_test_" + 43 characters of base64url (256 random bits) + 6 characters of checksum. With that much
entropy a plain SHA-256 is as safe as a slow hash and costs a quarter of a microsecond; the checksum lets a typo or
a truncated key be told apart without asking the database.
"""

from __future__ import annotations

import base64
import hashlib
import zlib

from candela_server.kernel.caller import Mode
from candela_server.merchant.model import ApiKeyKind

SECRET_BYTES = 32
_CHECKSUM_CHARACTERS = 6
_PREFIX_CHARACTERS = 6
_KIND_MARKS = {ApiKeyKind.SECRET: "sk", ApiKeyKind.PUBLISHABLE: "pk"}


def key_from_bytes(kind: ApiKeyKind, mode: Mode, random: bytes) -> str:
    """The key's text for 32 random bytes."""
    if len(random) != SECRET_BYTES:
        raise ValueError(f"a key is made of {SECRET_BYTES} random bytes, not {len(random)}")
    body = f"{_KIND_MARKS[kind]}_{mode}_{_base64(random)}"
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Whether the text can be a key at all: its kind, mode, length and checksum are right."""
    if not key.startswith(("sk_live_", "sk_test_", "pk_live_", "pk_test_")) or not key.isascii():
        return False
    body, checksum = key[:-_CHECKSUM_CHARACTERS], key[-_CHECKSUM_CHARACTERS:]
    return len(body) == len("sk_test_") + 43 and checksum == _checksum(body)


def key_hash(key: str) -> bytes:
    """What the database keeps instead of a secret key."""
    return hashlib.sha256(key.encode()).digest()


def shown_prefix(key: str) -> str:
    """The beginning of a key that lists may show (KEY-2)."""
    return key[: len("sk_test_") + _PREFIX_CHARACTERS]


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _checksum(body: str) -> str:
    return _base64(zlib.crc32(body.encode()).to_bytes(4, "big"))
