"""What an event's idempotency key is remembered by (EVT-2)."""

from __future__ import annotations

from hashlib import blake2b


def hash_of_key(merchant_id: str, key: str) -> bytes:
    """128 bits that name the merchant and the key; prepare_events.py makes the same ones, inlined for its budget."""
    return blake2b(f"{merchant_id}\x00{key}".encode(), digest_size=16).digest()
