"""A metric that is younger than its events: the same number before, during and after it has read them (EVT-10)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from candela.catalog.v1 import metric_pb2
from candela.metering.v1 import usage_pb2, usage_service_pb2
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.errors import MetricNotFoundError
from candela_server.catalog.model import Aggregation, Metric
from candela_server.customer.model import Customer, User
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.metering import fill_history as fill_module
from candela_server.metering import fill_progress_store, fill_step_store
from candela_server.metering.metric_fill import Filled, FillNotFoundError, FillStatus
from candela_server.metering.rules.bucket import BUCKET, split
from candela_server.metering.rules.filled import EventsDroppedError, split_filled, step_start

from tests.helpers.acting import acting_as
from tests.integration.metering.builders import BUILT_IN, Metering, event, usage_servicer

_NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
_AGGREGATIONS = BUILT_IN


@pytest.fixture
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step goes through few events, so that a short history takes many."""
    monkeypatch.setattr(fill_module, "STEP_EVENTS", 10)


async def _record_history(metering: Metering, acme: Customer, ada: User, count: int = 60) -> None:
    """Events every seven minutes, some of the user's, some with another name."""
    await metering.record(
        *[
            event(
                f"old-{number}",
                ada if number % 3 == 0 else acme,
                str(number % 7),
                name="other" if number % 5 == 0 else "api-call",
                at=_NOON + timedelta(minutes=7 * number, seconds=number),
                properties={"model": f"m{number % 4}"},
            )
            for number in range(count)
        ]
    )


def _windows() -> list[Interval]:
    end_at = _NOON + timedelta(hours=8)
    return [
        Interval(_NOON - timedelta(hours=1), end_at),
        Interval(_NOON + timedelta(minutes=67, seconds=3), _NOON + timedelta(minutes=211)),
        Interval(_NOON + timedelta(minutes=1), _NOON + timedelta(minutes=9)),
    ]


async def _numbers(
    metering: Metering, metrics: list[Metric], who: list[Customer | User]
) -> list[Decimal]:
    return [
        await metering.usage(metric, one, window)
        for metric in metrics
        for one in who
        for window in _windows()
    ]


async def _add_metrics(metering: Metering, prefix: str, *, filled: bool) -> list[Metric]:
    return [
        await metering.add_metric(
            f"{prefix}-{one.value}".replace("_", "-"),
            one,
            property_name="model" if one is Aggregation.UNIQUE else None,
            group_by=["model"],
            filled=filled,
        )
        for one in _AGGREGATIONS
    ]


@pytest.mark.spec("EVT-10", "EVT-7")
@pytest.mark.usefixtures("_small_steps")
async def test_a_metric_made_after_its_events__gives_their_number_before_during_and_after_its_fill(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    there_before = await _add_metrics(metering, "before", filled=True)
    await _record_history(metering, acme, ada)
    young = await _add_metrics(metering, "young", filled=False)
    want = await _numbers(metering, there_before, [acme, ada])

    assert await _numbers(metering, young, [acme, ada]) == want
    steps = 0
    during: list[list[Decimal]] = []
    take_step = fill_module._step

    async def step_and_look(*arguments: object) -> object:
        nonlocal steps
        taken = await take_step(*arguments)  # type: ignore[arg-type]
        steps += 1
        # Events go on coming, into what is read already and into what is not.
        await metering.record(
            event(f"new-{steps}", ada, "5", at=_NOON + timedelta(minutes=11 * steps)),
        )
        if steps % 7 == 0:
            during.append(await _numbers(metering, young, [acme, ada]))
            during.append(await _numbers(metering, there_before, [acme, ada]))
        return taken

    monkeypatch.setattr(fill_module, "_step", step_and_look)
    completed = await metering.fill()

    assert completed == len(_AGGREGATIONS)
    assert steps > 5 * len(_AGGREGATIONS)
    assert during[0::2] == during[1::2] != []
    after = await _numbers(metering, young, [acme, ada])
    assert after == await _numbers(metering, there_before, [acme, ada])
    assert after != want
    # And it is rollups that say so now.
    assert await _rollups(metering, young) == await _rollups(metering, there_before)


async def _rollups(metering: Metering, metrics: list[Metric]) -> list[list[tuple[object, ...]]]:
    found = []
    async with metering.events.reader() as connection:
        for metric in metrics:
            rows: list[tuple[object, ...]] = []
            for table, columns in (
                (
                    "usage_rollup",
                    "event_count, value_sum, value_min, value_max, last_at, last_key, last_value, value_time",
                ),
                ("usage_distinct", "value"),
            ):
                cursor = await connection.execute(
                    f"""
                    SELECT customer_id, user_id, dimension, bucket_at, {columns} FROM {table}
                    WHERE merchant_id = %s AND metric_id = %s
                    ORDER BY customer_id, user_id, dimension, bucket_at, {columns}
                    """,  # type: ignore[arg-type]
                    [metering.merchant_id, metric.id],
                )
                rows += await cursor.fetchall()
            found.append(rows)
    return found


@pytest.mark.spec("EVT-10")
@pytest.mark.usefixtures("_small_steps")
async def test_a_fill_that_is_cut_off__goes_on_where_it_stopped(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    ada = await metering.add_user(acme)
    await _record_history(metering, acme, ada)
    calls = await metering.add_metric("calls", Aggregation.SUM, filled=False)
    want = await metering.usage(calls, acme, _windows()[0])
    take_step = fill_module._step
    steps = 0

    async def step_and_stop(*arguments: object) -> object:
        nonlocal steps
        if steps == 3:
            raise asyncio.CancelledError
        steps += 1
        return await take_step(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(fill_module, "_step", step_and_stop)
        with pytest.raises(asyncio.CancelledError):
            await metering.fill()
    async with metering.events.reader() as connection:
        [stopped] = await fill_progress_store.list_running_fills(connection, metering.merchant_id)
    assert await metering.usage(calls, acme, _windows()[0]) == want

    # Two workers at once: their steps take turns.
    completed = await asyncio.gather(metering.fill(), metering.fill())

    assert 0 < stopped.read_count < 48
    assert sum(completed) >= 1
    assert await metering.usage(calls, acme, _windows()[0]) == want
    async with metering.db.reading(metering.merchant_id) as tx:
        fill = await fill_progress_store.find_latest_fill(tx, calls.id)
    assert fill is not None
    assert (fill.id, fill.status, fill.read_count) == (stopped.id, FillStatus.COMPLETE, 48)


@pytest.mark.spec("EVT-10")
async def test_a_fill_that_fails__says_so_and_is_tried_again_when_asked(
    metering: Metering, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = await metering.add_customer()
    await _record_history(metering, acme, await metering.add_user(acme))
    calls = await metering.add_metric("calls", Aggregation.COUNT, filled=False)

    async def break_down(*_: object, distinct: bool) -> int:
        raise ArithmeticError("a defect")

    with monkeypatch.context() as patch:
        patch.setattr(fill_step_store, "fill_rollups", break_down)
        assert await metering.fill() == 0
    usage = await metering.usage(calls, acme, _windows()[0])
    again = await metering.fill()
    with acting_as(metering.merchant_id, "UsageService/FillMetric"):
        servicer = usage_servicer(metering)
        ref = metric_pb2.MetricRef(slug="calls")
        failed = await servicer.GetMetricFill(
            usage_service_pb2.GetMetricFillRequest(metric=ref), None
        )
        await servicer.FillMetric(
            usage_service_pb2.FillMetricRequest(idempotency_key="again", metric=ref), None
        )
    repaired = await metering.fill()

    assert failed.fill.status == usage_pb2.FILL_STATUS_FAILED
    assert (again, repaired) == (0, 1)
    assert usage == await metering.usage(calls, acme, _windows()[0]) == 48


@pytest.mark.spec("EVT-10")
@pytest.mark.usefixtures("called_by_merchant")
async def test_fill_metric__runs_once_and_shows_its_progress(metering: Metering) -> None:
    acme = await metering.add_customer("acme")
    await _record_history(metering, acme, await metering.add_user(acme))
    await metering.add_metric("calls", Aggregation.COUNT, filled=False)
    servicer = usage_servicer(metering)
    ref = metric_pb2.MetricRef(slug="calls")
    asked = usage_service_pb2.GetMetricFillRequest(metric=ref)

    with pytest.raises(FillNotFoundError, match="FillMetric"):
        await servicer.GetMetricFill(asked, None)
    with pytest.raises(MetricNotFoundError):
        await servicer.FillMetric(
            usage_service_pb2.FillMetricRequest(
                idempotency_key="x", metric=metric_pb2.MetricRef(slug="nothing")
            ),
            None,
        )
    first = await servicer.FillMetric(
        usage_service_pb2.FillMetricRequest(idempotency_key="a", metric=ref), None
    )
    replayed = await servicer.FillMetric(
        usage_service_pb2.FillMetricRequest(idempotency_key="a", metric=ref), None
    )
    running = await servicer.FillMetric(
        usage_service_pb2.FillMetricRequest(idempotency_key="b", metric=ref), None
    )
    before = await _status(metering)
    await metering.fill()
    done = (await servicer.GetMetricFill(asked, None)).fill

    assert first.fill.id == replayed.fill.id == running.fill.id
    assert first.fill.id.startswith("fill_")
    assert first.fill.status == before == usage_pb2.FILL_STATUS_FILLING
    assert (done.id, done.status) == (first.fill.id, usage_pb2.FILL_STATUS_COMPLETE)
    assert done.read_count == done.estimated_count == 48
    assert done.window.start_at.ToDatetime(UTC) == _NOON
    assert done.HasField("finished_at")
    assert await _status(metering) == usage_pb2.FILL_STATUS_COMPLETE


async def _status(metering: Metering) -> int:
    answer = await usage_servicer(metering).GetUsage(
        usage_service_pb2.GetUsageRequest(customer={"external_id": "acme"}), None
    )
    return answer.usages[0].fill_status


@pytest.mark.spec("EVT-10", "EVT-5")
@pytest.mark.usefixtures("called_by_merchant")
async def test_filling_again__repairs_rollups_and_counters(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.SUM)
    await metering.record(event("a", acme, "3"), event("b", acme, "4"))
    async with metering.events.writer() as connection:
        await connection.execute(
            "UPDATE usage_rollup SET value_sum = 100 WHERE merchant_id = %s AND metric_id = %s",
            [metering.merchant_id, calls.id],
        )
    broken = await metering.counter(calls, acme)
    await usage_servicer(metering).FillMetric(
        usage_service_pb2.FillMetricRequest(
            idempotency_key="a", metric=metric_pb2.MetricRef(id=calls.id)
        ),
        None,
    )

    await metering.fill()

    assert broken in (7, 100)  # from the counter, or from the broken rollup
    assert await metering.usage(calls, acme) == 7
    assert await metering.counter(calls, acme) == 7


@pytest.mark.spec("EVT-10")
async def test_a_metric_without_history__is_complete_at_once(metering: Metering) -> None:
    acme = await metering.add_customer()
    calls = await metering.add_metric("calls", Aggregation.COUNT, filled=False)

    assert await metering.fill() == 1
    await metering.record(event("a", acme))
    assert await metering.fill() == 0
    assert await metering.usage(calls, acme) == 1


_instants = st.integers(0, 600).map(lambda minutes: _NOON + timedelta(minutes=minutes))


@pytest.mark.spec("EVT-10", "EVT-7")
@given(ends=st.lists(_instants, min_size=2, max_size=2, unique=True), bucket=st.integers(-3, 43))
def test_a_window__is_divided_without_gap_or_overlap_wherever_the_fill_stands(
    ends: list[datetime], bucket: int
) -> None:
    window = Interval(min(ends), max(ends))
    metric = _metric()

    got = split_filled(metric, window, Filled(filled_from={metric.id: _NOON + bucket * BUCKET}))
    parts = sorted([*got.edges, *([got.whole] if got.whole else [])], key=lambda one: one.start_at)

    assert parts[0].start_at == window.start_at
    assert parts[-1].end_at == window.end_at
    assert all(one.end_at == other.start_at for one, other in pairwise(parts))
    if got.whole is not None:
        assert got.whole.start_at >= _NOON + bucket * BUCKET
        assert split(got.whole).whole == got.whole


@pytest.mark.spec("EVT-10")
@given(
    crowded=st.none() | st.integers(0, 600), before=st.integers(1, 40), oldest=st.integers(0, 600)
)
def test_a_step__always_goes_on_and_never_reads_half_a_quarter_hour(
    crowded: int | None, before: int, oldest: int
) -> None:
    before_at = _NOON + before * BUCKET
    crowded_at = None if crowded is None else _NOON + timedelta(minutes=crowded)
    oldest_at = _NOON + timedelta(minutes=oldest)
    if crowded_at is not None and crowded_at >= before_at:
        return

    got = step_start(crowded_at, before_at, oldest_at)

    assert (got - _NOON) % BUCKET == timedelta(0)
    assert got < before_at or oldest_at >= before_at
    if crowded_at is not None and before_at - crowded_at > BUCKET * 2:
        assert got > crowded_at


@pytest.mark.spec("EVT-8")
def test_a_window_that_cuts_a_quarter_hour_whose_events_are_gone__is_refused() -> None:
    metric = _metric()
    filled = Filled(complete=frozenset({metric.id}), kept_since=_NOON + timedelta(hours=2))

    whole = split_filled(metric, Interval(_NOON, _NOON + timedelta(hours=3)), filled)
    with pytest.raises(EventsDroppedError, match="full quarter-hours") as refused:
        split_filled(metric, Interval(_NOON + timedelta(minutes=1), _NOON + 9 * BUCKET), filled)

    assert whole.edges == ()
    assert isinstance(refused.value, InvalidInput)
    assert refused.value.violations[0].field == "window"


def _metric() -> Metric:
    return Metric(
        id="met_x",  # type: ignore[arg-type]
        slug="calls",
        name="Calls",
        aggregation=Aggregation.COUNT,
        event_names=("api-call",),
        property=None,
        unit_name="",
        created_at=_NOON,
    )
