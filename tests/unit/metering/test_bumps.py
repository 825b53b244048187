"""What live counters are told of a flush: who gained anything, and what those gained who are asked about (ENT-4)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import Aggregation, Metric, MetricId
from candela_server.metering.bumps import Bumps
from candela_server.metering.prepared_event import PreparedEvent
from candela_server.metering.rules.bucket import BUCKET_US
from candela_server.metering.rules.folding import fold
from candela_server.metering.rules.metric_reading import read_metrics

from tests.helpers.prepared import ANY_EVENT

_CUSTOMERS = ["cus_1", "cus_2", "cus_3"]


def _metric(aggregation: Aggregation) -> Metric:
    return Metric(
        id=MetricId(f"met_{aggregation}"),
        slug="m",
        name="m",
        aggregation=aggregation,
        event_names=(ANY_EVENT.name,),
        property=None,
        unit_name="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _event(customer: str, user: str, quarter: int, value: int) -> PreparedEvent:
    return ANY_EVENT._replace(
        customer_id=customer, user_id=user, happened_us=quarter * BUCKET_US, value=Decimal(value)
    )


_CALLS, _TOKENS = _metric(Aggregation.COUNT), _metric(Aggregation.SUM)

_events = st.lists(
    st.builds(
        _event,
        st.sampled_from(_CUSTOMERS),
        st.sampled_from(["", "usr_1"]),
        st.integers(0, 2),
        st.integers(-5, 5),
    )
)


@pytest.mark.spec("ENT-4", "EVT-7")
@given(events=_events, asked=st.sets(st.sampled_from(_CUSTOMERS)))
def test_each_scope_of_those_who_are_asked_about__gains_what_its_events_add_up_to(
    events: list[PreparedEvent], asked: set[str]
) -> None:
    metrics = read_metrics([_CALLS, _TOKENS])
    bumps = Bumps({"mer_1": fold(events, metrics)}, {"mer_1": metrics})

    made = bumps.of([("mer_1", customer) for customer in asked])

    assert set(bumps.customers()) == {("mer_1", event.customer_id) for event in events}
    assert {(bump.merchant_id, bump.customer_id) for bump in made} == {
        ("mer_1", one) for one in asked
    }
    for bump in made:
        own = [event for event in events if event.customer_id == bump.customer_id]
        for user in ("", "usr_1"):
            of_user = [event for event in own if user in ("", event.user_id)]
            for metric, amount in (
                (_CALLS, Decimal(len(of_user))),
                (_TOKENS, sum((event.value for event in of_user), Decimal(0))),
            ):
                spans = bump.scopes.get((metric.id, user), [])
                assert sum((span.amount for span in spans), Decimal(0)) == amount
                assert len(spans) == len({event.happened_us for event in of_user})
