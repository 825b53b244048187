"""Events as rows send them, and one client that streams them and tells what each cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from statistics import median

import psutil
import psycopg
from candela import Client
from candela.metering.v1 import event_pb2

from .harness import cpu_seconds
from .stage import Stage

CHUNK = 1000
SPREAD = timedelta(minutes=5)
"""What comes as it happens: a flush holds the events of a quarter-hour or two, and none is late."""


def made_events(
    user_ids: Sequence[str], run: str, count: int, *, spread: timedelta = SPREAD
) -> list[event_pb2.Event]:
    """So many events of these users, alternately of two kinds, with keys of this run, in the order they happened."""
    began_at = datetime.now(UTC) - spread
    made = []
    for number in range(count):
        event = event_pb2.Event(
            idempotency_key=f"bench-{run}-{number}",
            name="premium-message" if number % 2 else "cheap-message",
            external_user_id=user_ids[number % len(user_ids)],
            value="1.25",
            properties_json=b'{"model": "grand", "region": "eu-central"}',
        )
        event.timestamp.FromDatetime(began_at + spread * number / count)
        made.append(event)
    return made


class Stream:
    """Sends events of one merchant."""

    def __init__(self, stage: Stage) -> None:
        """Connects anew for each sending."""
        self._stage = stage
        self._postmaster = _postmaster_of(stage.database_url)
        self._costs: list[tuple[float, float, float]] = []

    def send(
        self,
        events: Sequence[event_pb2.Event],
        *,
        duplicates: bool = False,
        chunk_events: int = CHUNK,
    ) -> float:
        """Events per second from the first to the last acknowledgement. Raises RuntimeError when one is refused."""
        with Client(self._stage.address, self._stage.key) as client:
            before = self._used_s()
            started = time.perf_counter()
            result = client.stream_events(events, chunk_events=chunk_events)
            took = time.perf_counter() - started
            spent = [late - early for early, late in zip(before, self._used_s(), strict=True)]
        decided = result.deduplicated if duplicates else result.accepted
        if decided != len(events):
            raise RuntimeError(f"{decided} of {len(events)} events: {result.errors[:1]}")
        client_s, server_s, database_s = (one / len(events) * 1e6 for one in spent)
        self._costs.append((client_s, server_s, database_s))
        return len(events) / took

    def costs(self) -> str:
        """What an event cost so far, in the median."""
        client, server, database = (median(column) for column in zip(*self._costs, strict=True))
        return (
            f"{client:.1f} µs of the client, {server:.1f} µs of the server and "
            f"{database:.1f} µs of PostgreSQL per event"
        )

    def _used_s(self) -> tuple[float, float, float]:
        database_s = 0.0
        for process in self._postmaster.children():
            with suppress(psutil.NoSuchProcess):
                used = process.cpu_times()
                database_s += used.user + used.system
        return time.process_time(), cpu_seconds(self._stage.server_pid), database_s


def _postmaster_of(database_url: str) -> psutil.Process:
    """The parent of all processes of a PostgreSQL on this machine."""
    with psycopg.connect(database_url) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        parent = backend.parent()
    assert parent is not None, "a backend has a parent"
    return parent
