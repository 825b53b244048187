"""Metrics in SQL over real gRPC: defined, refused, and the same number for limits and charts (EVT-6, EVT-7, EVT-12)."""

from __future__ import annotations

import grpc
import pytest
from candela import Client, failure_of
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.customer.v1 import customer_pb2
from candela.metering.v1 import usage_pb2, usage_service_pb2

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer

_DISTINCT = "SELECT count(DISTINCT properties->>'document') FROM events"


def _a_metric(query: str, *, indexed: bool = False) -> metric_pb2.NewMetric:
    return metric_pb2.NewMetric(
        slug=fresh("sql"),
        name="In SQL",
        event_names=["read"],
        sql=metric_pb2.SqlMetric(query=query, indexed=indexed),
    )


@pytest.mark.spec("EVT-6", "EVT-7", "EVT-12", "ENT-4")
@pytest.mark.parametrize("indexed", [False, True], ids=["plain", "indexed"])
def test_plan_with_a_metric_in_sql__limits_and_charts_say_the_same(
    live_server: LiveServer, indexed: bool
) -> None:
    plan = fresh_plan()
    premium, name = plan.features[1].new_feature.slug, fresh("read")
    plan.metrics[0].aggregation = metric_pb2.AGGREGATION_UNSPECIFIED
    plan.metrics[0].event_names[:] = [name]
    plan.metrics[0].sql.CopyFrom(metric_pb2.SqlMetric(query=_DISTINCT, indexed=indexed))
    user = fresh("user")
    with Client(live_server.address, live_server.secret_key) as candela:
        made = candela.plans.CreatePlan(plan)
        customer = sign_up(candela, fresh("x"), {user: "Ada"})
        subscribe(candela, customer.id, plan.slug, 1)
        used = []
        for document in ("a", "b", "a", "c"):
            candela.send_event(name, user_id=user, properties={"document": document})
            used.append(candela.check_feature(premium, user_id=user).entitlement.usage.used)
        [usage] = candela.usage.GetUsage(
            usage_service_pb2.GetUsageRequest(
                customer=customer_pb2.CustomerRef(id=customer.id),
                metrics=[metric_pb2.MetricRef(slug=plan.metrics[0].slug)],
            )
        ).usages

    assert made.metrics[0].sql == metric_pb2.SqlMetric(query=_DISTINCT, indexed=indexed)
    assert used == ["1", "2", "2", "3"]
    assert usage.value == "3"
    # A query keeps nothing; an indexed one is filled by the worker within a minute, and exact before.
    filling = {usage_pb2.FILL_STATUS_FILLING} if indexed else set()
    assert usage.fill_status in {usage_pb2.FILL_STATUS_COMPLETE, *filling}


@pytest.mark.spec("EVT-6")
def test_query_that_is_not_allowed__is_refused_with_what_and_where(live_server: LiveServer) -> None:
    new = _a_metric("SELECT sum(value) FROM events\nWHERE pg_sleep(1) IS NULL")
    with Client(live_server.address, live_server.secret_key) as candela:
        with pytest.raises(grpc.RpcError) as refused:
            candela.metrics.CreateMetric(metric_service_pb2.CreateMetricRequest(metric=new))
        created = candela.metrics.CreateMetric(
            metric_service_pb2.CreateMetricRequest(
                metric=_a_metric("SELECT\n count(*)\nFROM events")
            )
        ).metric

    failure = failure_of(refused.value)
    assert failure is not None
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert failure.reason == "ERROR_REASON_SQL_METRIC_REFUSED"
    assert failure.metadata["construct"] == "function pg_sleep"
    assert failure.metadata["position"] == "37"
    assert created.aggregation == metric_pb2.AGGREGATION_UNSPECIFIED
