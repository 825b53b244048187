"""What ingestion is held against: the same rows, copied into a table with the columns and indexes of the events'."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psycopg

from .sent_events import SPREAD
from .stage import Stage

_TABLE = "bench_event"


class CopiedRows:
    """The table."""

    def __init__(self, database: psycopg.Connection) -> None:
        """Makes it: one heap, or one hypertable where the events' is one."""
        self._database = database
        database.execute(f"CREATE TABLE {_TABLE} (LIKE event INCLUDING ALL)")
        hypertable = database.execute(
            "SELECT to_regclass('_timescaledb_catalog.hypertable') IS NOT NULL"
        ).fetchone()
        if hypertable is not None and hypertable[0]:
            database.execute(
                f"""
                SELECT create_hypertable('{_TABLE}', by_range('happened_at', INTERVAL '7 days'),
                                         create_default_indexes => false)
                """
            )
        self._columns = [
            (str(name), str(kind))
            for name, kind in database.execute(
                """
                SELECT column_name, data_type FROM information_schema.columns
                WHERE table_name = 'event' ORDER BY ordinal_position
                """
            ).fetchall()
        ]

    def copy(self, run: int, events: int) -> float:
        """Rows per second."""
        text = io.StringIO()
        for number in range(events):
            cells = (
                _cell(name, kind, run, number, number / events) for name, kind in self._columns
            )
            text.write("\t".join(cells) + "\n")
        data = text.getvalue()
        names = ", ".join(name for name, _ in self._columns)
        with self._database.cursor() as cursor:
            started = time.perf_counter()
            with cursor.copy(f"COPY {_TABLE} ({names}) FROM STDIN") as copy:
                copy.write(data)
            return events / (time.perf_counter() - started)

    def drop(self) -> None:
        """Removes the table."""
        self._database.execute(f"DROP TABLE {_TABLE}")


@contextmanager
def table(stage: Stage) -> Iterator[CopiedRows]:
    """The table, for as long as the block runs."""
    with psycopg.connect(stage.database_url, autocommit=True) as database:
        made = CopiedRows(database)
        try:
            yield made
        finally:
            made.drop()


def _cell(name: str, kind: str, run: int, number: int, part: float) -> str:
    if name == "backfill_id":
        return "\\N"
    if kind.startswith("timestamp"):
        ago = SPREAD * (1 - part) if name == "happened_at" else timedelta(0)
        return (datetime.now(UTC) - ago).isoformat()
    if kind == "numeric":
        return "1.25"
    if kind == "jsonb":
        return '{"model": "grand", "region": "eu-central"}'
    if kind == "uuid":
        return f"{run:08x}-0000-0000-0000-{number:012x}"
    if name.endswith("_id"):
        return f"{name[:3]}_01m7yavejpeyzt02chfjc{number % 100:05d}"
    if "key" in name:
        return f"bench-{run}-{number}"
    return "premium-message" if number % 2 else "cheap-message"
