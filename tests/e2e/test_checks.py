"""Many checks in one call, over real gRPC (ENT-5)."""

from __future__ import annotations

import pytest
from candela import Client
from candela.entitlement.v1 import entitlement_service_pb2
from candela.type.v1 import error_reason_pb2

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer


@pytest.mark.spec("ENT-5", "ENT-2", "ENT-6")
def test_many_checks_with_a_mistake_among_them__answered_in_order(live_server: LiveServer) -> None:
    plan = fresh_plan()
    analytics, premium, _ = (granted.new_feature.slug for granted in plan.features)
    user = fresh("user")
    with Client(live_server.address, live_server.secret_key) as candela:
        candela.plans.CreatePlan(plan)
        customer = sign_up(candela, fresh("x"), {user: "Ada"})
        subscribe(candela, customer.id, plan.slug, 2)
        slugs = [premium, "no-such-thing", analytics, premium]
        got = candela.entitlements.CheckMany(
            entitlement_service_pb2.CheckManyRequest(
                checks=[
                    entitlement_service_pb2.CheckRequest(external_user_id=user, feature=slug)
                    for slug in slugs
                ]
            )
        ).results
        listed = candela.entitlements.ListEntitlements(
            entitlement_service_pb2.ListEntitlementsRequest(customer_id=customer.id)
        )

    assert [one.WhichOneof("result") for one in got] == [
        "response",
        "error",
        "response",
        "response",
    ]
    assert got[1].error.index == 1
    assert got[1].error.reason == error_reason_pb2.ERROR_REASON_FEATURE_NOT_FOUND
    assert got[0].response == got[3].response
    assert got[0].response.entitlement.usage.limit == "200"  # 2 seats × 100
    assert got[2].response.entitlement.feature == analytics
    assert {analytics, premium} <= {one.feature for one in listed.entitlements}


@pytest.mark.spec("ENT-4", "EVT-2")
def test_event_acknowledged__the_next_check_counts_it(live_server: LiveServer) -> None:
    plan = fresh_plan()
    premium = plan.features[1].new_feature.slug
    plan.metrics[0].event_names[:] = [premium]
    user = fresh("user")
    with Client(live_server.address, live_server.secret_key) as candela:
        candela.plans.CreatePlan(plan)
        customer = sign_up(candela, fresh("x"), {user: "Ada"})
        subscribe(candela, customer.id, plan.slug, 1)
        got = []
        for _ in range(5):
            candela.send_event(premium, value="0.5", user_id=user)
            got.append(candela.check_feature(premium, user_id=user).entitlement)

    assert [answer.usage.used for answer in got] == ["0.5", "1", "1.5", "2", "2.5"]
    assert [answer.credit_info.remaining for answer in got] == ["99.5", "99", "98.5", "98", "97.5"]
    assert {answer.usage.limit for answer in got} == {"100"}
