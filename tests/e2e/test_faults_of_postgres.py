"""PostgreSQL stopped, frozen or swallowed: the known are answered from memory, nobody waits long (ENT-5, ENT-8)."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from typing import Any

import grpc
import pytest
from candela import failure_of
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.type.v1 import error_reason_pb2

from tests.helpers.cluster import Cluster, Node
from tests.helpers.fault_shop import Holder, Offer
from tests.helpers.names import fresh
from tests.helpers.waiting import until

pytestmark = [pytest.mark.quiet, pytest.mark.own_stores]

HANG_S = 3.0
AT_ONCE_S = 0.3
FRESH_WITHIN_S = 2.0


@pytest.fixture
def holder(cluster: Cluster) -> Holder:
    """A customer with a usage of 3, known to both servers."""
    made = Offer.create(cluster.first.client).sign_up(cluster.first.client)
    made.send(cluster.first.client, "3")
    for node in (cluster.first, cluster.second):
        for question in (made.switch(), made.metered()):
            until(
                lambda node=node, question=question: is_fresh(node, question),
                "it is fresh",
            )
        until(
            lambda node=node: node.check(made.metered()).freshness.usage_origin == 1,
            "it is live",
        )
    return made


def is_fresh(node: Node, question: pb.CheckRequest) -> bool:
    try:
        return not node.check(question).freshness.stale
    except grpc.RpcError:
        return False


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and its answer or its error."""
    began = time.monotonic()
    try:
        answer = call()
    except grpc.RpcError as error:
        answer = failure_of(error)
    return time.monotonic() - began, answer


def stranger(holder: Holder) -> pb.CheckRequest:
    """A customer nobody has asked about before."""
    return pb.CheckRequest(external_customer_id=fresh("x"), feature=holder.offer.switch)


def answers_are_stale_and_quick(node: Node, holder: Holder, *, metered: bool) -> None:
    for _ in range(20):
        took_s, got = timed(lambda: node.check(holder.switch()))
        assert got.entitlement.entitled
        assert got.freshness.stale
        assert took_s < AT_ONCE_S
        took_s, got = timed(lambda: node.check(holder.metered()))
        if metered:
            assert Decimal(got.entitlement.usage.used) == 3
            assert got.freshness.stale
        else:
            assert got.code is grpc.StatusCode.UNAVAILABLE
            assert got.retry_after is not None
        assert took_s < AT_ONCE_S
        took_s, got = timed(lambda: node.check(stranger(holder)))
        assert got.code is grpc.StatusCode.UNAVAILABLE
        assert got.retry_after is not None
        assert took_s < AT_ONCE_S


def becomes_fresh(node: Node, holder: Holder) -> None:
    began = time.monotonic()
    for question in (holder.switch(), holder.metered(), stranger(holder)):
        until(
            lambda question=question: is_fresh(node, question),
            "it is fresh",
        )
    assert time.monotonic() - began < FRESH_WITHIN_S


@pytest.mark.spec("ENT-5", "ENT-8", "KEY-1")
def test_postgres_stopped__the_known_are_answered_as_stale_and_freshly_when_it_is_back(
    cluster: Cluster, holder: Holder
) -> None:
    cluster.stores.stop_postgres()
    for node in (cluster.first, cluster.second):
        took_s, got = timed(lambda node=node: node.check(holder.switch()))
        assert took_s < HANG_S
        assert got.entitlement.entitled
        timed(lambda node=node: node.check(holder.metered()))
        answers_are_stale_and_quick(node, holder, metered=True)
    # Longer than a key is trusted without being looked up.
    until_s = time.monotonic() + 1.5
    while time.monotonic() < until_s:
        took_s, got = timed(lambda: cluster.first.check(holder.switch()))
        assert got.entitlement.entitled
        assert took_s < AT_ONCE_S

    cluster.stores.start_postgres()
    for node in (cluster.first, cluster.second):
        becomes_fresh(node, holder)
    holder.send(cluster.first.client, "1")
    for node in (cluster.first, cluster.second):
        assert Decimal(node.check(holder.metered()).entitlement.usage.used) == 4


@contextmanager
def swallowed(cluster: Cluster) -> Any:
    cluster.database_proxy.swallow()
    try:
        yield
    finally:
        # What was on its way is lost, as it is when a network comes back.
        cluster.database_proxy.cut()
        cluster.database_proxy.heal()


FREEZES: dict[str, Callable[[Cluster], AbstractContextManager[Any]]] = {
    "frozen": lambda cluster: cluster.stores.frozen_postgres(),
    "swallowed": swallowed,
}


@pytest.mark.spec("ENT-5", "ENT-8")
@pytest.mark.parametrize("kind", list(FREEZES))
def test_postgres_that_hangs__holds_no_check_long_and_then_stale_answers_come_at_once(
    cluster: Cluster, holder: Holder, kind: str
) -> None:
    node = cluster.second
    with FREEZES[kind](cluster), ThreadPoolExecutor(64) as pool:
        asked = [
            pool.submit(timed, lambda question=question: node.check(question, 20))
            for question in [holder.switch(), holder.metered(), *[stranger(holder)] * 3] * 12
        ]
        took_s = [one.result()[0] for one in asked]
        assert max(took_s) < HANG_S
        until_s = time.monotonic() + 2
        while time.monotonic() < until_s:
            answers_are_stale_and_quick(node, holder, metered=True)

    becomes_fresh(node, holder)
    assert Decimal(node.check(holder.metered()).entitlement.usage.used) == 3


@pytest.mark.spec("ENT-5", "ENT-8", "ENT-4")
def test_both_stores_stopped__features_without_a_metric_are_answered_and_metered_ones_unavailable(
    cluster: Cluster, holder: Holder
) -> None:
    node = cluster.first
    cluster.stores.stop_valkey()
    cluster.stores.stop_postgres()
    for question in (holder.switch(), holder.metered()):
        took_s, _ = timed(lambda question=question: node.check(question))
        assert took_s < HANG_S
    answers_are_stale_and_quick(node, holder, metered=False)
    many = node.check_many([holder.switch(), holder.metered(), holder.switch()])
    assert many[0] == many[2]
    assert many[0].response.entitlement.entitled
    assert many[1].error.index == 1
    assert many[1].error.reason == error_reason_pb2.ERROR_REASON_UNAVAILABLE

    cluster.stores.start_valkey()
    # An empty Redis knows nothing, and says so.
    assert node.refusal(holder.metered()) is not None
    cluster.stores.start_postgres()
    for one in (cluster.first, cluster.second):
        becomes_fresh(one, holder)
        assert Decimal(one.check(holder.metered()).entitlement.usage.used) == 3
    assert cluster.first.process.running
    assert cluster.second.process.running
