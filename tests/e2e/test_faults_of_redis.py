"""Redis stopped, slow, flushed, restarted or spoiled: checks go on, right and quick, from the rollups (ENT-4)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import redis as redis_py
from candela.entitlement.v1 import entitlement_pb2

from tests.helpers.cluster import Cluster, Node
from tests.helpers.fault_shop import INCLUDED, Holder, Offer
from tests.helpers.waiting import until

pytestmark = [pytest.mark.quiet, pytest.mark.own_stores]

LATENCY_S = 0.5
LIVE_WITHIN_S = 5.0
CHECKS = 30
COUNTERS = entitlement_pb2.USAGE_ORIGIN_COUNTERS
ROLLUPS = entitlement_pb2.USAGE_ORIGIN_ROLLUPS


@pytest.fixture
def holder(cluster: Cluster) -> Holder:
    """A customer whose usage of 3 is in the counters of both servers."""
    made = Offer.create(cluster.first.client).sign_up(cluster.first.client)
    made.send(cluster.first.client, "1", "2")
    for node in (cluster.first, cluster.second):
        until_live(node, made)
    return made


def until_live(node: Node, holder: Holder) -> None:
    """Returns when the counters answer."""
    took_s = until(
        lambda: node.check(holder.metered()).freshness.usage_origin == COUNTERS,
        "the counters answer",
    )
    assert took_s < LIVE_WITHIN_S


def used(node: Node, holder: Holder) -> Decimal:
    return Decimal(node.check(holder.metered()).entitlement.usage.used)


def checks_are_right_and_quick(cluster: Cluster, holder: Holder, node: Node, so_far: int) -> int:
    """Sends and asks in turn; the first check may find out that something is wrong. Returns what was used."""
    node.check(holder.metered())
    slowest_s = 0.0
    for _ in range(CHECKS):
        began = time.monotonic()
        got = node.check(holder.metered())
        slowest_s = max(slowest_s, time.monotonic() - began)
        assert Decimal(got.entitlement.usage.used) == so_far
        assert not got.freshness.stale
        holder.send(cluster.first.client, "1")
        so_far += 1
    assert slowest_s < LATENCY_S
    assert used(node, holder) == so_far
    return so_far


@pytest.mark.spec("ENT-4", "EVT-2")
def test_redis_stopped__the_rollups_answer_and_counters_come_back_by_themselves(
    cluster: Cluster, holder: Holder
) -> None:
    cluster.stores.stop_valkey()
    so_far = checks_are_right_and_quick(cluster, holder, cluster.first, 3)
    assert cluster.first.check(holder.metered()).freshness.usage_origin == ROLLUPS

    cluster.stores.start_valkey()  # empty
    so_far = checks_are_right_and_quick(cluster, holder, cluster.first, so_far)

    for node in (cluster.first, cluster.second):
        until_live(node, holder)
        assert used(node, holder) == so_far


@pytest.mark.spec("ENT-4", "EVT-2")
def test_redis_frozen__the_rollups_answer_within_half_a_second(
    cluster: Cluster, holder: Holder
) -> None:
    with cluster.stores.frozen_valkey():
        so_far = checks_are_right_and_quick(cluster, holder, cluster.first, 3)
    until_live(cluster.first, holder)
    assert used(cluster.first, holder) == so_far
    assert used(cluster.second, holder) == so_far


@pytest.mark.spec("ENT-4", "EVT-2")
def test_redis_two_seconds_away_from_one_server__answers_stay_right_and_quick(
    cluster: Cluster, holder: Holder
) -> None:
    cluster.redis_proxy.delay(2.0)
    so_far = checks_are_right_and_quick(cluster, holder, cluster.second, 3)
    cluster.redis_proxy.heal()

    until_live(cluster.second, holder)
    assert used(cluster.second, holder) == so_far


@pytest.mark.spec("ENT-4", "EVT-2")
def test_redis_swallows_what_one_server_says__events_it_took_are_counted_by_the_other_at_once(
    cluster: Cluster, holder: Holder
) -> None:
    cluster.redis_proxy.swallow()
    for number in range(1, 21):
        holder.send(cluster.second.client, "1")
        assert used(cluster.first, holder) == 3 + number
        assert used(cluster.second, holder) == 3 + number
    cluster.redis_proxy.heal()

    for node in (cluster.first, cluster.second):
        until_live(node, holder)
        assert used(node, holder) == 23


@pytest.mark.spec("ENT-4")
def test_keys_of_a_wrong_type__are_no_answer_and_are_repaired(
    cluster: Cluster, holder: Holder
) -> None:
    client = redis_py.Redis.from_url(cluster.stores.redis_url)
    for pattern in ("candela:usage:{*", "candela:usage:epoch", "candela:usage:applied"):
        for key in client.keys(pattern):
            client.delete(key)
            if key.endswith(b"epoch"):
                client.hset(key, "x", "y")
            else:
                client.set(key, "spoiled")
        so_far = int(used(cluster.first, holder))
        so_far = checks_are_right_and_quick(cluster, holder, cluster.first, so_far)
        for node in (cluster.first, cluster.second):
            until_live(node, holder)
            assert used(node, holder) == so_far
    client.close()


@pytest.mark.spec("ENT-4")
def test_one_counter_evicted__is_missing_and_not_zero(cluster: Cluster, holder: Holder) -> None:
    client = redis_py.Redis.from_url(cluster.stores.redis_url)
    for number in range(1, 21):
        [key] = client.keys(f"candela:usage:*{holder.customer.id}*")
        client.delete(key)
        assert used(cluster.first, holder) == 2 + number
        until_live(cluster.second, holder)
        holder.send(cluster.first.client, "1")
        assert used(cluster.second, holder) == 3 + number
    client.close()


@pytest.mark.spec("ENT-4", "EVT-2")
def test_flushes_while_events_flow__nobodys_remaining_balance_ever_rises(
    cluster: Cluster, holder: Holder
) -> None:
    others = [holder.offer.sign_up(cluster.first.client) for _ in range(3)]
    client = redis_py.Redis.from_url(cluster.stores.redis_url)
    until_s = time.monotonic() + 4
    sent = {one.customer.id: Decimal(0) for one in (holder, *others)}
    sent[holder.customer.id] = Decimal(3)

    def send(node: Node, holders: list[Holder]) -> None:
        while time.monotonic() < until_s:
            for one in holders:
                one.send(node.client, "0.25")
                sent[one.customer.id] += Decimal("0.25")

    def watch(one: Holder) -> int:
        least, looks = Decimal(INCLUDED), 0
        while time.monotonic() < until_s:
            # Now from one server, now from the other: what one has told, the other must not take back.
            node = (cluster.first, cluster.second)[looks % 2]
            acknowledged = sent[one.customer.id]
            usage = node.check(one.metered()).entitlement.usage
            left = INCLUDED - Decimal(usage.used)
            assert left <= least, f"{left} after {least}"
            assert Decimal(usage.used) >= acknowledged
            least, looks = left, looks + 1
        return looks

    def flush() -> int:
        count = 0
        while time.monotonic() < until_s:
            client.flushall()
            count += 1
            time.sleep(0.02)
        return count

    everybody = [holder, *others]
    with ThreadPoolExecutor(16) as pool:
        # Each sends for customers of its own, so that what was acknowledged is counted without a lock.
        sending = [
            pool.submit(send, cluster.first, everybody[:2]),
            pool.submit(send, cluster.second, everybody[2:]),
        ]
        watching = [pool.submit(watch, one) for one in everybody * 2]
        flushing = pool.submit(flush)
        looks = [one.result() for one in watching]
        for one in sending:
            one.result()
        assert flushing.result() > 20
    assert min(looks) > 10
    for one in everybody:
        for node in (cluster.first, cluster.second):
            assert used(node, one) == sent[one.customer.id]
    client.close()


@pytest.mark.spec("ENT-4", "EVT-2")
def test_redis_restarted_with_what_it_held_before__nothing_of_it_is_believed(
    cluster: Cluster, holder: Holder
) -> None:
    client = redis_py.Redis.from_url(cluster.stores.redis_url)
    client.save()
    client.close()
    # Only one server takes events, and none after the restart that would find a gap.
    holder.send(cluster.first.client, "1", "1")
    assert used(cluster.second, holder) == 5

    cluster.stores.stop_valkey()
    cluster.stores.start_valkey()
    for _ in range(30):
        for node in (cluster.first, cluster.second):
            assert used(node, holder) == 5
    for node in (cluster.first, cluster.second):
        until_live(node, holder)
        assert used(node, holder) == 5
    (cluster.stores.folder / "valkey" / "dump.rdb").unlink()
