"""Credits renew by their own rule, are carried over up to a cap, and expire hourly (CRD-3, CRD-5)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from candela.catalog.v1 import (
    credit_definition_pb2,
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
)
from google.protobuf.duration_pb2 import Duration

from candela_server.billing.expire_lapsed import expire_lapsed
from candela_server.customer.model import Customer
from candela_server.subscription.renew_by_rule import renew_due, schedule_missing

from tests.helpers.crediting import give, grant_now, grants_of, history_of
from tests.helpers.market import Market, calls, fee, flat

D = Decimal
JANUARY_31 = datetime(2026, 1, 31, 15, tzinfo=UTC)
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)
MARCH_31 = datetime(2026, 3, 31, 15, tzinfo=UTC)
HOUR, WEEK = timedelta(hours=1), timedelta(days=7)


def coming_with(**terms: Any) -> plan_service_pb2.CreatePlanRequest:
    """A plan that comes with 100 calls on these terms."""
    return plan_service_pb2.CreatePlanRequest(
        credit_definitions=[
            credit_definition_pb2.NewCreditDefinition(
                name="Included calls",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                feature="calls",
                billing_visible=True,
                **{"default_amount": "100", **terms},
            )
        ]
    )


async def sweep(market: Market) -> int:
    return await expire_lapsed(market.db, market.events, market.merchant_id, now=market.clock.now())


async def shown(market: Market, holder: Customer) -> list[tuple[str, str, str, D]]:
    """When each grant begins and ends, what it was and what is left of it."""
    return [
        (
            f"{one.effective_at:%m-%d}",
            f"{one.expires_at:%m-%d}" if one.expires_at else "never",
            f"{one.amount.normalize():f} {one.funding}",
            one.balance,
        )
        for one in await grants_of(market.shop, holder)
    ]


@pytest.mark.spec("CRD-5", "CRD-3")
async def test_weekly_rule__grants_by_its_own_calendar_and_catches_up_after_an_outage(
    market: Market,
) -> None:
    terms = coming_with(
        default_amount="100",
        refill_amount="40",
        renewal_rule="FREQ=WEEKLY",
        expires_after=Duration(seconds=int(WEEK.total_seconds())),
    )
    await market.sell(fee("49"), calls(flat("1")), request=terms)
    holder = await market.subscribe()

    market.clock.advance(JANUARY_31 + WEEK + HOUR)
    first = await renew_due(market.db, market.merchant_id, now=market.clock.now())
    market.clock.advance(JANUARY_31 + 3 * WEEK)
    missed = await renew_due(market.db, market.merchant_id, now=market.clock.now())
    again = await renew_due(market.db, market.merchant_id, now=market.clock.now())

    assert (first, missed, again) == (1, 2, 0)
    assert await shown(market, holder) == [
        ("01-31", "02-07", "100 included", 100),
        ("02-07", "02-14", "40 included", 40),
        ("02-14", "02-21", "40 included", 40),
        ("02-21", "02-28", "40 included", 40),
    ]


@pytest.mark.spec("CRD-5")
async def test_subscriber_without_noted_renewals__is_found_and_renews_from_then_on(
    market: Market,
) -> None:
    await market.sell(fee("49"), calls(flat("1")), request=coming_with(renewal_rule="FREQ=WEEKLY"))
    holder = await market.subscribe()
    async with market.db.writing(market.merchant_id) as tx:
        await tx.execute("DELETE FROM credit_renewal WHERE merchant_id = $1", market.merchant_id)
    market.clock.advance(JANUARY_31 + WEEK + HOUR)

    found = await schedule_missing(market.db, market.merchant_id, market.clock.now())
    again = await schedule_missing(market.db, market.merchant_id, market.clock.now())
    market.clock.advance(JANUARY_31 + 2 * WEEK)
    await renew_due(market.db, market.merchant_id, now=market.clock.now())

    assert (found, again) == (1, 0)
    assert [one[:2] for one in await shown(market, holder)] == [
        ("01-31", "never"),
        ("02-14", "never"),
    ]


@pytest.mark.spec("CRD-3", "CRD-5", "CRD-4")
async def test_rest_of_a_period__is_carried_over_up_to_the_cap_and_late_usage_finds_it_no_more(
    market: Market,
) -> None:
    terms = coming_with(renew_on_billing=True, rollover_cap="30")
    await market.sell(fee("49"), calls(flat("1")), request=terms)
    holder = await market.subscribe()
    await market.bill(JANUARY_31)
    await market.use(holder, "20", JANUARY_31)
    await market.bill(FEBRUARY_28)
    await market.bill(FEBRUARY_28 + HOUR)
    february = await shown(market, holder)

    # 80 are left of January's 100: 30 are carried over, 50 expire
    assert february == [
        ("01-31", "02-28", "100 included", 0),
        ("02-28", "03-31", "100 included", 100),
        ("02-28", "03-31", "30 rollover", 30),
    ]
    [january, *_] = await grants_of(market.shop, holder)
    assert [
        (one.kind.value, one.amount)
        for one in await history_of(market.shop, holder, january.id)
        if one.amount < 0
    ] == [("draw", -20), ("adjust", -30), ("expire", -50)]

    await market.use(holder, "115", FEBRUARY_28 + HOUR)
    await market.bill(MARCH_31)
    await market.bill(MARCH_31 + HOUR)

    # 130 were there and 115 were used: 15 are carried on, whichever of the two they were left of
    march = await shown(market, holder)
    assert march[-1] == ("03-31", "04-30", "15 rollover", 15)
    assert [one[3] for one in march[:3]] == [0, 0, 0]


@pytest.mark.spec("CRD-5")
async def test_lapsed_gift__expires_once_though_nothing_bills_its_metric(market: Market) -> None:
    await market.sell(fee("49"), calls(flat("1")))
    holder = await market.subscribe()
    unbilled = await market.hold(holder)
    assert unbilled
    async with market.db.writing(market.merchant_id) as tx:
        # as if no component had the metric
        await tx.execute(
            """
            DELETE FROM component_schedule s USING price_component c
            WHERE s.merchant_id = $1 AND c.merchant_id = $1 AND c.id = s.component_id
              AND c.metric_id IS NOT NULL
            """,
            market.merchant_id,
        )
    gift = await give(
        market.shop, holder, "50", feature="calls", expires_at=JANUARY_31 + timedelta(days=5)
    )
    before = await sweep(market)
    market.clock.advance(JANUARY_31 + timedelta(days=5))

    counts = [await sweep(market), await sweep(market)]

    assert (before, counts) == (0, [1, 0])
    assert (await grant_now(market.shop, gift.id)).balance == 0


@pytest.mark.spec("CRD-5", "CRD-8")
async def test_lapsed_gift_whose_period_is_not_billed_yet__waits_and_pays_for_usage_of_its_time(
    market: Market,
) -> None:
    await market.sell(fee("49"), calls(flat("1")))
    holder = await market.subscribe()
    await market.bill(JANUARY_31)
    gift = await give(
        market.shop, holder, "50", feature="calls", expires_at=JANUARY_31 + timedelta(days=5)
    )
    await market.use(holder, "30", JANUARY_31 + timedelta(minutes=1))
    market.clock.advance(JANUARY_31 + timedelta(days=6))
    await market.use(holder, "7", JANUARY_31 + timedelta(days=6))

    counts = [await sweep(market)]
    await market.bill(FEBRUARY_28)
    counts.append(await sweep(market))
    await market.bill(FEBRUARY_28 + HOUR)
    counts.append(await sweep(market))

    # 37 used; the gift pays for the 30 of its own time; 7 are charged; 20 of it expire when that is final
    assert counts == [0, 0, 1]
    lines = (await market.lines())[-1]
    assert ("usage", "37.00") in lines
    assert ("usage_credit", "-30.00") in lines
    assert (await grant_now(market.shop, gift.id)).balance == 0


@pytest.mark.spec("CRD-5", "CRD-4")
async def test_many_workers_at_once__grant_and_expire_once(market: Market) -> None:
    terms = coming_with(
        renewal_rule="FREQ=WEEKLY",
        expires_after=Duration(seconds=int(WEEK.total_seconds())),
        rollover_cap="30",
    )
    await market.sell(fee("49"), request=terms_without_price(terms))
    holder = await market.subscribe()
    await market.bill(JANUARY_31)
    market.clock.advance(JANUARY_31 + 2 * WEEK)
    now = market.clock.now()

    renewed = await asyncio.gather(
        *(renew_due(market.db, market.merchant_id, now=now) for _ in range(5))
    )
    expired = await asyncio.gather(*(sweep(market) for _ in range(5)))
    again = await sweep(market)

    assert (sum(renewed), sum(expired), again) == (2, 2, 0)
    # The first week's 30 went into the second, and of those and that week's own 100 the cap's 30 into the third.
    assert await shown(market, holder) == [
        ("01-31", "02-07", "100 included", 0),
        ("02-07", "02-14", "100 included", 0),
        ("02-14", "02-21", "100 included", 100),
        ("02-07", "02-14", "30 rollover", 0),
        ("02-14", "02-21", "30 rollover", 30),
    ]


def terms_without_price(
    request: plan_service_pb2.CreatePlanRequest,
) -> plan_service_pb2.CreatePlanRequest:
    """The same plan with the feature that its credits are of, whose usage costs nothing."""
    request.metrics.append(
        metric_pb2.NewMetric(
            slug="calls",
            name="Calls",
            aggregation=metric_pb2.AGGREGATION_SUM,
            event_names=["call"],
            unit_name="calls",
        )
    )
    request.features.append(
        plan_pb2.PlanFeatureInput(
            new_feature=feature_pb2.NewFeature(
                slug="calls",
                name="Calls",
                type=feature_pb2.FEATURE_TYPE_NUMBER,
                metric=metric_pb2.MetricRef(slug="calls"),
            )
        )
    )
    return request
