"""A worker that is killed while it reads history into a metric (EVT-10)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from candela import Client
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.metering.v1 import event_pb2, ingestion_service_pb2, usage_pb2, usage_service_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.metering.fill_history import STEP_EVENTS

from tests.helpers import waiting
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer

_HISTORY = 6 * STEP_EVENTS
_BATCH = 10_000


def _batch(customer_id: str, first: int, count: int, start: datetime) -> list[event_pb2.Event]:
    events = []
    for number in range(first, first + count):
        stamp = Timestamp()
        stamp.FromDatetime(start + timedelta(seconds=number * 10))
        events.append(
            event_pb2.Event(
                idempotency_key=f"{customer_id}-{number}",
                name="fill-me",
                customer_id=customer_id,
                value="2",
                timestamp=stamp,
            )
        )
    return events


def _new_metric(candela: Client) -> metric_pb2.MetricRef:
    made = candela.metrics.CreateMetric(
        metric_service_pb2.CreateMetricRequest(
            metric=metric_pb2.NewMetric(
                slug=fresh("fill"),
                name="Filled",
                aggregation=metric_pb2.AGGREGATION_SUM,
                event_names=["fill-me"],
            )
        )
    ).metric
    return metric_pb2.MetricRef(id=made.id)


@pytest.mark.spec("EVT-10", "EVT-2", "EVT-7")
def test_worker_killed_amid_a_fill__the_next_one_goes_on_and_nothing_counts_twice(
    live_server: LiveServer,
) -> None:
    start = datetime.now(UTC) - timedelta(days=20)
    with Client(live_server.address, live_server.secret_key) as candela:
        customer_id = candela.customers.CreateCustomer(
            customer_service_pb2.CreateCustomerRequest(name="Acme")
        ).customer.id
        for first in range(0, _HISTORY, _BATCH):
            candela.ingestion.RecordEvents(
                ingestion_service_pb2.RecordEventsRequest(
                    events=_batch(customer_id, first, _BATCH, start)
                )
            )

        def usage() -> usage_pb2.MetricUsage:
            return candela.usage.GetUsage(
                usage_service_pb2.GetUsageRequest(
                    customer=customer_pb2.CustomerRef(id=customer_id),
                    metrics=[ref],
                    window={
                        "start_at": start - timedelta(hours=1),
                        "end_at": start + timedelta(days=30),
                    },
                )
            ).usages[0]

        def fill() -> usage_pb2.MetricFill:
            return candela.usage.GetMetricFill(
                usage_service_pb2.GetMetricFillRequest(metric=ref)
            ).fill

        # On a machine that looks away for a second, a fill is over before the kill: then another one is.
        while True:
            ref = _new_metric(candela)
            assert usage().value == str(2 * _HISTORY)
            candela.usage.FillMetric(usage_service_pb2.FillMetricRequest(metric=ref))
            waiting.until(lambda: fill().read_count > 0)
            live_server.worker.kill()
            killed_at = fill()
            if killed_at.status == usage_pb2.FILL_STATUS_FILLING:
                break
            live_server.start()
        sent = _HISTORY
        candela.ingestion.RecordEvents(
            ingestion_service_pb2.RecordEventsRequest(
                # Into the first hours of history, which were not read yet, and behind its end.
                events=[
                    *_batch(customer_id, sent, 100, start),
                    *_batch(customer_id, sent + 100, 100, start - timedelta(seconds=10 * sent)),
                ]
            )
        )
        sent += 200
        between = usage()

        live_server.start()
        # The worker hears of a fill at once when it is asked for, else within the minute.
        candela.usage.FillMetric(usage_service_pb2.FillMetricRequest(metric=ref))

        def filled() -> bool:
            """Whether it is complete; what is asked meanwhile has the same number."""
            assert usage().value == str(2 * sent)
            return fill().status != usage_pb2.FILL_STATUS_FILLING

        waiting.until(filled)
        done, after = fill(), usage()

    assert 0 < killed_at.read_count < _HISTORY
    assert (between.value, between.fill_status) == (str(2 * sent), usage_pb2.FILL_STATUS_FILLING)
    assert done.status == usage_pb2.FILL_STATUS_COMPLETE
    # What came after the kill into a part that was read before it was counted as it came.
    assert sent - 200 <= done.read_count <= sent
    assert (after.value, after.fill_status) == (str(2 * sent), usage_pb2.FILL_STATUS_COMPLETE)
