"""What live counters are called in Redis, and what their numbers look like there; cache.py says what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from candela_server.kernel.money import exact

from .model import UsageAsk
from .rules.aggregation import BEGINNING, adds_up, carries_in, plain
from .rules.bucket import to_microseconds

EPOCH_KEY: Final = "candela:usage:epoch"
COUNTER_KEYS: Final = "candela:usage:{"
"""How the keys of all customers' hashes begin."""
APPLIED_KEY: Final = "candela:usage:applied"
"""The hash of all writers: the last flush of each that reached the counters."""

_PLACES: Final = 1_000_000_000_000

AskKey: TypeAlias = tuple[str, str, str]
"""What makes two asks equal: merchant, customer, and the counter's name, which other customers' have as well."""


def key_of(merchant_id: str, ask: UsageAsk) -> AskKey:
    """Equal for equal asks, and for no others."""
    return merchant_id, ask.who.customer_id, counter_id(ask)


def counter_id(ask: UsageAsk) -> str:
    """A short name of the counter inside its customer's hash; in another customer's it names another counter."""
    name = f"{ask.metric.id}|{ask.who.user_id or ''}|{ask.window.start_at}|{ask.window.end_at}"
    return blake2b(name.encode(), digest_size=8).hexdigest()


def customer_key(merchant_id: str, customer_id: str) -> str:
    """The hash of all of a customer's counters."""
    # The braces keep a customer's keys in one slot of a cluster.
    return f"candela:usage:{{{merchant_id}:{customer_id}}}"


def first_us(ask: UsageAsk) -> int:
    """From which instant on an event changes the counter: from the beginning, where what was before is carried in."""
    if carries_in(ask.metric):
        return to_microseconds(BEGINNING)
    return to_microseconds(ask.window.start_at)


def counter_scope(metric_id: str, user_id: str) -> str:
    """What a customer's hash calls the usage of one metric, by the whole customer or by one of its users."""
    return f"{metric_id}|{user_id}"


def parts_of(value: Decimal) -> tuple[int, int]:
    """The floor of a value and the rest in 1e-12: -0.5 is -1 and 500000000000."""
    with exact():
        return divmod(int(value.scaleb(12)), _PLACES)


def value_of(ask: UsageAsk, row: Sequence[Any]) -> Decimal:
    """The number of a counter, read as epoch, vector, whole part and fraction."""
    if not adds_up(ask.metric):
        return Decimal(as_text(row[2]))
    with exact():
        return plain(Decimal(int(row[2]) * _PLACES + int(row[3])).scaleb(-12))


def as_text(raw: bytes | str) -> str:
    """What Redis answered, as text."""
    return raw.decode() if isinstance(raw, bytes) else raw
