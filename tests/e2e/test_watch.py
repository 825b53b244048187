"""Watching over real gRPC: how soon, for how long, and what a reader who does not read costs (ENT-8, faults 56, 57)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from candela import Client, failure_of
from candela.catalog.v1 import feature_pb2, feature_service_pb2
from candela.customer.v1 import customer_pb2, user_service_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.entitlement.v1 import entitlement_service_pb2_grpc
from candela.merchant.v1 import api_key_pb2, api_key_service_pb2

from candela_server.entitlement.follow_usage import ASKS_AT_ONCE

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.ports import free_port
from tests.helpers.servers import CandelaProcess, LiveServer, wait_until_serving

STREAM_TIMEOUT_S = 60
CHANGES = 100
# What a client that does not read lets a server send: 64 KiB, and no more because the connection is quick.
SMALL_WINDOW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]


def plan_of(candela: Client) -> tuple[str, str, str]:
    """A new plan: its slug, and the slugs of a boolean and a usage feature."""
    plan = fresh_plan()
    analytics, premium, _ = (granted.new_feature.slug for granted in plan.features)
    plan.metrics[0].event_names[:] = [premium]
    candela.plans.CreatePlan(plan)
    return plan.slug, analytics, premium


def buyer(candela: Client, plan_slug: str, users: int = 1) -> tuple[str, list[str]]:
    """A new customer with the plan: its id, and its users' ids."""
    names = [fresh("user") for _ in range(users)]
    customer = sign_up(candela, fresh("x"), dict.fromkeys(names, "Ada"))
    subscribe(candela, customer.id, plan_slug, 1)
    return customer.id, names


def sold(candela: Client, users: int = 1) -> tuple[str, list[str], str, str]:
    """A new customer with a new plan: its id, its users' ids, and the slugs of a boolean and a usage feature."""
    plan_slug, analytics, premium = plan_of(candela)
    customer_id, names = buyer(candela, plan_slug, users)
    return customer_id, names, analytics, premium


def switch(candela: Client, slug: str, *, on: bool) -> None:
    ref = feature_pb2.FeatureRef(slug=slug)
    if on:
        candela.features.EnableFeature(feature_service_pb2.EnableFeatureRequest(feature=ref))
    else:
        candela.features.DisableFeature(feature_service_pb2.DisableFeatureRequest(feature=ref))


def add_user(candela: Client, customer_id: str, external_id: str) -> None:
    candela.users.CreateUser(
        user_service_pb2.CreateUserRequest(
            customer=customer_pb2.CustomerRef(id=customer_id), external_id=external_id, name="Ada"
        )
    )


def watch(candela: Client, *customer_ids: str, token: str = "") -> Any:
    return candela.entitlements.Watch(
        pb.WatchRequest(customer_ids=customer_ids, resume_token=token), timeout=STREAM_TIMEOUT_S
    )


def next_change(stream: Iterator[pb.WatchResponse]) -> pb.WatchResponse:
    return next(one for one in stream if one.WhichOneof("change") != "heartbeat")


@pytest.mark.quiet
@pytest.mark.spec("ENT-8", "ENT-11")
def test_snapshot_then_delta__within_a_tenth_of_a_second(candela: Client) -> None:
    customer_id, users, analytics, premium = sold(candela)
    stream = watch(candela, customer_id)
    first = next(stream)
    # Once before, so that nothing is done for the first time.
    switch(candela, analytics, on=False)
    next_change(stream)

    switch(candela, analytics, on=True)
    committed = time.perf_counter()
    second = next_change(stream)
    lag_s = time.perf_counter() - committed

    assert first.snapshot.customer_id == customer_id
    assert [user.external_user_id for user in first.snapshot.users] == users
    assert {analytics, premium} <= {one.feature for one in first.snapshot.entitlements}
    assert [one.feature for one in second.delta.changed] == [analytics]
    assert second.delta.changed[0].entitled
    # The promise is 0.1; machines that run tests are busy.
    assert lag_s < 0.5


@pytest.mark.spec("ENT-8", "EVT-2")
def test_usage_that_moves__is_told_as_a_delta(candela: Client) -> None:
    customer_id, users, _, premium = sold(candela)
    stream = watch(candela, customer_id)
    next(stream)

    candela.send_event(premium, value=7, user_id=users[0])
    got = next_change(stream)

    assert [one.feature for one in got.delta.changed] == [premium]
    assert got.delta.changed[0].usage.used == "7"
    assert got.delta.changed[0].credit_info.remaining == "93"


@pytest.mark.spec("ENT-8")
def test_usage_of_many_customers__is_told_of_each(candela: Client) -> None:
    """More than are read at once."""
    plan_slug, _, premium = plan_of(candela)
    customers = dict(buyer(candela, plan_slug) for _ in range(ASKS_AT_ONCE + 5))
    stream = watch(candela, *customers)
    for _ in customers:
        assert next(stream).WhichOneof("change") == "snapshot"

    for [user] in customers.values():
        candela.send_event(premium, value=3, user_id=user)
    told = {next_change(stream).delta.customer_id for _ in customers}

    assert told == set(customers)
    stream.cancel()


@pytest.mark.spec("ENT-8")
def test_usage_that_moved_while_away__is_told_after_coming_back(candela: Client) -> None:
    customer_id, users, _, premium = sold(candela)
    stream = watch(candela, customer_id)
    next(stream)
    beat = next(stream)
    stream.cancel()
    candela.send_event(premium, value=7, user_id=users[0])

    stream = watch(candela, customer_id, token=beat.resume_token)
    got = next(
        one
        for message in stream
        for one in message.snapshot.entitlements
        if one.feature == premium and one.usage.used != "0"
    )

    assert beat.HasField("heartbeat")
    assert got.usage.used == "7"


@pytest.mark.quiet
@pytest.mark.spec("ENT-8")
def test_quiet_stream__beats_within_fifteen_seconds(candela: Client) -> None:
    customer_id, *_ = sold(candela)
    stream = watch(candela, customer_id)
    kinds = [next(stream).WhichOneof("change") for _ in range(2)]
    began = time.monotonic()
    while next(stream).WhichOneof("change") != "heartbeat":
        pass

    assert kinds == ["snapshot", "heartbeat"]
    assert time.monotonic() - began < 15


@pytest.mark.quiet
@pytest.mark.spec("ENT-8", "KEY-2")
def test_key_revoked__ends_the_stream(live_server: LiveServer, candela: Client) -> None:
    key = candela.api_keys.CreateApiKey(
        api_key_service_pb2.CreateApiKeyRequest(
            name="watcher",
            kind=api_key_pb2.API_KEY_KIND_SECRET,
            scopes=[api_key_pb2.API_KEY_SCOPE_READ],
        )
    )
    customer_id, *_ = sold(candela)
    with Client(live_server.address, key.secret) as watcher:
        stream = watch(watcher, customer_id)
        next(stream)
        candela.api_keys.RevokeApiKey(
            api_key_service_pb2.RevokeApiKeyRequest(api_key_id=key.api_key.id)
        )
        began = time.monotonic()
        with pytest.raises(grpc.RpcError) as refused:
            list(stream)

    assert failure_of(refused.value).code is grpc.StatusCode.UNAUTHENTICATED
    assert time.monotonic() - began < 5


@pytest.mark.spec("ENT-8", "KEY-2")
def test_key_without_the_scope__may_not_watch(live_server: LiveServer) -> None:
    with (
        Client(live_server.address, live_server.publishable_key) as anybody,
        pytest.raises(grpc.RpcError) as refused,
    ):
        list(watch(anybody))

    assert failure_of(refused.value).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.spec("ENT-8")
@pytest.mark.parametrize(
    ("ids", "field"),
    [(["acme"], "customer_ids[0]"), (["cus_x"] * 10_001, "customer_ids")],
)
def test_ids_that_cannot_be__are_named(candela: Client, ids: list[str], field: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        list(watch(candela, *ids))

    failure = failure_of(refused.value)
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [violation.field for violation in failure.fields] == [field]


@pytest.mark.quiet
@pytest.mark.spec("ENT-8", "OPS-1")
def test_server_that_stops__ends_its_streams_and_itself_at_once(
    live_server: LiveServer, tmp_path: Path, candela: Client
) -> None:
    customer_id, *_ = sold(candela)
    address = f"127.0.0.1:{free_port()}"
    environment = {
        **live_server.server.environment,
        "CANDELA_GRPC_ADDRESS": address,
        "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
        "CANDELA_DRAIN_S": "30",
    }
    server = CandelaProcess("another server", ("serve",), environment, tmp_path / "log")
    server.start()
    try:
        wait_until_serving(address, server)
        with Client(address, live_server.secret_key) as watcher:
            stream = watch(watcher, customer_id)
            next(stream)
            began = time.monotonic()
            code = server.stop()
            with pytest.raises(grpc.RpcError) as ended:
                list(stream)
    finally:
        server.stop()

    assert code == 0, server.tail()
    assert time.monotonic() - began < 10
    assert failure_of(ended.value).code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.spec("ENT-8")
def test_reader_who_does_not_read__costs_no_memory_and_then_gets_the_newest_state(
    live_server: LiveServer, candela: Client
) -> None:
    # Many users make each snapshot of the customer some 20 to 40 KB, far more together than a connection takes unread.
    customer_id, users, _, _ = sold(candela, users=300)
    server = psutil.Process(live_server.server.pid)
    with grpc.insecure_channel(live_server.address, options=SMALL_WINDOW) as channel:
        stream = entitlement_service_pb2_grpc.EntitlementServiceStub(channel).Watch(
            pb.WatchRequest(customer_ids=[customer_id]),
            metadata=[("authorization", f"Bearer {live_server.secret_key}")],
        )
        snapshots = [next(stream).snapshot]
        grown = grow(candela, server, customer_id, users)
        while len(snapshots[-1].users) < len(users):
            snapshots += [one.snapshot for one in islice(stream, 1) if one.HasField("snapshot")]

    assert len(snapshots) < CHANGES / 2
    assert grown < 20 * 1024 * 1024


def grow(candela: Client, server: psutil.Process, customer_id: str, users: list[str]) -> int:
    """Adds users, and answers how many bytes the server grew by meanwhile."""
    before = int(server.memory_info().rss)
    for _ in range(CHANGES):
        users.append(fresh("user"))
        add_user(candela, customer_id, users[-1])
    return int(server.memory_info().rss) - before


@pytest.mark.spec("ENT-8")
def test_key_that_expires__ends_the_stream(live_server: LiveServer, candela: Client) -> None:
    request = api_key_service_pb2.CreateApiKeyRequest(
        name="brief",
        kind=api_key_pb2.API_KEY_KIND_SECRET,
        scopes=[api_key_pb2.API_KEY_SCOPE_READ],
    )
    request.expires_at.FromDatetime(datetime.now(UTC) + timedelta(seconds=2))
    key = candela.api_keys.CreateApiKey(request)
    customer_id, *_ = sold(candela)
    with (
        Client(live_server.address, key.secret) as watcher,
        pytest.raises(grpc.RpcError) as refused,
    ):
        list(watch(watcher, customer_id))

    assert failure_of(refused.value).code is grpc.StatusCode.UNAUTHENTICATED
