"""Every SQL text that finds the events which a correction means: by their keys, or by a filter (EVT-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, LiteralString
from uuid import UUID

from candela_server.kernel.interval import Interval

from .correction import ByFilter, ChosenEvent, StoredEvent
from .event_statements import Statements, Values


async def list_key_places(
    statements: Statements, key_hashes: Sequence[UUID], oldest_month: date
) -> list[tuple[UUID, date, datetime | None]]:
    """For each key that is remembered: the month of its claim and when its event happened, if that was kept."""
    return await statements.fetch(
        """
        SELECT key_hash, claim_month, happened_at FROM event_key
        WHERE key_hash = ANY(%(keys)s::uuid[]) AND claim_month >= %(oldest)s::date
        """,
        {"keys": list(key_hashes), "oldest": oldest_month},
    )


async def list_events_at(
    statements: Statements,
    merchant_id: str,
    key_hashes: Sequence[UUID],
    instants: Sequence[datetime],
) -> list[StoredEvent]:
    """The events under these keys at these instants."""
    return await _list_stored(
        statements,
        "event.happened_at = ANY(%(instants)s::timestamptz[])",
        {"merchant_id": merchant_id, "keys": list(key_hashes), "instants": list(instants)},
    )


async def list_events_between(
    statements: Statements,
    merchant_id: str,
    key_hashes: Sequence[UUID],
    window: Interval,
) -> list[StoredEvent]:
    """The events under these keys in a window: a search through all of the merchant's, for keys of an older release."""
    return await _list_stored(
        statements,
        "event.happened_at >= %(start_at)s::timestamptz AND event.happened_at < %(end_at)s::timestamptz",
        {
            "merchant_id": merchant_id,
            "keys": list(key_hashes),
            "start_at": window.start_at,
            "end_at": window.end_at,
        },
    )


async def _list_stored(
    statements: Statements, where: LiteralString, parameters: Mapping[str, Any]
) -> list[StoredEvent]:
    # stored-events: what is shown and found by its key may be voided
    rows = await statements.fetch(
        f"""
        SELECT event.key_hash, event.idempotency_key, event.name, event.customer_id, event.user_id, event.value,
               event.happened_at, coalesce(event.properties::text, ''), event.received_at,
               coalesce(event.backfill_id, ''),
               EXISTS (SELECT FROM counted_event AS counted
                       WHERE counted.merchant_id = event.merchant_id AND counted.happened_at = event.happened_at
                         AND counted.key_hash = event.key_hash
                         AND counted.backfill_id IS NOT DISTINCT FROM event.backfill_id),
               void.voided_at, void.replaced_by_key
        FROM event
        LEFT JOIN LATERAL (
            SELECT voided_at, replaced_by_key FROM event_void
            WHERE event_void.merchant_id = event.merchant_id AND event_void.key_hash = event.key_hash
              AND event_void.happened_at = event.happened_at
              AND event_void.came_with = coalesce(event.backfill_id, '')
            ORDER BY event_void.backfill_id IS NULL DESC, voided_at DESC LIMIT 1
        ) AS void ON true
        WHERE event.merchant_id = %(merchant_id)s AND event.key_hash = ANY(%(keys)s::uuid[]) AND {where}
        ORDER BY event.received_at, event.key_hash
        """,
        parameters,
    )
    return [_stored_from_values(row) for row in rows]


async def list_counted_events(
    statements: Statements, merchant_id: str, chosen: ByFilter, limit: int
) -> list[ChosenEvent]:
    """The events that count and match, at most `limit`."""
    conditions: list[LiteralString] = []
    parameters: dict[str, Any] = {
        "merchant_id": merchant_id,
        "start_at": chosen.window.start_at,
        "end_at": chosen.window.end_at,
        "limit": limit,
    }
    if chosen.customer_id is not None:
        conditions.append("AND event.customer_id = %(customer_id)s")
        parameters["customer_id"] = chosen.customer_id
    if chosen.names:
        conditions.append("AND event.name = ANY(%(names)s::text[])")
        parameters["names"] = list(chosen.names)
    rows = await statements.fetch(
        f"""
        SELECT event.key_hash, event.happened_at, coalesce(event.backfill_id, ''), event.customer_id,
               coalesce(event.user_id, ''), event.name
        FROM counted_event AS event
        WHERE event.merchant_id = %(merchant_id)s AND event.happened_at >= %(start_at)s::timestamptz
          AND event.happened_at < %(end_at)s::timestamptz {" ".join(conditions)}
        LIMIT %(limit)s::integer
        """,
        parameters,
    )
    return [chosen_from_values(row) for row in rows]


def chosen_from_values(row: Values) -> ChosenEvent:
    """A chosen event from its columns, in order."""
    key_hash, happened_at, came_with, customer_id, user_id, name = row
    return ChosenEvent(
        key_hash=key_hash,
        happened_at=happened_at,
        came_with=came_with,
        customer_id=customer_id,
        user_id=user_id,
        name=name,
    )


def _stored_from_values(row: Values) -> StoredEvent:
    (
        key_hash,
        idempotency_key,
        name,
        customer_id,
        user_id,
        value,
        happened_at,
        properties_json,
        received_at,
        came_with,
        counts,
        voided_at,
        replaced_by_key,
    ) = row
    return StoredEvent(
        key_hash=key_hash,
        idempotency_key=idempotency_key,
        name=name,
        customer_id=customer_id,
        user_id=user_id,
        value=value,
        happened_at=happened_at,
        properties_json=properties_json,
        received_at=received_at,
        came_with=came_with,
        counts=counts,
        # A backfill that was reverted gives back what it had replaced.
        voided_at=None if counts else voided_at,
        replaced_by_key=None if counts else replaced_by_key,
    )
