"""A stalled database slows those who send, costs no memory without bound, and in the end everything counts (EVT-1)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import psutil
import psycopg
import pytest
from candela import failure_of
from candela.metering.v1 import event_pb2, ingestion_service_pb2_grpc
from candela.metering.v1 import ingestion_service_pb2 as pb

from tests.helpers.cluster import Cluster
from tests.helpers.fault_shop import Offer
from tests.helpers.names import fresh
from tests.helpers.waiting import until

pytestmark = [pytest.mark.quiet, pytest.mark.own_stores]

CLIENTS = 40
EVENTS_EACH = 10_000
MOST_MORE_BYTES = 350 * 1024 * 1024
"""Prepared, these events alone would take half a gigabyte."""

STALLED_S = 2.0
PATIENCE_S = 150.0


@pytest.mark.spec("EVT-1", "EVT-2")
def test_a_database_that_stalls_under_many_large_batches__memory_is_bounded_and_all_counts_once(
    cluster: Cluster,
) -> None:
    node = cluster.first
    holder = Offer.create(node.client).sign_up(node.client)
    holder.send(node.client, "3")
    process = psutil.Process(node.pid)
    before = process.memory_info().rss
    most = before
    reasons: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.05):
            most = max(most, process.memory_info().rss)

    def send(number: int) -> None:
        """Sends one batch until it is acknowledged, as a client does that obeys RetryInfo."""
        run = fresh(f"batch-{number}")
        request = pb.RecordEventsRequest(
            events=[
                event_pb2.Event(
                    idempotency_key=f"{run}-{index}",
                    name=holder.offer.metered,
                    customer_id=holder.customer.id,
                    value="1",
                )
                for index in range(EVENTS_EACH)
            ]
        )
        give_up_at = time.monotonic() + PATIENCE_S
        with grpc.insecure_channel(
            node.address,
            options=[("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)],
        ) as channel:
            stub = ingestion_service_pb2_grpc.IngestionServiceStub(channel)
            while True:
                try:
                    answer = stub.RecordEvents(
                        request,
                        timeout=PATIENCE_S,
                        metadata=(("authorization", f"Bearer {cluster.secret_key}"),),
                    )
                except grpc.RpcError as error:
                    failure = failure_of(error)
                    reasons.add(failure.reason)
                    if time.monotonic() > give_up_at:
                        raise
                    pause = failure.retry_after
                    time.sleep(pause.total_seconds() if pause else 0.5)
                else:
                    assert not answer.errors
                    return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(CLIENTS) as pool:
            with psycopg.connect(cluster.database_url) as connection:
                # No key can be claimed; everything else goes on, so nothing says that the database is away.
                connection.execute("LOCK TABLE event_key IN ACCESS EXCLUSIVE MODE")
                sent = [pool.submit(send, number) for number in range(CLIENTS)]
                until(lambda: "ERROR_REASON_OVERLOADED" in reasons, "somebody is refused")
                time.sleep(STALLED_S)
                connection.rollback()
            for one in sent:
                one.result()
    finally:
        ended.set()
        watcher.join()

    assert most - before < MOST_MORE_BYTES
    counted = node.check(holder.metered()).entitlement.usage.used
    assert counted == str(3 + CLIENTS * EVENTS_EACH)
    assert reasons <= {"ERROR_REASON_OVERLOADED", "ERROR_REASON_UNAVAILABLE"}
