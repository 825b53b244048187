"""Every SQL text of flushes as such: who flushes, and which metrics hold meanwhile.

Keys are key_store's business, events new_event_store's, rollups rollup_store's, and reading usage_store's; nothing here
decides. Data plane: statements take whole flushes. All run as candela_events, which no tenant's wall holds back, so all
name merchant_id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Final, NamedTuple

from psycopg import DatabaseError
from psycopg.errors import CheckViolation, LockNotAvailable, QueryCanceled, UniqueViolation

from candela_server.storage.events import Connection, Cursor, EventStoreUnavailableError
from candela_server.storage.postgres import Tx

from . import key_store
from .found_keys import FoundKeys
from .rollup_layer import LayerChange, Place

TRANSIENT: Final = (EventStoreUnavailableError, LockNotAvailable, QueryCanceled)
"""What may go well when it is done again."""

FLUSH_TURN: Final = 0x0CA4DE10
"""Advisory locks, by merchant, in front of its row of metric_version. A row that flushes share is shared by the next
one without a queue, so who wants it alone might wait for ever; advisory locks are given in order."""

MissingPartitionError = CheckViolation
"""An event or key has no partition to be in; the only check that a flush can violate."""

KeyTakenError = UniqueViolation
"""Somebody took an event's key between our look at it and our claim; keys are all that a flush must find unique."""


async def register_writer(connection: Connection, now: datetime) -> int:
    """A new writer's number; its flushes are counted from 1."""
    cursor = await connection.execute(
        "INSERT INTO event_writer (sequence, flushed_at) VALUES (0, %s) RETURNING number",
        [now],
    )
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])


class FlushingWriter(NamedTuple):
    """Who flushes, and which layer of the rollups he added to and adds to now."""

    number: int
    layers: LayerChange


class WriterForgottenError(Exception):
    """The writer's row was removed; it registers again."""


class MetricsChangedError(Exception):
    """The metrics of a merchant are not those that this process knows."""

    def __init__(self, merchant_id: str) -> None:
        super().__init__(merchant_id)
        self.merchant_id = merchant_id


class Begun(NamedTuple):
    """What a flush knows of its writer once its transaction has begun."""

    sequence: int
    """How many flushes of its writer there were, with this one."""
    place: Place
    """Where the writer's row is now."""


class Opened(NamedTuple):
    """What a flush knows once its transaction has begun, and its keys were looked for."""

    begun: Begun
    found: FoundKeys
    """Of the keys that were looked for those that are taken already."""


class KeySearch(NamedTuple):
    """Keys to look for, and the months: from the oldest on, before the last one."""

    keys: Sequence[bytes]
    oldest: date
    before: date


async def open_flush(
    connection: Connection,
    writer: FlushingWriter,
    versions: Mapping[str, int],
    searches: Sequence[KeySearch],
    now: datetime,
) -> Opened:
    """Begins the transaction of a flush and asks all that it must know first, in one round trip.

    Raises as `begin_flush` does.
    """
    with refusals():
        async with connection.pipeline():
            begun = await begin_flush(connection, writer, versions, now)
            looked = [
                await key_store.look_for_keys(connection, one.keys, one.oldest, one.before)
                for one in searches
            ]
    return Opened(await has_begun(begun), await key_store.found_keys(*looked))


async def begin_flush(
    connection: Connection, writer: FlushingWriter, versions: Mapping[str, int], now: datetime
) -> Cursor:
    """Begins the transaction of a flush: counts it, and holds the metrics of its merchants, which have these versions.

    In a pipeline, nothing of what follows is done when it fails. `has_begun` reads the answer; around both,
    `refusals` raises WriterForgottenError and MetricsChangedError.
    """
    await connection.execute("BEGIN")
    merchant_ids = sorted(versions)
    return await connection.execute(
        "SELECT counted, page, slot FROM candela_begin_flush(%s, %s, %s, %s, %s, %s)",
        [
            writer.number,
            *writer.layers,
            now,
            merchant_ids,
            [versions[merchant_id] for merchant_id in merchant_ids],
        ],
    )


async def has_begun(asked: Cursor) -> Begun:
    """What `begin_flush` found."""
    row = await asked.fetchone()
    assert row is not None
    sequence, page, slot = row
    return Begun(sequence, Place(page, slot))


@contextmanager
def refusals() -> Iterator[None]:
    """Says by an exception of its own why candela_begin_flush refused."""
    try:
        yield
    except DatabaseError as error:
        if error.sqlstate == "CF001":
            raise WriterForgottenError from error
        if error.sqlstate == "CF002":
            raise MetricsChangedError(error.diag.message_detail or "") from error
        raise


async def commit_flush(connection: Connection) -> None:
    """Ends what `begin_flush` began. In a pipeline, nothing is committed after a statement that failed."""
    await connection.execute("COMMIT")


async def abandon_flush(connection: Connection) -> None:
    """Ends what `begin_flush` began and stored nothing: it does not count, and nobody waits for the disk."""
    await connection.execute("ROLLBACK")


async def list_writers(connection: Connection) -> list[tuple[int, int, datetime]]:
    """Each writer's number, last committed sequence and when that was."""
    cursor = await connection.execute("SELECT number, sequence, flushed_at FROM event_writer")
    return [(row[0], row[1], row[2]) for row in await cursor.fetchall()]


async def forget_writers(connection: Connection, before: datetime) -> None:
    """Removes writers that have not flushed since `before`; one that still lives registers again."""
    await connection.execute("DELETE FROM event_writer WHERE flushed_at < %s", [before])


async def get_metric_version(tx: Tx) -> int:
    """How often the merchant's metrics have changed; 0 when there never was one."""
    version = await tx.fetchval(
        "SELECT version FROM metric_version WHERE merchant_id = $1", tx.merchant_id
    )
    return version or 0


async def list_filled_metrics(tx: Tx) -> set[str]:
    """The metrics whose rollups hold the events from before the metric was made, too."""
    rows = await tx.fetch(
        "SELECT metric_id FROM metric_history WHERE merchant_id = $1", tx.merchant_id
    )
    return {row["metric_id"] for row in rows}


async def hold_metrics(connection: Connection, merchant_id: str) -> None:
    """Keeps the merchant's metrics from changing until the transaction ends, as every flush does."""
    await connection.execute("SELECT candela_hold_metrics(%s)", [[merchant_id]])


async def hold_flushes(connection: Connection, merchant_id: str) -> None:
    """Keeps flushes of the merchant from running until the transaction ends, after those that run have ended."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [FLUSH_TURN, merchant_id]
    )
    await connection.execute(
        """
        INSERT INTO metric_version (merchant_id, version) VALUES (%s, 0)
        ON CONFLICT (merchant_id) DO NOTHING
        """,
        [merchant_id],
    )
    await connection.execute(
        "SELECT FROM metric_version WHERE merchant_id = %s FOR UPDATE", [merchant_id]
    )


async def insert_metric_history(
    connection: Connection, merchant_id: str, metric_id: str, read_count: int, now: datetime
) -> None:
    """Notes that the metric's rollups hold all events."""
    await connection.execute(
        """
        INSERT INTO metric_history (merchant_id, metric_id, read_count, filled_at)
        VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        [merchant_id, metric_id, read_count, now],
    )


async def prepare_events(connection: Connection, instants: Sequence[datetime]) -> None:
    """Makes the partitions that hold these instants, where there are partitions."""
    await connection.execute(
        "SELECT candela_prepare_events(instant) FROM unnest(%s::timestamptz[]) AS wanted (instant)",
        [list(instants)],
    )
