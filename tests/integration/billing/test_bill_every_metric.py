"""Every kind of metric on invoices: its own number, previewed and billed, and made right when events come late
(EVT-5, EVT-6, EVT-7, EVT-9)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import pytest
from candela.catalog.v1 import metric_pb2, price_terms_pb2

from candela_server.billing.measure_usage import Ask, measure
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.catalog.model import Aggregation, UniqueOf
from candela_server.customer.model import Customer
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.interval import Interval
from candela_server.subscription.model import SubscriptionId

from tests.helpers.market import Market, calls, flat, money

D = Decimal
FEBRUARY, MARCH, APRIL = (
    datetime(2026, month, day, 15, tzinfo=UTC) for month, day in ((2, 28), (3, 31), (4, 30))
)
GRACE = timedelta(hours=2)
MIDDLE = FEBRUARY - timedelta(days=14)
"""Of the first period, which has 28 days."""
LATER = FEBRUARY - timedelta(days=7)


class Kind(NamedTuple):
    """A metric, what three events and a late fourth one measure, and what is carried into the next period."""

    metric: metric_pb2.NewMetric
    first: str
    late: str
    carried: str = "0.00"


KINDS = {
    "weighted sum": Kind(
        # 10 for half of the period, then 4 for a quarter of it; all 14 are still there afterwards.
        metric_pb2.NewMetric(
            aggregation=metric_pb2.AGGREGATION_WEIGHTED_SUM,
            filters=[
                metric_pb2.PropertyFilter(
                    property="size", operator=metric_pb2.FILTER_OPERATOR_EXISTS
                )
            ],
        ),
        first="5.00",
        late="1.00",
        carried="14.00",
    ),
    "groups": Kind(
        metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, group_by=["region"]),
        first="13.00",
        late="4.00",
    ),
    "a property": Kind(
        metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, property="size"),
        first="70.00",
        late="20.00",
    ),
    "customers": Kind(
        metric_pb2.NewMetric(
            aggregation=metric_pb2.AGGREGATION_UNIQUE, unique_of=metric_pb2.UNIQUE_OF_CUSTOMER
        ),
        first="1.00",
        late="",
    ),
    "gauge": Kind(
        # What stands at the end, and is still there in the next period.
        metric_pb2.NewMetric(aggregation=metric_pb2.AGGREGATION_SUM, gauge=True),
        first="13.00",
        late="4.00",
        carried="17.00",
    ),
    "SQL": Kind(
        metric_pb2.NewMetric(
            sql=metric_pb2.SqlMetric(query="SELECT sum(value) / 2 FROM events WHERE value > 1")
        ),
        first="6.00",
        late="2.00",
    ),
    "indexed SQL": Kind(
        metric_pb2.NewMetric(
            sql=metric_pb2.SqlMetric(
                query="SELECT count(DISTINCT properties->>'region') FROM events", indexed=True
            )
        ),
        first="2.00",
        late="1.00",
    ),
}


async def preview(market: Market, customer: Customer) -> list[str]:
    """The amounts of the next invoice."""
    async with market.db.reading(market.merchant_id) as tx:
        held = await tx.fetchval(
            "SELECT id FROM subscription WHERE merchant_id = $1 AND customer_id = $2",
            market.merchant_id,
            customer.id,
        )
        shown = await preview_next_invoice(tx, market.events, market.clock, SubscriptionId(held))
    assert shown is not None
    return [f"{line.amount:.2f}" for line in shown.lines]


async def use_in_february(market: Market, customer: Customer) -> None:
    """Three events in the middle of the period, one of them with a size."""
    market.clock.advance(MIDDLE)
    for amount, properties in (
        ("10", {"region": "eu", "size": 70}),
        ("2", {"region": "us"}),
        ("1", {"region": "eu"}),
    ):
        await market.use(customer, amount, MIDDLE, properties)


@pytest.mark.spec("EVT-5", "EVT-6", "EVT-7", "EVT-9", "INV-2", "INV-5")
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_metric_of_any_kind__is_previewed_billed_and_adjusted_when_events_come_late(
    market: Market, kind: Kind
) -> None:
    await market.sell(calls(flat("1")), metric=kind.metric)
    customer = await market.subscribe()
    await use_in_february(market, customer)
    shown = await preview(market, customer)

    for now in (FEBRUARY, FEBRUARY + GRACE):
        await market.bill(now)
    market.clock.advance(FEBRUARY + timedelta(days=2))
    await market.use(customer, "4", LATER, {"region": "ap", "size": 20})
    for now in (MARCH, MARCH + GRACE, APRIL):
        await market.bill(now)

    late = [("adjustment", kind.late)] if kind.late else []
    assert shown == [kind.first]
    assert (await market.lines())[:2] == [
        [("usage", kind.first)],
        [("usage", kind.carried), *late],
    ]
    assert (await market.lines())[2] == [("usage", kind.carried)]


@pytest.mark.spec("EVT-5", "EVT-9")
async def test_late_event_of_a_weighted_sum__changes_every_closed_period_after_it(
    market: Market,
) -> None:
    await market.sell(calls(flat("1")), metric=KINDS["weighted sum"].metric)
    customer = await market.subscribe()
    await use_in_february(market, customer)
    for now in (FEBRUARY, FEBRUARY + GRACE, MARCH, MARCH + GRACE):
        await market.bill(now)

    await market.use(customer, "28", FEBRUARY - timedelta(days=1), {"size": 1})
    for now in (APRIL, APRIL + GRACE, APRIL + timedelta(days=31)):
        await market.bill(now)

    lines = await market.lines()
    assert lines[:2] == [[("usage", "5.00")], [("usage", "10.00")]]
    # 28 for one of February's 28 days, and for all of March.
    assert lines[2] == [("usage", "38.00"), ("adjustment", "1.00"), ("adjustment", "28.00")]
    assert lines[3] == [("usage", "38.00")]


@pytest.mark.spec("DSL-3", "EVT-5", "EVT-7")
@pytest.mark.parametrize(
    ("aggregation", "unique_of", "property_name", "expected"),
    [
        (Aggregation.UNIQUE, UniqueOf.PROPERTY, "region", 4),
        (Aggregation.UNIQUE, UniqueOf.USER, None, 1),
        (Aggregation.UNIQUE, UniqueOf.CUSTOMER, None, 5),
        (Aggregation.SUM, None, "size", 2),
        (Aggregation.WEIGHTED_SUM, None, None, 5),
    ],
)
async def test_events_with_a_fee_each__are_those_that_the_metric_reads_whatever_the_window_cuts(
    market: Market,
    aggregation: Aggregation,
    unique_of: UniqueOf | None,
    property_name: str | None,
    expected: int,
) -> None:
    metric = await market.metering.add_metric(
        "calls",
        aggregation,
        event_names=["call"],
        property_name=property_name,
        unique_of=unique_of,
    )
    customer = await market.metering.add_customer()
    user = await market.metering.add_user(customer)
    start_at = market.clock.now() - timedelta(days=3, seconds=7)
    # In a cut quarter-hour, and in whole ones.
    for days in (0, 2):
        at = start_at + timedelta(days=days, seconds=1)
        await market.use(customer, "1", at, {"region": "eu", "size": 2})
        await market.use(customer, "1", at, {"region": "us", "size": "huge"})
    await market.use(user, "1", start_at + timedelta(seconds=2), {})

    whole = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    cut, rolled = await measure(
        market.events,
        market.merchant_id,
        [
            Ask(
                customer_id=customer.id,
                metric=metric,
                period=period,
                counts_events=True,
                grants=(),
            )
            for period in (Interval(start_at, market.clock.now()), whole)
        ],
    )

    assert (cut.event_count, rolled.event_count) == (D(expected), D(expected))


@pytest.mark.spec("DSL-3", "EVT-6")
async def test_fee_for_each_event_of_a_query__is_not_sold(market: Market) -> None:
    charge = price_terms_pb2.ChargeModel(
        percentage=price_terms_pb2.PercentageCharge(percent="1", fee_per_event=money("0.30"))
    )

    with pytest.raises(InvalidInput, match="must be without fee_per_event") as caught:
        await market.sell(calls(charge), metric=KINDS["SQL"].metric)

    assert [one.field for one in caught.value.violations] == ["prices[0].components[0].charge"]
