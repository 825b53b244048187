"""The contract of ingestion and usage, as its servicers answer it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from candela.catalog.v1 import metric_pb2
from candela.customer.v1 import customer_pb2, user_pb2
from candela.metering.v1 import (
    event_pb2,
    ingestion_service_pb2,
    usage_pb2,
    usage_service_pb2,
)

from candela_server.catalog.errors import MetricNotFoundError
from candela_server.catalog.model import Aggregation
from candela_server.contract.values import interval_to_proto
from candela_server.customer.model import CustomerNotFoundError
from candela_server.kernel.errors import InvalidInput, NotFound, Reason
from candela_server.kernel.interval import Interval

from tests.integration.metering.builders import Metering, event, usage_servicer
from tests.integration.metering.correcting import ingestion

pytestmark = pytest.mark.usefixtures("called_by_merchant")


@pytest.mark.spec("EVT-1", "EVT-3")
async def test_record_events__answers_in_request_order(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.add_metric("calls", Aggregation.COUNT)
    servicer = ingestion(metering)
    request = ingestion_service_pb2.RecordEventsRequest(
        events=[event("a", acme), event("b", acme, "x"), event("a", acme)]
    )

    got = await servicer.RecordEvents(request, None)

    assert list(got.outcomes) == [
        event_pb2.EVENT_OUTCOME_ACCEPTED,
        event_pb2.EVENT_OUTCOME_REJECTED,
        event_pb2.EVENT_OUTCOME_DEDUPLICATED,
    ]
    assert [(one.index, one.field) for one in got.errors] == [(1, "value")]


@pytest.mark.spec("EVT-1")
async def test_record_event__fails_with_the_events_own_reason(metering: Metering) -> None:
    acme = await metering.add_customer()
    servicer = ingestion(metering)

    taken = await servicer.RecordEvent(
        ingestion_service_pb2.RecordEventRequest(event=event("a", acme)), None
    )
    with pytest.raises(InvalidInput) as invalid:
        await servicer.RecordEvent(
            ingestion_service_pb2.RecordEventRequest(event=event("", acme)), None
        )
    stranger = event("b", acme)
    stranger.external_customer_id = "nobody"
    with pytest.raises(NotFound) as unknown:
        await servicer.RecordEvent(ingestion_service_pb2.RecordEventRequest(event=stranger), None)

    assert taken.outcome == event_pb2.EVENT_OUTCOME_ACCEPTED
    assert invalid.value.violations[0].field == "event.idempotency_key"
    assert unknown.value.reason is Reason.CUSTOMER_NOT_FOUND


@pytest.mark.spec("EVT-8")
async def test_get_usage__is_of_this_month_in_the_customers_zone(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    ada = await metering.add_user(acme, "ada")
    await metering.add_metric("tokens", Aggregation.SUM)
    await metering.add_metric("calls", Aggregation.COUNT)
    servicer = usage_servicer(metering)
    first = datetime(2026, 1, 1, 5, tzinfo=UTC)  # midnight in New York
    await metering.record(
        event("before", acme, "100", at=first - timedelta(microseconds=1)),
        event("first", acme, "1.50", at=first),
        event("now", ada, "2"),
    )

    whole = await servicer.GetUsage(
        usage_service_pb2.GetUsageRequest(customer=customer_pb2.CustomerRef(external_id="acme")),
        None,
    )
    one = await servicer.GetUsage(
        usage_service_pb2.GetUsageRequest(
            user=user_pb2.UserRef(external_id="ada"), metrics=[metric_pb2.MetricRef(slug="tokens")]
        ),
        None,
    )

    assert whole.window == interval_to_proto(Interval(first, datetime(2026, 2, 1, 5, tzinfo=UTC)))
    assert [(usage.metric_slug, usage.value) for usage in whole.usages] == [
        ("calls", "2"),
        ("tokens", "3.5"),
    ]
    assert whole.usages[0].fill_status == usage_pb2.FILL_STATUS_COMPLETE
    assert not whole.HasField("user_id")
    assert (one.user_id, [usage.value for usage in one.usages]) == (ada.id, ["2"])


@pytest.mark.spec("EVT-8")
async def test_query_usage__gives_every_bucket(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    servicer = usage_servicer(metering)
    now = metering.clock.now()
    await metering.record(event("a", acme, at=now - timedelta(hours=2, minutes=1)))

    got = await servicer.QueryUsage(
        usage_service_pb2.QueryUsageRequest(
            customer=customer_pb2.CustomerRef(id=acme.id),
            metric=metric_pb2.MetricRef(id=calls.id),
            window=interval_to_proto(Interval(now - timedelta(hours=4), now)),
            bucket_size=usage_pb2.BUCKET_SIZE_HOUR,
        ),
        None,
    )

    assert [bucket.value for bucket in got.buckets] == ["0", "1", "0", "0"]


@pytest.mark.spec("EVT-8")
async def test_a_wrong_usage_question__says_what_is_wrong(metering: Metering) -> None:
    acme = await metering.add_customer()
    servicer = usage_servicer(metering)
    customer = customer_pb2.CustomerRef(id=acme.id)

    with pytest.raises(InvalidInput) as nobody:
        await servicer.GetUsage(usage_service_pb2.GetUsageRequest(), None)
    with pytest.raises(MetricNotFoundError):
        await servicer.GetUsage(
            usage_service_pb2.GetUsageRequest(
                customer=customer, metrics=[metric_pb2.MetricRef(slug="nothing")]
            ),
            None,
        )
    with pytest.raises(CustomerNotFoundError):
        await servicer.GetUsage(
            usage_service_pb2.GetUsageRequest(
                customer=customer_pb2.CustomerRef(external_id="nobody")
            ),
            None,
        )
    with pytest.raises(InvalidInput) as empty:
        await servicer.QueryUsage(usage_service_pb2.QueryUsageRequest(customer=customer), None)

    assert [one.field for one in nobody.value.violations] == ["who"]
    assert {one.field for one in empty.value.violations} == {"metric", "window"}
