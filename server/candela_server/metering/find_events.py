"""Finds events by their keys, as far as keys are remembered (EVT-2, EVT-4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

from candela_server.kernel.interval import Interval
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import chosen_event_store
from .correction import EventNotFoundError, StoredEvent
from .event_statements import Statements
from .rules.dedupe import BORDER, oldest_month

_MONTH: Final = timedelta(days=31)
_LONGEST_LATENESS: Final = timedelta(days=100)


def key_hash(merchant_id: str, key: str) -> UUID:
    """What a key is known by; see prepare_events.py."""
    content = merchant_id.encode() + b"\x00" + key.encode()
    return UUID(bytes=blake2b(content, digest_size=16).digest())


async def remembered_since(tx: Tx, now: datetime) -> date:
    """The first month whose keys this merchant remembers: it chose for how long."""
    settings = (await merchant.get_merchant(tx)).settings
    return oldest_month(now, settings.event_dedupe_window)


async def find_events(
    statements: Statements, merchant_id: str, keys: Sequence[str], oldest: date, *, field: str
) -> list[StoredEvent]:
    """The event of each different key: the one that counts if several had it, else the latest. In the keys' order.

    `oldest` is what `remembered_since` answers.

    Raises EventNotFoundError for a key that no event has.
    """
    hashes = {key_hash(merchant_id, key): key for key in keys}
    places = await chosen_event_store.list_key_places(statements, list(hashes), oldest)
    instants = {happened_at for _, _, happened_at in places if happened_at is not None}
    found = (
        await chosen_event_store.list_events_at(
            statements, merchant_id, [one for one, _, _ in places], sorted(instants)
        )
        if instants
        else []
    )
    # Keys that were taken before their events' instants were kept with them.
    unplaced = [(one, month) for one, month, happened_at in places if happened_at is None]
    if unplaced:
        found += await chosen_event_store.list_events_between(
            statements, merchant_id, [one for one, _ in unplaced], _around(m for _, m in unplaced)
        )
    best: dict[UUID, StoredEvent] = {}
    for event in found:
        known = best.get(event.key_hash)
        if known is None or event.counts or not known.counts:
            best[event.key_hash] = event
    for one, key in hashes.items():
        if one not in best:
            raise EventNotFoundError(key, field)
    return [best[one] for one in hashes]


def _around(months: Iterable[date]) -> Interval:
    """When the events of keys that were taken in these months can have happened, in the ordinary flow."""
    listed = sorted(months)
    return Interval(
        datetime.combine(listed[0], time(), UTC) - _LONGEST_LATENESS - BORDER,
        datetime.combine(listed[-1], time(), UTC) + _MONTH + _MONTH,
    )
