"""Gauges: what stands counts in every window, however old it is; checks and charts agree (EVT-5, EVT-7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from candela.catalog.v1 import metric_pb2

from candela_server.catalog.model import Aggregation, Metric
from candela_server.catalog.wire import new_metric_from_proto
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.metering.measure_events import measure_events
from candela_server.metering.model import UsageAsk
from candela_server.metering.query_everyone import aggregate_everyone
from candela_server.metering.query_usage import aggregate_many

from tests.integration.metering.builders import Metering, event, usage_of
from tests.integration.metering.correcting import by_keys, preview, void

DAY = timedelta(days=1)


async def _gauge(metering: Metering, aggregation: Aggregation) -> Metric:
    return await metering.add_metric(
        str(aggregation), aggregation, event_names=["project"], gauge=True
    )


@pytest.mark.spec("EVT-5", "EVT-7", "ENT-4")
@pytest.mark.parametrize(
    ("aggregation", "values"),
    [(Aggregation.SUM, ("2", "1", "-2", "4")), (Aggregation.LAST, ("2", "3", "1", "5"))],
)
async def test_a_new_period__begins_with_what_stands(
    metering: Metering, aggregation: Aggregation, values: tuple[str, ...]
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    projects = await _gauge(metering, aggregation)
    begin = metering.clock.now()
    for number, value in enumerate(values[:3]):
        at = begin + number * DAY
        metering.clock.advance(at)
        await metering.record(event(f"{number}", ada, value, name="project", at=at))
    later = Interval(begin + 10 * DAY, begin + 40 * DAY)
    metering.clock.advance(begin + 11 * DAY)

    at_begin = await metering.counter(projects, acme, later)
    of_ada = await metering.usage(projects, ada, later)
    # Counted live from here on.
    await metering.record(event("late", ada, values[3], name="project"))

    assert (at_begin, of_ada) == (1, 1)
    assert await metering.counter(projects, acme, later) == 5
    assert await metering.usage(projects, acme, later) == 5
    # As of an instant in between, an invoice's period's end for example.
    assert await metering.usage(projects, acme, Interval(begin, begin + DAY + DAY / 2)) == 3
    assert await metering.usage(projects, acme, Interval(begin - 9 * DAY, begin - DAY)) == 0


@pytest.mark.spec("EVT-5", "EVT-7", "EVT-8")
@pytest.mark.parametrize("aggregation", [Aggregation.SUM, Aggregation.LAST])
async def test_every_way_of_asking__gives_the_same_state(
    metering: Metering, aggregation: Aggregation
) -> None:
    acme = await metering.add_customer()
    projects = await _gauge(metering, aggregation)
    begin = metering.clock.now() - 5 * DAY
    for number, value in enumerate(("7", "-1", "4")):
        await metering.record(
            event(f"{number}", acme, value, name="project", at=begin + number * DAY)
        )
    windows = [
        Interval(begin + n * DAY + DAY / 2, begin + (n + 1) * DAY + DAY / 2) for n in range(4)
    ]
    expected = {
        Aggregation.SUM: [6, 10, 10, 10],
        Aggregation.LAST: [-1, 4, 4, 4],
    }[aggregation]
    who = usage_of(acme)

    alone = await aggregate_many(
        metering.events,
        metering.merchant_id,
        [UsageAsk(metric=projects, who=who, window=one) for one in windows],
    )
    everyone = await aggregate_everyone(metering.events, metering.merchant_id, projects, windows)
    of_events, event_count = await measure_events(
        metering.events, metering.merchant_id, projects, who, windows
    )

    assert alone == everyone == of_events == expected
    assert event_count == 2


@pytest.mark.spec("EVT-4", "EVT-5")
async def test_a_void_of_old_events__changes_what_stands_now(metering: Metering) -> None:
    acme = await metering.add_customer()
    projects = await _gauge(metering, Aggregation.SUM)
    begin = metering.clock.now()
    await metering.record(
        event("a", acme, "2", name="project"), event("b", acme, "5", name="project")
    )
    now = Interval(begin + 40 * DAY, begin + 70 * DAY)
    metering.clock.advance(begin + 41 * DAY)
    assert await metering.counter(projects, acme, now) == 7

    shown = await preview(metering, **by_keys("a"))
    await void(metering, **by_keys("a"))

    assert [(one.value_before, one.value_after) for one in shown.changes] == [("7", "5")]
    assert await metering.counter(projects, acme, now) == 5


@pytest.mark.spec("EVT-5", "EVT-10")
async def test_a_young_gauge__knows_what_stood_before_it_was_made(metering: Metering) -> None:
    acme = await metering.add_customer()
    await metering.record(event("a", acme, "3", name="project"))
    metering.clock.advance(metering.clock.now() + 2 * DAY)
    projects = await metering.add_metric(
        "projects", Aggregation.SUM, event_names=["project"], gauge=True, filled=False
    )
    await metering.record(event("b", acme, "1", name="project"))
    now = Interval(metering.clock.now() - DAY, metering.clock.now() + DAY)

    before_fill = await metering.usage(projects, acme, now)
    await metering.fill()

    assert before_fill == await metering.usage(projects, acme, now) == 4


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    "new",
    [
        {"aggregation": metric_pb2.AGGREGATION_MAX},
        {"aggregation": metric_pb2.AGGREGATION_COUNT},
        {"aggregation": metric_pb2.AGGREGATION_SUM, "group_by": ["region"]},
        {"sql": metric_pb2.SqlMetric(query="SELECT count(*) FROM events")},
    ],
)
def test_what_cannot_measure_a_state__is_refused(new: dict[str, object]) -> None:
    with pytest.raises(InvalidInput) as refused:
        new_metric_from_proto(metric_pb2.NewMetric(slug="m", name="M", gauge=True, **new))

    assert [one.field for one in refused.value.violations] == ["gauge"]
