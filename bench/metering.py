"""Ingestion, durable, deduplicated and with metrics, against \\copy of the same rows; usage; memory."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from datetime import timedelta
from itertools import count
from statistics import median

import psycopg
from candela import Client
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.customer.v1 import customer_pb2
from candela.metering.v1 import usage_service_pb2

from . import copied_rows, paced_stream
from .early_writes import early_writes
from .harness import (
    LOAD_CORE,
    READY_WITHIN_S,
    Row,
    candela,
    interleave,
    process,
    resident_bytes,
    row,
    say,
)
from .old_months import KEYS_A_MONTH, beside_old_keys
from .old_snapshot import beside_an_old_snapshot
from .sent_events import Stream, made_events
from .stage import Stage
from demo.team_plan import sign_up

FEW, MANY = 6_000, 600_000
"""Events of a month, evenly. Reading is paid by the quarter-hours that saw any, and of each kind even the few touch all
of them: so the ratio is the price of a hundred times the events, and of nothing else."""

EVENTS = 400_000
"""Of a round: seconds, so that its beginning and its end, when not everybody has work, weigh little."""

SOAK_ROUNDS = 10
_MONTH = timedelta(days=28)


def rows(stage: Stage, *, rounds: int, events: int, soak_events: int) -> list[Row]:
    """All rows of the area."""
    with Client(stage.address, stage.key) as client:
        # The plan's two metrics add up messages of their kind; the third counts all of them.
        client.metrics.CreateMetric(
            metric_service_pb2.CreateMetricRequest(
                metric=metric_pb2.NewMetric(
                    slug="messages",
                    name="Messages",
                    aggregation=metric_pb2.AGGREGATION_COUNT,
                    event_names=["premium-message", "cheap-message"],
                )
            )
        )
    _fill_metrics(stage)
    stream = Stream(stage)
    stream.send(made_events(stage.user_ids, "warm", events // 5))
    return [
        _against_copy(stage, stream, rounds, events),
        _against_no_metrics(stage, stream, rounds, events),
        _replayed(stage, stream, rounds, events),
        _acknowledged(stage, stream, rounds, events),
        _beside_an_old_snapshot(stage, stream, rounds, events),
        _much_usage(stage, stream, rounds),
        beside_old_keys(stage, stream, rounds, events, KEYS_A_MONTH * events // EVENTS),
        _soak(stage, stream, soak_events),
    ]


def _fill_metrics(stage: Stage) -> None:
    """Has the worker find out that there is no history to read into them, which it does once."""
    say("waiting until the metrics are filled")
    worker = [sys.executable, "-m", "candela_server", "worker"]
    with (
        process(worker, stage.environment, core=LOAD_CORE, log=stage.folder / "worker.log"),
        psycopg.connect(stage.database_url, autocommit=True) as database,
    ):
        deadline = time.monotonic() + READY_WITHIN_S
        while database.execute(
            "SELECT EXISTS (SELECT FROM metric WHERE id NOT IN (SELECT metric_id FROM metric_history))"
        ).fetchone() == (True,):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the metrics were not filled within {READY_WITHIN_S:.0f} s")
            time.sleep(0.1)


def _against_copy(stage: Stage, stream: Stream, rounds: int, events: int) -> Row:
    runs = count()
    with copied_rows.table(stage) as copied:
        say(f"StreamEvents against \\copy: {rounds} rounds of {events:,} events each")
        fresh, copy = interleave(
            lambda: stream.send(made_events(stage.user_ids, f"copy-{next(runs)}", events)),
            lambda: copied.copy(next(runs), events),
            rounds,
        )
    say("processor time: " + stream.costs())
    return row("StreamEvents, durable, 3 metrics (events/s) : \\copy", fresh, copy, 0.60)


def _against_no_metrics(stage: Stage, stream: Stream, rounds: int, events: int) -> Row:
    """The same events for a merchant with the same customers and no metric: what rollups and counters cost."""
    say("the same without metrics")
    merchant = json.loads(
        candela(stage.environment, "merchant", "create", "Without metrics", "--json")
    )
    bare = Stream(replace(stage, key=merchant["secret_key"], merchant_id=merchant["merchant_id"]))
    with Client(stage.address, merchant["secret_key"]) as client:
        for user_id in stage.user_ids:
            sign_up(client, f"customer-of-{user_id}", {user_id: user_id})
    bare.send(made_events(stage.user_ids, "warm", events // 5))
    runs = count()
    counted, stored = interleave(
        lambda: stream.send(made_events(stage.user_ids, f"counted-{next(runs)}", events)),
        lambda: bare.send(made_events(stage.user_ids, f"stored-{next(runs)}", events)),
        rounds,
    )
    return row("StreamEvents with 3 metrics (events/s) : without any", counted, stored, 0.85)


def _replayed(stage: Stage, stream: Stream, rounds: int, events: int) -> Row:
    say("events that were sent before")
    sent = made_events(stage.user_ids, "replayed", events)
    stream.send(sent)
    runs = count()
    again, fresh = interleave(
        lambda: stream.send(sent, duplicates=True),
        lambda: stream.send(made_events(stage.user_ids, f"fresh-{next(runs)}", events)),
        rounds,
    )
    return row("events sent before (events/s) : fresh ones", again, fresh, 2)


def _acknowledged(stage: Stage, stream: Stream, rounds: int, events: int) -> Row:
    """At half of what the server takes just then, with as much in it as there is now, between two checkpoints.

    After one, each page is logged whole once more, some seconds of every five minutes: that is told, and not counted.
    In turns with what it takes, as both change with the machine's neighbours; and long enough for a disk that holds a
    write up for a tenth of a second now and then to weigh little. In the chunks whose top rate it is half of: in small
    ones a stream takes less at its top, so that the same rate is more than half of it. How that goes is told as well.
    """
    runs = count()

    def half_the_top() -> float:
        made = made_events(stage.user_ids, f"top-{next(runs)}", events)
        return stream.send(made, chunk_events=paced_stream.CHUNK) / 2

    with psycopg.connect(stage.database_url, autocommit=True) as database:
        database.execute("CHECKPOINT")
    with early_writes():
        say("just after a checkpoint")
        paced_stream.latencies_ms(stage, half_the_top(), seconds=1.5 * rounds)
        say("in small chunks")
        paced_stream.latencies_ms(
            stage,
            half_the_top(),
            seconds=1.5 * rounds,
            chunk_events=paced_stream.CHUNK // 5,
        )
        say("then")
        return paced_stream.acknowledged(stage, half_the_top, rounds=rounds, seconds=2.0 * rounds)


def _beside_an_old_snapshot(stage: Stage, stream: Stream, rounds: int, events: int) -> Row:
    """At a third of what the server takes: beside the other transaction, half of it may already be more than it can."""
    made = made_events(stage.user_ids, "top-before-snapshot", events)
    rate = stream.send(made, chunk_events=paced_stream.CHUNK) / 3
    with early_writes():
        return beside_an_old_snapshot(stage, rate, rounds=max(1, rounds // 2), seconds=2.0 * rounds)


def _much_usage(stage: Stage, stream: Stream, rounds: int) -> Row:
    """GetUsage of the month of a customer with a hundred times the events."""
    say(f"GetUsage of a customer with {MANY:,} events against one with {FEW:,}")
    with Client(stage.address, stage.key) as client:
        few, many = stage.add_customers(client, "usage", 2)
        for user_id, events in ((few, FEW), (many, MANY)):
            stream.send(made_events([user_id], f"usage-of-{user_id}", events, spread=_MONTH))

        def usage(user_id: str) -> float:
            request = usage_service_pb2.GetUsageRequest(
                customer=customer_pb2.CustomerRef(external_id=f"customer-of-{user_id}")
            )
            took = []
            for _ in range(50):
                started = time.perf_counter()
                client.usage.GetUsage(request)
                took.append((time.perf_counter() - started) * 1e3)
            return median(took)

        usage(few), usage(many)
        much, little = interleave(lambda: usage(many), lambda: usage(few), rounds)
    return row(
        "GetUsage with 100 × the events (p50, ms) : with few", much, little, 1.2, at_most=True
    )


def _soak(stage: Stage, stream: Stream, events: int) -> Row:
    """The server's memory at the end of very many events, against what it was after a third of them."""
    say(f"the server's memory over {events:,} events")
    sizes: list[int] = []
    for part in range(SOAK_ROUNDS):
        for piece in range(0, events // SOAK_ROUNDS, 100_000):
            size = min(100_000, events // SOAK_ROUNDS - piece)
            stream.send(made_events(stage.user_ids, f"soak-{part}-{piece}", size))
        sizes.append(resident_bytes(stage.server_pid))
    say("MiB: " + ", ".join(f"{size / 2**20:.0f}" for size in sizes))
    return row(
        f"server's memory after {events:,} events (MiB) : after a third",
        max(sizes[-3:]) / 2**20,
        sizes[SOAK_ROUNDS // 3] / 2**20,
        1.05,
        at_most=True,
    )
