"""Events as they are stored, previews of metrics, and names that nobody reads (EVT-8, EVT-10, EVT-11)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from candela.catalog.v1 import metric_pb2, metric_service_pb2
from candela.metering.v1 import event_pb2, usage_service_pb2

from candela_server.catalog.metric_servicer import MetricServicer
from candela_server.catalog.model import Aggregation
from candela_server.contract.values import interval_to_proto
from candela_server.customer.model import CustomerNotFoundError
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.kernel.page import PageTokenInvalidError
from candela_server.metering import list_events as list_module
from candela_server.metering import measure_events
from candela_server.storage.mutation import Mutations

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import Metering, event, usage_servicer

pytestmark = pytest.mark.usefixtures("called_by_merchant")

_START = datetime(2026, 1, 20, 10, tzinfo=UTC)
_WINDOW = interval_to_proto(Interval(_START, _START + timedelta(hours=2)))


async def _list(
    metering: Metering, *, page_size: int = 1000, **more: Any
) -> list[list[event_pb2.StoredEvent]]:
    """All pages."""
    more.setdefault("window", _WINDOW)
    pages, token = [], ""
    while True:
        page = await usage_servicer(metering).ListEvents(
            usage_service_pb2.ListEventsRequest(page_size=page_size, page_token=token, **more), None
        )
        pages.append(list(page.events))
        token = page.next_page_token
        if not token:
            return pages


def _keys(pages: list[list[event_pb2.StoredEvent]]) -> list[str]:
    return [one.idempotency_key for page in pages for one in page]


async def _record(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    beta = await metering.add_customer("beta")
    ada = await metering.add_user(acme, "ada")
    await metering.record(
        event("outside-before", acme, at=_START - timedelta(microseconds=1)),
        event("d", beta, at=_START + timedelta(minutes=3)),
        event("c", acme, "1.50", at=_START, properties={"model": "x", "size": 2}),
        event("b", ada, name="ai-token", at=_START + timedelta(minutes=2)),
        # Three at one instant, of two names and two customers: by key.
        event("z", beta, at=_START + timedelta(minutes=1)),
        event("y", acme, name="ai-token", at=_START + timedelta(minutes=1)),
        event("x", ada, at=_START + timedelta(minutes=1)),
        event("outside-after", acme, at=_START + timedelta(hours=2)),
    )


@pytest.mark.spec("EVT-8")
@pytest.mark.parametrize("page_size", [1, 2, 1000])
async def test_list_events__selects_and_orders_by_instant_and_key(
    metering: Metering, page_size: int
) -> None:
    await _record(metering)
    acme = {"external_id": "acme"}

    async def keys(**more: Any) -> list[str]:
        return _keys(await _list(metering, page_size=page_size, **more))

    assert await keys() == ["c", "x", "y", "z", "b", "d"]
    assert await keys(customer=acme) == ["c", "x", "y", "b"]
    assert await keys(user={"external_id": "ada"}) == ["x", "b"]
    assert await keys(names=["ai-token"]) == ["y", "b"]
    assert await keys(customer=acme, names=["ai-token", "api-call", "api-call"]) == [
        "c",
        "x",
        "y",
        "b",
    ]
    assert await keys(customer=acme, user={"external_id": "ada"}, names=["ai-token"]) == ["b"]
    assert await keys(names=["never"]) == []


@pytest.mark.spec("EVT-8")
async def test_a_listed_event__is_what_was_sent(metering: Metering) -> None:
    await _record(metering)

    [[first, *_, last]] = await _list(metering, customer={"external_id": "acme"})

    assert (first.name, first.value, first.HasField("user_id")) == ("api-call", "1.5", False)
    assert json.loads(first.properties_json) == {"model": "x", "size": 2}
    assert first.timestamp.ToDatetime(UTC) == _START
    assert first.received_at.ToDatetime(UTC) == metering.clock.now()
    assert not first.HasField("voided_at")
    assert last.user_id.startswith("usr_")
    assert last.properties_json == b""


@pytest.mark.spec("EVT-8")
async def test_a_page_that_looks_through_too_much__ends_early_and_goes_on(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _record(metering)
    monkeypatch.setattr(list_module, "MAX_SCANNED", 2)

    pages = await _list(metering, names=["ai-token"])
    walked = await _list(metering, customer={"external_id": "acme"}, names=["ai-token"])
    monkeypatch.setattr(list_module, "MAX_NAMES_WALKED", 1)
    looked = await _list(metering, customer={"external_id": "acme"})

    assert _keys(pages) == ["y", "b"]
    assert [len(page) for page in pages] == [0, 1, 1, 0][: len(pages)]
    assert _keys(walked) == ["y", "b"]
    assert len(walked) == 1
    assert _keys(looked) == ["c", "x", "y", "b"]


@pytest.mark.spec("EVT-8")
async def test_list_events__refuses_by_field_what_it_cannot_answer(
    metering: Metering, other_metering: Metering
) -> None:
    await _record(metering)
    servicer = usage_servicer(metering)
    long = interval_to_proto(Interval(_START - timedelta(days=401), _START))
    beta = {"external_id": "beta"}

    with pytest.raises(InvalidInput) as wrong:
        await servicer.ListEvents(
            usage_service_pb2.ListEventsRequest(window=long, names=["x"] * 101), None
        )
    with pytest.raises(InvalidInput, match="another customer"):
        await _list(metering, customer=beta, user={"external_id": "ada"})
    with pytest.raises(CustomerNotFoundError):
        await _list(metering, customer={"external_id": "nobody"})
    first = await servicer.ListEvents(
        usage_service_pb2.ListEventsRequest(window=_WINDOW, page_size=1), None
    )
    with pytest.raises(PageTokenInvalidError):
        await servicer.ListEvents(
            usage_service_pb2.ListEventsRequest(
                window=_WINDOW, customer=beta, page_token=first.next_page_token
            ),
            None,
        )
    with acting_as(other_metering.merchant_id):
        assert _keys(await _list(other_metering)) == []

    assert {one.field for one in wrong.value.violations} == {"window", "names"}


_NEW = metric_pb2.NewMetric(
    slug="eu-sizes",
    name="Sizes",
    aggregation=metric_pb2.AGGREGATION_SUM,
    event_names=["api-call"],
    filters=[
        metric_pb2.PropertyFilter(
            property="region", operator=metric_pb2.FILTER_OPERATOR_PREFIX, values=["eu-"]
        )
    ],
)


@pytest.mark.spec("EVT-10", "EVT-7")
@pytest.mark.parametrize(
    ("aggregation", "want"),
    [
        ("COUNT", "3"),
        ("SUM", "6.1"),
        ("AVERAGE", "2.033333333333"),
        ("MAX", "4"),
        ("MIN", "1"),
        ("LAST", "4"),
        ("UNIQUE", "2"),
    ],
)
async def test_preview_metric__says_what_the_saved_metric_will_say(
    metering: Metering, aggregation: str, want: str
) -> None:
    acme = await metering.add_customer("acme")
    await metering.record(
        event("a", acme, "1", at=_START, properties={"region": "eu-west"}),
        event(
            "b", acme, "1.1", at=_START + timedelta(minutes=17), properties={"region": "eu-north"}
        ),
        event("c", acme, "50", at=_START + timedelta(minutes=18), properties={"region": "us"}),
        event("d", acme, "60", at=_START + timedelta(minutes=18)),
        event("e", acme, "4", at=_START + timedelta(minutes=90), properties={"region": "eu-west"}),
        event("f", acme, "9", at=_START + timedelta(hours=2), properties={"region": "eu-west"}),
    )
    new = metric_pb2.NewMetric()
    new.CopyFrom(_NEW)
    new.aggregation = metric_pb2.Aggregation.Value(f"AGGREGATION_{aggregation}")
    if aggregation == "UNIQUE":
        new.unique_of, new.property = metric_pb2.UNIQUE_OF_PROPERTY, "region"
    servicer = usage_servicer(metering)

    preview = await servicer.PreviewMetric(
        usage_service_pb2.PreviewMetricRequest(
            metric=new, customer={"external_id": "acme"}, window=_WINDOW
        ),
        None,
    )
    saved = await MetricServicer(
        metering.db, Mutations(metering.db, metering.clock), metering.clock, b"secret"
    ).CreateMetric(metric_service_pb2.CreateMetricRequest(idempotency_key="k", metric=new), None)
    await metering.fill()
    usage = await servicer.GetUsage(
        usage_service_pb2.GetUsageRequest(
            customer={"external_id": "acme"}, metrics=[{"id": saved.metric.id}], window=_WINDOW
        ),
        None,
    )

    assert (preview.value, preview.event_count) == (want, 3)
    assert usage.usages[0].value == want


@pytest.mark.spec("EVT-10")
async def test_preview_metric__refuses_by_field_and_says_what_to_do(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer("acme")
    await metering.record(*[event(f"k{number}", acme, at=_START) for number in range(4)])
    servicer = usage_servicer(metering)

    with pytest.raises(InvalidInput) as wrong:
        await servicer.PreviewMetric(
            usage_service_pb2.PreviewMetricRequest(
                metric=metric_pb2.NewMetric(slug="X y"),
                window=interval_to_proto(Interval(_START, _START + timedelta(days=32))),
            ),
            None,
        )
    monkeypatch.setattr(measure_events, "MAX_EVENTS", 3)
    with pytest.raises(InvalidInput, match=r"more than 3 events.*shorter window"):
        await servicer.PreviewMetric(
            usage_service_pb2.PreviewMetricRequest(
                metric=_NEW, customer={"external_id": "acme"}, window=_WINDOW
            ),
            None,
        )

    fields = {one.field for one in wrong.value.violations}
    assert {"metric.slug", "metric.aggregation", "customer", "window"} <= fields


@pytest.mark.spec("EVT-10", "EVT-11")
async def test_names_that_no_metric_reads__are_listed_until_one_does(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(
        event("a", acme, name="ap-call", at=_START),
        event("b", acme, name="ap-call", at=_START + timedelta(minutes=4)),
        event("c", acme, name="Zebra", at=_START),
        event("d", acme, name="tokens", at=_START),
        event("e", acme, at=_START),
    )
    await metering.add_metric("tokens", Aggregation.COUNT, event_names=["tokens"])
    servicer = usage_servicer(metering)

    first = await servicer.ListUnmatchedEventNames(
        usage_service_pb2.ListUnmatchedEventNamesRequest(page_size=1), None
    )
    second = await servicer.ListUnmatchedEventNames(
        usage_service_pb2.ListUnmatchedEventNamesRequest(
            page_size=1, page_token=first.next_page_token
        ),
        None,
    )

    assert [one.name for one in (*first.names, *second.names)] == ["Zebra", "ap-call"]
    assert second.next_page_token == ""
    [misspelt] = second.names
    assert misspelt.event_count == 2
    assert misspelt.first_event_at.ToDatetime(UTC) == _START
    assert misspelt.last_event_at.ToDatetime(UTC) == _START + timedelta(minutes=4)


@pytest.mark.spec("EVT-5", "EVT-7")
async def test_update_metric__changes_what_people_read_and_no_number(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    calls = await metering.add_metric("calls", Aggregation.COUNT)
    await metering.record(event("a", acme))

    updated = await MetricServicer(
        metering.db, Mutations(metering.db, metering.clock), metering.clock, b"secret"
    ).UpdateMetric(
        metric_service_pb2.UpdateMetricRequest(
            idempotency_key="u", metric={"id": calls.id}, name="Calls of the API", unit_name="call"
        ),
        None,
    )
    await metering.record(event("b", acme))

    # What is counted cannot be edited at all: there is no field for it.
    assert set(metric_service_pb2.UpdateMetricRequest.DESCRIPTOR.fields_by_name) == {
        "idempotency_key",
        "metric",
        "name",
        "unit_name",
    }
    assert list(updated.metric.event_names) == ["api-call"]
    assert await metering.usage(calls, acme) == await metering.counter(calls, acme) == 2
