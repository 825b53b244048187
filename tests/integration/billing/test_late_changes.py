"""Changes that are made after a period began again: in the order of time, or not at all (SUB-5, SUB-6, INV-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.catalog.v1 import plan_pb2

from candela_server.billing.preview_change import ChangePreview
from candela_server.billing.run_changes import settle
from candela_server.catalog.create_price import create_price
from candela_server.catalog.price_wire import price_from_proto
from candela_server.subscription.change import (
    Changed,
    ChangeSubscription,
    PreviewStaleError,
)
from candela_server.subscription.change_subscription import (
    carry_out_scheduled,
    change_subscription,
)
from candela_server.subscription.claim_due import claim_due
from candela_server.subscription.model import Proration, Subscription
from candela_server.subscription.preview_token import check_amounts, pinned

from tests.helpers.changing import PERIOD_END, Desk, to_plan
from tests.helpers.market import Market, fee

D = Decimal


def at(month: int, of_month: int, hour: int = 15, minute: int = 0) -> datetime:
    return datetime(2026, month, of_month, hour, minute, tzinfo=UTC)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "basic" is 20.00 and "pro" 50.00 a month."""
    market.clock.advance(at(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    return made


async def commit(desk: Desk, held: Subscription, shown: ChangePreview, **asked: object) -> Changed:
    """What the servicer does with a preview's token."""
    command = ChangeSubscription(
        subscription_id=held.id, change=to_plan("pro"), timing=None, proration=None
    )
    command = pinned(replace(command, **asked), shown.shown)  # type: ignore[arg-type]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        changed = await change_subscription(tx, desk.market.clock, command)
        check_amounts(shown.shown, changed, await settle(tx, desk.market.events, changed))
    return changed


@pytest.mark.spec("SUB-6", "INV-2")
@pytest.mark.parametrize("proration", [None, Proration.INVOICE_NOW, Proration.NONE])
async def test_token_from_before_the_renewal__is_stale_after_it(
    desk: Desk, proration: Proration | None
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(at(4, 1))
    desk.market.clock.advance(at(5, 1, 14, 50))
    shown = await desk.preview(held, to_plan("pro"), proration=proration)
    await desk.market.bill(at(5, 1))
    desk.market.clock.advance(at(5, 1, 15, 20))

    with pytest.raises(PreviewStaleError):
        await commit(desk, held, shown, proration=proration)
    await desk.change(held, to_plan("pro"), proration=proration)
    await desk.market.bill(at(6, 1))
    await desk.market.bill(at(7, 1))

    # By days, the change of 1 May is one of the whole period; without proration May stays as it was.
    assert sum(await desk.totals()) == (D("140.00") if proration is Proration.NONE else D("170.00"))


@pytest.mark.spec("SUB-6")
async def test_token_within_the_period__does_what_was_shown(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(at(4, 1))
    desk.market.clock.advance(at(4, 11, 23, 40))
    shown = await desk.preview(held, to_plan("pro"))
    desk.market.clock.advance(at(4, 12, 0, 20))
    changed = await commit(desk, held, shown)
    await desk.market.bill(at(5, 1))

    assert changed.at == at(4, 11, 23, 40)
    assert shown.next_invoice is not None
    assert await desk.totals() == [D("20.00"), shown.next_invoice.total]


@pytest.mark.spec("SUB-6", "CAT-5")
@pytest.mark.parametrize("timing", [None, PERIOD_END])
async def test_price_published_after_the_preview__makes_its_token_stale(
    desk: Desk, timing: object
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(at(4, 1))
    desk.market.clock.advance(at(4, 11))
    shown = await desk.preview(held, to_plan("pro"), timing)  # type: ignore[arg-type]
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await create_price(
            tx,
            desk.market.clock,
            desk.plans["pro"].plan.id,
            price_from_proto(plan_pb2.NewPrice(currency="USD", components=[fee("60", name="Pro")])),
            {},
        )

    with pytest.raises(PreviewStaleError):
        await commit(desk, held, shown, timing=timing)
    assert (await desk.now(held)).version.number == 1
    assert await desk.planned(held) == []


@pytest.mark.spec("SUB-5", "INV-2")
async def test_renewal_at_the_instant_of_a_change__waits_for_the_change(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(at(4, 1))
    await desk.change(held, to_plan("pro"), PERIOD_END)
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        # What a run sees that could not make the change, because somebody held the subscription just then.
        due = await claim_due(tx, until=at(5, 1), test_clock_id=None, limit=10)
    await desk.market.bill(at(5, 1))

    assert due == []
    assert await desk.totals() == [D("20.00"), D("50.00")]


@pytest.mark.spec("SUB-5", "SUB-6", "INV-2")
async def test_change_made_after_the_renewal_that_it_precedes__gives_the_renewal_back(
    desk: Desk,
) -> None:
    held = await desk.take("basic")
    await desk.market.bill(at(4, 1))
    planned = (await desk.change(held, to_plan("pro"), PERIOD_END)).scheduled
    assert planned is not None
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await tx.execute(
            "UPDATE scheduled_change SET due_at = $2 WHERE merchant_id = $1",
            tx.merchant_id,
            at(5, 9),
        )
    await desk.market.bill(at(5, 1))
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await carry_out_scheduled(tx, planned, now=at(5, 1, 15, 1))
    await desk.market.bill(at(5, 1, 15, 1))
    await desk.market.bill(at(6, 1))

    # Basic's 20.00 of May go back with Pro's 50.00.
    assert await desk.totals() == [D("20.00"), D("20.00"), D("30.00"), D("50.00")]
