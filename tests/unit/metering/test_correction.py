"""What a correction touches, and how a backfill is stepped through (EVT-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import Aggregation, Metric, MetricId
from candela_server.metering.rules.bucket import BUCKET
from candela_server.metering.rules.correction import (
    bucket_of,
    gaps,
    runs,
    span_of,
    step_end,
    touched_buckets,
    touched_scopes,
)

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Touched:
    customer_id: str
    user_id: str
    name: str
    happened_at: datetime


def metric(*names: str) -> Metric:
    return Metric(
        id=MetricId("met_1"),
        slug="calls",
        name="Calls",
        aggregation=Aggregation.COUNT,
        event_names=names,
        property=None,
        unit_name="",
        created_at=NINE,
    )


@pytest.mark.spec("EVT-4", "ENT-7")
def test_an_event_of_a_user__touches_the_users_and_the_customers_quarter_hour() -> None:
    events = [
        Touched("cus_1", "usr_1", "call", NINE + timedelta(minutes=14)),
        Touched("cus_1", "", "call", NINE),
        Touched("cus_1", "", "other", NINE + timedelta(hours=1)),
    ]

    got = touched_scopes(metric("call"), events)

    assert got == [("cus_1", "", NINE), ("cus_1", "usr_1", NINE)]
    assert touched_buckets(metric("call"), events) == {"cus_1": [NINE]}
    assert touched_buckets(metric("nothing"), events) == {}


@pytest.mark.spec("EVT-4")
@given(st.sets(st.integers(0, 50), min_size=1).map(sorted))
def test_touched_quarter_hours_and_the_gaps_between__are_their_whole_span(
    numbers: list[int],
) -> None:
    buckets = [NINE + number * BUCKET for number in numbers]
    parts = sorted(
        [*gaps(buckets), *runs(buckets)],
        key=lambda part: part.start_at,
    )

    span = span_of(buckets)

    assert (parts[0].start_at, parts[-1].end_at) == (span.start_at, span.end_at)
    assert all(any(run.contains(bucket) for run in runs(buckets)) for bucket in buckets)
    assert sum(run.duration // BUCKET for run in runs(buckets)) == len(buckets)
    assert all(one.end_at == other.start_at for one, other in pairwise(parts))


@pytest.mark.spec("EVT-4")
@given(start=st.integers(0, 86_400), length=st.integers(1, 86_400), crowded=st.integers(0, 86_399))
def test_a_step__always_gets_on_and_never_leaves_the_span(
    start: int, length: int, crowded: int
) -> None:
    start_at = NINE + timedelta(seconds=start)
    end_at = start_at + timedelta(seconds=length)
    crowded_at = start_at + timedelta(seconds=crowded % length)

    got = step_end(start_at, end_at, crowded_at)

    assert start_at < got <= end_at
    assert got == end_at or got == bucket_of(got)
    assert got <= max(crowded_at, bucket_of(start_at) + BUCKET)
    assert step_end(start_at, end_at, None) == end_at
