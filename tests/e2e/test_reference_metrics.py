"""The mappings that every guide begins with, from the definition to the number, over real gRPC (EVT-12)."""

from __future__ import annotations

import pytest
from candela import Client
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.customer.v1 import customer_pb2, customer_service_pb2
from candela.metering.v1 import usage_service_pb2

from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer


def _make(candela: Client, new: metric_pb2.NewMetric) -> metric_pb2.MetricRef:
    new.slug = fresh(new.slug)  # the server's database is shared by many tests
    new.name = new.slug
    made = candela.metrics.CreateMetric(metric_service_pb2.CreateMetricRequest(metric=new)).metric
    return metric_pb2.MetricRef(id=made.id)


def _sign_up(candela: Client) -> customer_pb2.CustomerRef:
    request = customer_service_pb2.CreateCustomerRequest(name="Acme")
    return customer_pb2.CustomerRef(id=candela.customers.CreateCustomer(request).customer.id)


@pytest.mark.spec("EVT-5", "EVT-6", "EVT-12")
def test_reference_mappings__measure_what_the_guides_say(live_server: LiveServer) -> None:
    with Client(live_server.address, live_server.secret_key) as candela:
        # Names of this test's own, so that other tests' customers are not counted.
        call, token = fresh("api-call"), fresh("ai-token")
        calls = _make(
            candela,
            metric_pb2.NewMetric(
                slug="calls", aggregation=metric_pb2.AGGREGATION_COUNT, event_names=[call]
            ),
        )
        tokens = _make(
            candela,
            metric_pb2.NewMetric(
                slug="tokens", aggregation=metric_pb2.AGGREGATION_SUM, event_names=[token]
            ),
        )
        active = _make(
            candela,
            metric_pb2.NewMetric(
                slug="active",
                aggregation=metric_pb2.AGGREGATION_UNIQUE,
                unique_of=metric_pb2.UNIQUE_OF_CUSTOMER,
                event_names=[call, token],
            ),
        )
        active_by_sql = _make(
            candela,
            metric_pb2.NewMetric(
                slug="active-by-sql",
                event_names=[call, token],
                sql=metric_pb2.SqlMetric(
                    query="SELECT count(DISTINCT customer_id) FROM events", indexed=True
                ),
            ),
        )
        acme, beta, _idle = (_sign_up(candela) for _ in range(3))
        for _ in range(3):
            candela.send_event(call, customer_id=acme.id)
        candela.send_event(token, value="1200.5", customer_id=acme.id)
        candela.send_event(token, value="0.25", customer_id=beta.id)

        def usage(who: customer_pb2.CustomerRef) -> list[str]:
            got = candela.usage.GetUsage(
                usage_service_pb2.GetUsageRequest(
                    customer=who, metrics=[calls, tokens, active, active_by_sql]
                )
            )
            return [one.value for one in got.usages]

        everyone = candela.usage.GetUsage(
            usage_service_pb2.GetUsageRequest(everyone=True, metrics=[active, active_by_sql])
        )

        assert usage(acme) == ["3", "1200.5", "1", "1"]
        assert usage(beta) == ["0", "0.25", "1", "1"]
        assert [one.value for one in everyone.usages] == ["2", "2"]
