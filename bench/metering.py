"""Ingestion: StreamEvents end to end, durable, deduplicated, with metrics, against \\copy of the same rows."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import psycopg
from candela import Client
from candela.metering.v1 import event_pb2

from .harness import Row, interleave, row, say
from .stage import Stage

CHUNK = 1000
BASELINE = "bench_event"


def rows(stage: Stage, *, rounds: int, events: int) -> list[Row]:
    """Fresh events per second, against the same rows copied into a table like the events' with the same indexes."""
    with psycopg.connect(stage.database_url, autocommit=True) as database:
        columns = _make_baseline(database)
        runs = count()
        say(f"StreamEvents against \\copy: {rounds} rounds of {events:,} events each")
        stream, copy = interleave(
            lambda: _stream(stage, next(runs), events),
            lambda: _copy(database, columns, next(runs), events),
            rounds,
        )
    return [row("StreamEvents, durable, 2 metrics (events/s) : \\copy", stream, copy, 0.60)]


def _stream(stage: Stage, run: int, events: int) -> float:
    made = [_event(stage, run, number) for number in range(events)]
    with Client(stage.address, stage.key) as client:
        started = time.perf_counter()
        result = client.stream_events(made, chunk_events=CHUNK)
        took = time.perf_counter() - started
    if result.accepted != events:
        raise RuntimeError(
            f"{result.accepted} of {events} events were accepted: {result.errors[:1]}"
        )
    return events / took


def _event(stage: Stage, run: int, number: int) -> event_pb2.Event:
    event = event_pb2.Event(
        idempotency_key=f"bench-{run}-{number}",
        name="premium-message" if number % 2 else "cheap-message",
        external_user_id=stage.user_ids[number % len(stage.user_ids)],
        value="1.25",
        properties_json=b'{"model": "grand", "region": "eu-central"}',
    )
    event.timestamp.FromDatetime(_instant(number))
    return event


def _instant(number: int) -> datetime:
    # The last hours, as a sender that streams its day would send them.
    return datetime.now(UTC) - timedelta(seconds=number % 20_000)


def _make_baseline(database: psycopg.Connection) -> list[str]:
    """A table with the events' columns and indexes, of one heap: what \\copy fills."""
    database.execute(f"CREATE TABLE {BASELINE} (LIKE event INCLUDING ALL)")
    found = database.execute(
        """
        SELECT column_name, data_type FROM information_schema.columns
        WHERE table_name = 'event' ORDER BY ordinal_position
        """
    ).fetchall()
    return [f"{name}:{kind}" for name, kind in found]


def _copy(database: psycopg.Connection, columns: list[str], run: int, events: int) -> float:
    text = io.StringIO()
    for number in range(events):
        text.write("\t".join(_cell(column, run, number) for column in columns) + "\n")
    data = text.getvalue()
    names = ", ".join(column.partition(":")[0] for column in columns)
    with database.cursor() as cursor:
        started = time.perf_counter()
        with cursor.copy(f"COPY {BASELINE} ({names}) FROM STDIN") as copy:
            copy.write(data)
        took = time.perf_counter() - started
    return events / took


def _cell(column: str, run: int, number: int) -> str:
    name, _, kind = column.partition(":")
    if kind.startswith("timestamp"):
        return _instant(number).isoformat()
    if kind == "numeric":
        return "1.25"
    if kind == "jsonb":
        return '{"model": "grand", "region": "eu-central"}'
    if kind == "bytea":
        return "\\\\x" + f"{run:08x}{number:024x}"
    if kind in ("bigint", "integer", "smallint"):
        return str(number % 30_000)
    if kind == "uuid":
        return f"{run:08x}-0000-0000-0000-{number:012x}"
    if "customer" in name or "user" in name or "merchant" in name:
        return f"{name[:3]}_01m7yavejpeyzt02chfjc{number % 100:05d}"
    if "key" in name:
        return f"bench-{run}-{number}"
    return "premium-message" if number % 2 else "cheap-message"
