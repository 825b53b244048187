"""Folding a flush: exact, whatever the order (EVT-7, faults 24)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import Aggregation, Metric, MetricId
from candela_server.kernel.money import exact
from candela_server.metering.rules.aggregation import average, plain
from candela_server.metering.rules.bucket import BUCKET_US
from candela_server.metering.rules.event_value import Properties
from candela_server.metering.rules.folding import Folded, fold
from candela_server.metering.rules.metric_reading import Readings, read_metrics


@dataclass(frozen=True)
class Sent:
    """An event as folding sees it."""

    customer_id: str
    user_id: str
    name: str
    happened_us: int
    key_hash: bytes
    value: Decimal
    properties: Properties = field(default_factory=dict)


_sent = st.lists(
    st.builds(
        Sent,
        customer_id=st.sampled_from(["cus_a", "cus_b"]),
        user_id=st.sampled_from(["", "usr_a"]),
        name=st.sampled_from(["api-call", "unread"]),
        happened_us=st.integers(0, 3 * BUCKET_US),
        key_hash=st.binary(min_size=2, max_size=2),
        value=st.decimals(-(10**25), 10**25, places=12, allow_nan=False),
        properties=st.sampled_from([{}, {"model": "x"}, {"model": Decimal(1)}]),
    ),
    unique_by=lambda sent: sent.key_hash,
    max_size=20,
)


@pytest.mark.spec("EVT-7")
@given(_sent, st.randoms())
def test_any_order__folds_to_the_same(sent: list[Sent], random: Random) -> None:
    shuffled = list(sent)
    random.shuffle(shuffled)

    assert _plain(fold(sent, _readings())) == _plain(fold(shuffled, _readings()))


@pytest.mark.spec("EVT-7", "ENT-7")
@given(_sent)
def test_a_customers_share__holds_every_event_and_a_users_only_its_own(sent: list[Sent]) -> None:
    folded = fold(sent, _readings())

    def count(customer_id: str, user_id: str) -> int:
        return sum(
            share.count
            for (customer, metric, user, _), share in folded.shares.items()
            if (customer, metric, user) == (customer_id, "met_sum", user_id)
        )

    read = [one for one in sent if one.name == "api-call"]
    for customer_id in ("cus_a", "cus_b"):
        own = [one for one in read if one.customer_id == customer_id]
        assert count(customer_id, "") == len(own)
        assert count(customer_id, "usr_a") == sum(one.user_id == "usr_a" for one in own)


@pytest.mark.spec("EVT-5", "EVT-7")
@given(_sent)
def test_the_groups_of_a_share__add_up_to_it(sent: list[Sent]) -> None:
    folded = fold(sent, _readings())

    for metric_id in ("met_grouped", "met_weighted"):
        for key, share in folded.shares.items():
            if key[1] != metric_id:
                continue
            parts = [part for of, part in folded.grouped.items() if of[:4] == key]
            assert parts
            with exact():
                assert sum(part.count for part in parts) == share.count
                assert sum((part.sum for part in parts), Decimal(0)) == share.sum
                assert sum((part.time for part in parts), Decimal(0)) == share.time


@pytest.mark.spec("EVT-5")
@pytest.mark.parametrize(
    ("total", "count", "want"),
    [
        ("1", 3, "0.333333333333"),
        ("2", 3, "0.666666666667"),
        ("-1", 3, "-0.333333333333"),
        ("0.000000000001", 2, "0.000000000001"),
        ("0", 0, "0"),
        ("300", 3, "100"),
    ],
)
def test_an_average__is_rounded_half_up_to_12_places(total: str, count: int, want: str) -> None:
    assert average(Decimal(total), count) == Decimal(want)


@given(st.decimals(-(10**25), 10**25, places=12, allow_nan=False))
def test_plain__changes_the_writing_only(value: Decimal) -> None:
    assert plain(value) == value
    assert "E" not in str(plain(value * 1000)) or abs(value) < Decimal("0.001")


def _readings() -> Readings:
    return read_metrics(
        [
            _metric("met_sum", Aggregation.SUM, None),
            _metric("met_unique", Aggregation.UNIQUE, "model"),
            _metric("met_grouped", Aggregation.LAST, None, ("model",)),
            _metric("met_unique_grouped", Aggregation.UNIQUE, "model", ("model", "size")),
            _metric("met_weighted", Aggregation.WEIGHTED_SUM, "model", ("size",)),
        ]
    )


def _metric(
    metric_id: str,
    aggregation: Aggregation,
    of_property: str | None,
    group_by: tuple[str, ...] = (),
) -> Metric:
    return Metric(
        id=MetricId(metric_id),
        slug="m",
        name="m",
        aggregation=aggregation,
        event_names=("api-call",),
        property=of_property,
        unit_name="",
        group_by=group_by,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _plain(folded: Folded) -> object:
    shares, grouped = (
        {key: [getattr(share, name) for name in share.__slots__] for key, share in some.items()}
        for some in (folded.shares, folded.grouped)
    )
    return shares, grouped, folded.distinct, folded.grouped_distinct, folded.unmatched
