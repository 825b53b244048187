"""Which events of a flush count: those whose key nobody had taken (EVT-2). See rules/dedupe.py for the months."""

from __future__ import annotations

from collections.abc import Container, Sequence
from datetime import date
from typing import NamedTuple, TypeAlias

from candela_server.storage.events import Connection

from . import key_store
from .prepared_event import PreparedEvent, key_hash_of

First: TypeAlias = dict[bytes, PreparedEvent]
"""The first event of each key in a flush."""


def first_by_key(batches: Sequence[Sequence[PreparedEvent]]) -> First:
    """Of batches in the order in which they came, the first event of every key."""
    first: First = {}
    # Backwards, so that the first one stays; and without a line of Python for each.
    for events in reversed(batches):
        first.update(zip(map(key_hash_of, reversed(events)), reversed(events), strict=True))
    return first


def by_window(
    batches: Sequence[tuple[str, Sequence[PreparedEvent]]], oldest: dict[str, date]
) -> list[tuple[date, First]]:
    """The keys of batches, each of a merchant, by the first month that they are remembered from: one part, unless
    merchants of several windows meet.

    The longest window first, in each flush: so no two wait for each other crosswise.
    """
    return [
        (month, first_by_key([events for holder, events in batches if oldest[holder] == month]))
        for month in sorted({oldest[holder] for holder, _ in batches})
    ]


class Claimed(NamedTuple):
    """The keys that this transaction took, and the payloads that stand under all others."""

    won: set[bytes]
    standing: dict[bytes, bytes]


async def claim_free_keys(
    connection: Connection, first: First, months: Sequence[date], standing: Container[bytes]
) -> set[bytes]:
    """Takes the keys that are not known to be `standing`, in their order: so no two wait for each other crosswise.

    Answers which. Raises KeyTakenError when one is taken all the same.
    """
    free = [key for key in first if key not in standing]
    if free:
        free.sort()
        for month in months:
            await key_store.copy_keys(connection, [first[key] for key in free], month)
    return set(free)


async def claim_keys(
    connection: Connection, first: First, months: Sequence[date], oldest: date
) -> Claimed:
    """Takes the keys that are free, whoever else wants them; see rules/dedupe.py for two months at a border."""
    won = sorted(first)
    for number, month in enumerate(months):
        taken = await key_store.claim_keys(
            connection,
            key_hashes=won,
            payload_hashes=[first[key].payload_hash for key in won],
            happened_us=[first[key].happened_us for key in won],
            month=month,
            # In the second month a look at the first would find our own claims of a moment ago.
            oldest_month=oldest if number == 0 else month,
        )
        if taken is None:
            continue
        taken_set = set(taken)
        if number > 0:
            lost = [key for key in won if key not in taken_set]
            await key_store.return_keys(connection, lost, months[0])
        won = [key for key in won if key in taken_set]
        if not won:
            break
    taken_keys = set(won)
    disputed = [key for key in first if key not in taken_keys]
    standing = await key_store.get_payload_hashes(connection, disputed, oldest) if disputed else {}
    return Claimed(taken_keys, standing)
