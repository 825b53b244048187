"""`scripts/storage_sizes`: bytes per event, per key and per rollup row, tables and indexes apart."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
from candela import Client
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.metering.v1 import event_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from .harness import say
from .stage import Stage, stage

_DAYS = 28
_TABLES = ("event", "event_key", "usage_rollup", "usage_distinct")


def main() -> int:
    """Prints one line per table."""
    parser = argparse.ArgumentParser(prog="scripts/storage_sizes", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, metavar="N", help="how many events")
    options = parser.parse_args()
    with stage(os.environ.get("CANDELA_BENCH_POSTGRES_DSN")) as made:
        with Client(made.address, made.key) as client:
            for metric in _metrics():
                client.metrics.CreateMetric(metric_service_pb2.CreateMetricRequest(metric=metric))
            say(f"recording {options.events} events of {_DAYS} days")
            client.stream_events(_events(made, options.events))
        _show(made)
    return 0


def _metrics() -> Iterator[metric_pb2.NewMetric]:
    for aggregation in ("COUNT", "SUM"):
        yield metric_pb2.NewMetric(
            slug=f"sizes-{aggregation.lower()}",
            name=aggregation,
            aggregation=metric_pb2.Aggregation.Value(f"AGGREGATION_{aggregation}"),
            event_names=["ai-token"],
        )
    yield metric_pb2.NewMetric(
        slug="sizes-models",
        name="Models",
        aggregation=metric_pb2.AGGREGATION_UNIQUE,
        unique_of=metric_pb2.UNIQUE_OF_PROPERTY,
        property="model",
        event_names=["ai-token"],
    )


def _events(made: Stage, count: int) -> Iterator[event_pb2.Event]:
    """Of all customers in turn, in the order of time, with a UUID as key and two properties."""
    start = datetime.now(UTC) - timedelta(days=_DAYS)
    for number in range(count):
        stamp = Timestamp()
        stamp.FromDatetime(start + timedelta(days=_DAYS) * (number / count))
        yield event_pb2.Event(
            idempotency_key=f"{number:08x}-7d4a-4b6e-9c1f-2a5b8e3d6f70",
            name="ai-token",
            external_user_id=made.user_ids[number % len(made.user_ids)],
            value=str(number % 4000),
            timestamp=stamp,
            properties_json=b'{"model":"large-%d","region":"eu-west"}' % (number % 5),
        )


def _show(made: Stage) -> None:
    with psycopg.connect(made.database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        print(f"{'table':<16}{'rows':>10}{'table B/row':>14}{'index B/row':>14}{'together':>10}")
        for table in _TABLES:
            row = connection.execute(
                """
                WITH RECURSIVE part (oid) AS (
                    SELECT %(table)s::regclass::oid
                    UNION ALL SELECT inhrelid FROM pg_inherits JOIN part ON inhparent = part.oid
                )
                SELECT sum(pg_table_size(oid)), sum(pg_indexes_size(oid)) FROM part
                """,
                {"table": table},
            ).fetchone()
            counted = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
            assert row is not None
            assert counted is not None
            rows = max(1, int(counted[0]))
            heap, indexes = int(row[0]) / rows, int(row[1]) / rows
            print(f"{table:<16}{rows:>10}{heap:>14.0f}{indexes:>14.0f}{heap + indexes:>10.0f}")


if __name__ == "__main__":
    raise SystemExit(main())
