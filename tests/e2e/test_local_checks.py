"""Checks answered in the process: they follow the server, outlive it, and say what they rest on (ENT-8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import grpc
import pytest
from candela import (
    AsyncClient,
    AsyncLocalEntitlements,
    Client,
    LocalEntitlements,
    Origin,
    failure_of,
)
from candela._local_follow import SILENCE_S

from demo.team_plan import sign_up, subscribe
from tests.e2e.test_watch import switch
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.ports import free_port
from tests.helpers.servers import CandelaProcess, LiveServer, wait_until_serving
from tests.helpers.waiting import eventually, until

CURRENT = timedelta(seconds=10)
FOLLOWS_WITHIN_S = 1.0


class Sold:
    """A customer with the plan "Team" under slugs of its own."""

    def __init__(self, candela: Client) -> None:
        self.plan = fresh_plan()
        self.analytics, self.premium, _ = (one.new_feature.slug for one in self.plan.features)
        self.plan.metrics[0].event_names[:] = [self.premium]
        candela.plans.CreatePlan(self.plan)
        self.user = fresh("user")
        self.external_id = fresh("x")
        self.customer_id = sign_up(candela, self.external_id, {self.user: "Ada"}).id

    def subscribe(self, candela: Client) -> None:
        subscribe(candela, self.customer_id, self.plan.slug, 1)


@pytest.fixture
def sold(candela: Client) -> Sold:
    return Sold(candela)


@pytest.fixture
def local(candela: Client, sold: Sold) -> Iterator[LocalEntitlements]:
    with candela.local([sold.customer_id]) as checks:
        assert checks.wait_until_current(CURRENT)
        yield checks


@pytest.fixture
def own_server(live_server: LiveServer, tmp_path: Path) -> Iterator[tuple[CandelaProcess, str]]:
    """A server of this test's own, that can be killed."""
    address = f"127.0.0.1:{free_port()}"
    server = CandelaProcess(
        "own server",
        ("serve",),
        {
            **live_server.server.environment,
            "CANDELA_GRPC_ADDRESS": address,
            "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
        },
        tmp_path / "log",
    )
    server.start()
    wait_until_serving(address, server)
    yield server, address
    server.stop()


@pytest.mark.quiet
@pytest.mark.spec("ENT-8", "ENT-6", "ENT-5")
def test_plan_taken__is_followed_within_a_second_by_every_id(
    candela: Client, sold: Sold, local: LocalEntitlements
) -> None:
    before = local.check(sold.analytics, user_id=sold.user)
    sold.subscribe(candela)
    took_s = until(lambda: local.is_feature_entitled(sold.analytics, user_id=sold.user))
    after = local.check(sold.analytics, external_customer_id=sold.external_id)

    assert (before.entitled, before.denial_reason, before.origin) == (
        False,
        "no_active_subscription",
        Origin.LOCAL,
    )
    assert took_s < FOLLOWS_WITHIN_S
    assert (after.entitled, after.source, after.value, after.origin, after.degraded) == (
        True,
        "plan",
        True,
        Origin.LOCAL,
        False,
    )
    assert after.age is not None
    assert after.age < timedelta(seconds=15)
    assert local.is_feature_entitled(sold.analytics, customer_id=sold.customer_id)


@pytest.mark.quiet
@pytest.mark.spec("ENT-8", "ENT-11")
def test_kill_switch__reaches_local_checks_within_a_second(
    candela: Client, sold: Sold, local: LocalEntitlements
) -> None:
    sold.subscribe(candela)
    until(lambda: local.is_feature_entitled(sold.analytics, user_id=sold.user))

    switch(candela, sold.analytics, on=False)
    off_s = until(lambda: not local.is_feature_entitled(sold.analytics, user_id=sold.user))
    why = local.check(sold.analytics, user_id=sold.user).denial_reason
    switch(candela, sold.analytics, on=True)
    on_s = until(lambda: local.is_feature_entitled(sold.analytics, user_id=sold.user))

    assert max(off_s, on_s) < FOLLOWS_WITHIN_S
    assert why == "feature_disabled"


@pytest.mark.quiet
@pytest.mark.spec("ENT-8", "ENT-4")
def test_usage__is_followed_and_answers_for_any_quantity(
    candela: Client, sold: Sold, local: LocalEntitlements
) -> None:
    sold.subscribe(candela)
    until(lambda: local.is_feature_entitled(sold.premium, user_id=sold.user))

    candela.send_event(sold.premium, value=30, user_id=sold.user)
    took_s = until(lambda: used_of(local, sold) == 30)
    got = local.check(sold.premium, user_id=sold.user, quantity=Decimal("70.5"))

    assert took_s < 3
    assert got.origin is Origin.LOCAL
    assert got.entitled  # beyond the included ones, overage is sold
    assert got.usage is not None
    assert (got.usage.limit, got.usage.remaining) == (100, 70)


@pytest.mark.spec("ENT-8", "ENT-2")
def test_unknown_feature__is_the_servers_error_and_unknown_customer_its_answer(
    local: LocalEntitlements, sold: Sold
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        local.is_feature_entitled("no-such-thing", user_id=sold.user)
    stranger = local.check(sold.analytics, user_id="nobody-knows")

    assert failure_of(refused.value).reason == "ERROR_REASON_FEATURE_NOT_FOUND"
    assert (stranger.entitled, stranger.denial_reason, stranger.origin) == (
        False,
        "customer_unknown",
        Origin.SERVER,
    )


@pytest.mark.spec("ENT-8", "ENT-5")
def test_customer_that_is_not_watched__is_asked_of_the_server(
    candela: Client, local: LocalEntitlements
) -> None:
    other = Sold(candela)
    other.subscribe(candela)

    got = local.check(other.analytics, customer_id=other.customer_id)

    assert (got.entitled, got.origin) == (True, Origin.SERVER)


@pytest.mark.spec("ENT-8")
@pytest.mark.parametrize(
    "ids", [{}, {"user_id": "a", "customer_id": "b"}, {"customer_id": "b", "quantity": 0.5}]
)
def test_question_that_cannot_be__is_refused_as_by_the_client(
    local: LocalEntitlements, ids: dict[str, str]
) -> None:
    with pytest.raises((ValueError, TypeError)):
        local.is_feature_entitled("x", **ids)  # type: ignore[arg-type]


@pytest.mark.spec("ENT-8")
def test_server_killed_and_back__local_checks_go_on_and_follow_again(
    live_server: LiveServer, candela: Client, sold: Sold, own_server: tuple[CandelaProcess, str]
) -> None:
    server, address = own_server
    sold.subscribe(candela)
    with (
        Client(address, live_server.secret_key) as client,
        client.local([sold.customer_id]) as local,
    ):
        assert local.wait_until_current(CURRENT)
        server.kill()
        during = local.check(sold.analytics, user_id=sold.user)
        # What happens while nobody can tell is told after.
        switch(candela, sold.analytics, on=False)
        server.start()
        wait_until_serving(address, server)
        took_s = until(lambda: not local.is_feature_entitled(sold.analytics, user_id=sold.user))

    assert (during.entitled, during.origin, during.degraded) == (True, Origin.LOCAL, False)
    assert took_s < 5


@pytest.mark.spec("ENT-8")
def test_server_gone_for_longer_than_max_age__each_feature_follows_its_policy(
    live_server: LiveServer, candela: Client, sold: Sold, own_server: tuple[CandelaProcess, str]
) -> None:
    server, address = own_server
    sold.subscribe(candela)
    with (
        Client(address, live_server.secret_key) as client,
        client.local(
            [sold.customer_id],
            on_unavailable={sold.analytics: "deny", "brand-new": "allow"},
            max_age=timedelta(seconds=0.5),
        ) as local,
    ):
        until(lambda: local.check(sold.premium, user_id=sold.user).origin is Origin.LOCAL)
        server.kill()
        until(lambda: local.check(sold.premium, user_id=sold.user).origin is Origin.POLICY)
        cached = local.check(sold.premium, user_id=sold.user)
        denied = local.check(sold.analytics, user_id=sold.user)
        allowed = local.check("brand-new", user_id=sold.user)
        unknown = local.check("never-heard-of", user_id=sold.user)
        age = local.age

    assert (cached.entitled, cached.source, cached.degraded) == (True, "credits", True)
    assert (denied.entitled, denied.denial_reason, denied.degraded) == (
        False,
        "server_unreachable",
        True,
    )
    assert (allowed.entitled, allowed.degraded) == (True, True)
    assert not unknown.entitled
    assert age is not None
    assert age > timedelta(seconds=0.5)


@pytest.mark.spec("ENT-8", "KEY-2")
def test_key_that_may_not_watch__is_said_at_once(live_server: LiveServer) -> None:
    with (
        Client(live_server.address, live_server.publishable_key) as client,
        client.local() as local,
        pytest.raises(grpc.RpcError) as refused,
    ):
        local.wait_until_current(CURRENT)

    assert failure_of(refused.value).code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.spec("ENT-8")
def test_closed__asks_the_server(candela: Client, sold: Sold) -> None:
    local = candela.local([sold.customer_id])
    assert local.wait_until_current(CURRENT)
    local.close()

    assert local.check(sold.analytics, user_id=sold.user).origin is Origin.SERVER


@pytest.mark.spec("ENT-8")
def test_client_closed_first__local_checks_stop_following(
    live_server: LiveServer, sold: Sold
) -> None:
    client = Client(live_server.address, live_server.secret_key)
    with client.local([sold.customer_id]) as local:
        assert local.wait_until_current(CURRENT)
        client.close()
        until(lambda: not any(thread.is_alive() for thread in local._threads[:1]))
        assert not local._by_user


@pytest.mark.spec("ENT-8")
async def test_event_loop__has_the_same_local_checks(
    live_server: LiveServer, candela: Client, sold: Sold
) -> None:
    sold.subscribe(candela)
    async with (
        AsyncClient(live_server.address, live_server.secret_key) as client,
        client.local([sold.customer_id]) as local,
    ):
        assert await local.wait_until_current(CURRENT)
        first = await local.check(sold.analytics, user_id=sold.user, quantity=3)
        switch(candela, sold.analytics, on=False)
        await eventually(lambda: off(local, sold))
        with pytest.raises(grpc.RpcError) as refused:
            await local.is_feature_entitled("no-such-thing", user_id=sold.user)

    assert (first.entitled, first.origin) == (True, Origin.LOCAL)
    assert failure_of(refused.value).reason == "ERROR_REASON_FEATURE_NOT_FOUND"


@pytest.mark.spec("ENT-8")
async def test_connection_gone_silent__is_given_up_and_made_anew(
    live_server: LiveServer, candela: Client, sold: Sold, local: LocalEntitlements
) -> None:
    sold.subscribe(candela)
    async with (
        AsyncClient(live_server.address, live_server.secret_key) as client,
        client.local([sold.customer_id]) as awaited,
    ):
        assert await awaited.wait_until_current(CURRENT)
        for checks in (local, awaited):
            # As if the last word had come long ago.
            checks._follower._heard_at_s = -SILENCE_S - 1e9
        for checks in (local, awaited):
            await eventually(partial(made_anew, checks))
        switch(candela, sold.analytics, on=False)
        await eventually(lambda: off(awaited, sold))
        until(lambda: not local.is_feature_entitled(sold.analytics, user_id=sold.user))


async def made_anew(checks: LocalEntitlements | AsyncLocalEntitlements) -> bool:
    return checks._follower._heard_at_s >= 0


async def off(local: AsyncLocalEntitlements, sold: Sold) -> bool:
    return not await local.is_feature_entitled(sold.analytics, user_id=sold.user)


def used_of(local: LocalEntitlements, sold: Sold) -> Decimal:
    usage = local.check(sold.premium, user_id=sold.user).usage
    assert usage is not None
    return usage.used
