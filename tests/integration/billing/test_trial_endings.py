"""What a trial ends in when nothing is there to pay with what it leads to: canceled, paused, or a free plan (TRL-2)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.catalog.v1 import plan_pb2, plan_service_pb2

from candela_server.catalog.archive_plan import ArchivePlan, archive_plan
from candela_server.catalog.create_price import create_price
from candela_server.catalog.model import TrialEndBehavior
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.refs import ById, BySlug
from candela_server.catalog.trial_ending import NewTrialEnding
from candela_server.kernel.errors import InvalidInput, Unserved
from candela_server.subscription.change import (
    Cancellation,
    Pause,
    Reactivation,
    Resume,
    ScheduledStatus,
)
from candela_server.subscription.model import CollectionMethod, Status

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.market import Market, fee

CHARGED = CollectionMethod.CHARGE_AUTOMATICALLY
PAUSE = NewTrialEnding(behavior=TrialEndBehavior.PAUSE)
CANCEL = NewTrialEnding(behavior=TrialEndBehavior.CANCEL)
TO_FREE = NewTrialEnding(behavior=TrialEndBehavior.DOWNGRADE_TO_FREE, free_plan=BySlug("free"))


def day(month: int, of_month: int) -> datetime:
    return datetime(2026, month, of_month, 15, tzinfo=UTC)


def trial_of(parent: str, days: int = 14) -> plan_service_pb2.CreatePlanRequest:
    return plan_service_pb2.CreatePlanRequest(
        is_trial_plan=True, trial_days=days, trial_parent_plan=plan_pb2.PlanRef(slug=parent)
    )


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "pro" is 50.00 a month, "free" nothing; "trial" leads to "pro" after 14 days."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("free", fee("0", name="Free"))
    await made.sell("trial", fee("0", name="Trial"), request=trial_of("pro"))
    return made


@pytest.mark.spec("TRL-2")
async def test_trial_that_says_nothing__is_canceled_without_a_payment_method(desk: Desk) -> None:
    held = await desk.take("trial", collection_method=CHARGED)
    await desk.market.bill(day(4, 15))
    await desk.market.bill(day(5, 15))

    after = await desk.now(held)
    assert (after.version.status, after.version.valid_from) == (Status.CANCELED, day(4, 15))
    assert sum(await desk.totals()) == 0


@pytest.mark.spec("TRL-2")
async def test_trial_with_pause__waits_on_the_paid_plan_and_bills_nothing(desk: Desk) -> None:
    held = await desk.take("trial", collection_method=CHARGED, trial_ending=PAUSE)
    await desk.market.bill(day(4, 15))
    await desk.market.bill(day(6, 15))

    after = await desk.now(held)
    assert (after.version.status, after.version.plan_id) == (
        Status.PAUSED,
        desk.plans["pro"].plan.id,
    )
    assert after.anchor_at == day(4, 15)
    assert sum(await desk.totals()) == 0


@pytest.mark.spec("TRL-2", "SUB-6")
async def test_paused_at_its_trials_end__is_not_resumed_without_something_to_pay_with(
    desk: Desk,
) -> None:
    held = await desk.take("trial", collection_method=CHARGED, trial_ending=PAUSE)
    await desk.market.bill(day(4, 15))

    with pytest.raises(Unserved) as caught:
        await desk.preview(held, Resume())
    assert [one.field for one in caught.value.violations] == ["collection_method"]
    with pytest.raises(Unserved):
        await desk.change(held, Resume())
    assert (await desk.now(held)).version.status is Status.PAUSED
    # What costs nothing may be had at any time.
    freed = await desk.change(held, to_plan("free"))
    resumed = await desk.change(freed.subscription, Resume())
    assert resumed.subscription.version.status is Status.ACTIVE


@pytest.mark.spec("TRL-2", "CAT-6")
async def test_trial_with_downgrade__goes_on_with_the_free_plan(desk: Desk) -> None:
    held = await desk.take("trial", collection_method=CHARGED, trial_ending=TO_FREE)
    [planned] = await desk.planned(held)
    await desk.market.bill(day(4, 15))
    await desk.market.bill(day(5, 15))

    after = await desk.now(held)
    assert (after.version.status, after.version.plan_id) == (
        Status.ACTIVE,
        desk.plans["free"].plan.id,
    )
    assert after.anchor_at == day(4, 15)
    assert [one.status for one in await desk.planned(held)] == [ScheduledStatus.APPLIED]
    assert planned.due_at == day(4, 15)
    # The trial's only period, then the free plan's of 15 April and 15 May: each is invoiced, at nothing (SUB-2).
    assert await desk.totals() == [Decimal(0)] * 3


@pytest.mark.spec("TRL-2")
@pytest.mark.parametrize("ending", [CANCEL, PAUSE, TO_FREE])
async def test_who_pays_what_is_sent__is_billed_whatever_the_ending(
    desk: Desk, ending: NewTrialEnding
) -> None:
    held = await desk.take("trial", trial_ending=ending)
    await desk.market.bill(day(4, 15))

    after = await desk.now(held)
    assert (after.version.status, after.version.plan_id) == (
        Status.ACTIVE,
        desk.plans["pro"].plan.id,
    )
    assert [one for one in await desk.totals() if one] == [Decimal(50)]


@pytest.mark.spec("TRL-2", "CAT-6")
async def test_trial_of_a_free_plan__needs_nothing_to_pay_with(desk: Desk) -> None:
    await desk.sell("try-free", fee("0", name="Trial"), request=trial_of("free"))
    held = await desk.take("try-free", collection_method=CHARGED)
    await desk.market.bill(day(4, 15))

    assert (await desk.now(held)).version.plan_id == desk.plans["free"].plan.id


@pytest.mark.spec("TRL-2")
async def test_ending_of_the_plan__counts_for_trials_that_say_nothing_themselves(
    desk: Desk,
) -> None:
    request = trial_of("pro")
    request.trial_end_behavior = plan_pb2.TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE
    request.trial_end_plan.slug = "free"
    made = await desk.sell("kind", fee("0", name="Trial"), request=request)
    kind = await desk.take("kind", collection_method=CHARGED)
    strict = await desk.take("kind", collection_method=CHARGED, trial_ending=CANCEL)
    await desk.market.bill(day(4, 15))

    assert made.plan.trial is not None
    assert made.plan.trial.ending.free_plan_id == desk.plans["free"].plan.id
    assert (await desk.now(kind)).version.plan_id == desk.plans["free"].plan.id
    assert (await desk.now(strict)).version.status is Status.CANCELED


@pytest.mark.spec("TRL-2")
async def test_free_plan_archived_or_dearer_meanwhile__the_trial_is_canceled(desk: Desk) -> None:
    await desk.sell("once-free", fee("0", name="Once free"))
    ending = NewTrialEnding(
        behavior=TrialEndBehavior.DOWNGRADE_TO_FREE, free_plan=BySlug("once-free")
    )
    archived = await desk.take("trial", collection_method=CHARGED, trial_ending=TO_FREE)
    dearer = await desk.take("trial", collection_method=CHARGED, trial_ending=ending)
    new_price = plan_pb2.NewPrice(currency="USD", components=[fee("3", name="Not free")])
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await archive_plan(tx, desk.market.clock, ArchivePlan(plan=BySlug("free")))
        await create_price(
            tx,
            desk.market.clock,
            desk.plans["once-free"].plan.id,
            price_from_proto(new_price),
            {},
        )
        await tx.audit("price.created", "tests")
    await desk.market.bill(day(4, 15))

    assert (await desk.now(archived)).version.status is Status.CANCELED
    assert (await desk.now(dearer)).version.status is Status.CANCELED


@pytest.mark.spec("TRL-2", "SUB-6")
async def test_trial_paused_when_it_ends__stays_paused_and_is_no_trial_when_resumed(
    desk: Desk,
) -> None:
    held = await desk.take("trial")
    desk.market.clock.advance(day(4, 10))
    await desk.change(held, Pause(resume_at=None))
    await desk.market.bill(day(4, 15))
    paused = await desk.now(held)
    desk.market.clock.advance(day(4, 20))
    resumed = (await desk.change(held, Resume())).subscription

    assert paused.version.status is Status.PAUSED
    assert (resumed.version.status, resumed.version.plan_id) == (
        Status.ACTIVE,
        desk.plans["pro"].plan.id,
    )


@pytest.mark.spec("TRL-2", "SUB-6")
async def test_canceled_trial_taken_up_again__is_the_paid_plan_and_not_a_second_trial(
    desk: Desk,
) -> None:
    sent = await desk.take("trial", trial_ending=CANCEL)
    charged = await desk.take("trial", collection_method=CHARGED)
    desk.market.clock.advance(day(4, 3))
    await desk.change(sent, Cancellation(), NOW)
    await desk.change(charged, Cancellation(), NOW)
    again = (await desk.change(sent, Reactivation(price_id=None))).subscription

    assert (again.version.status, again.version.plan_id) == (
        Status.ACTIVE,
        desk.plans["pro"].plan.id,
    )
    with pytest.raises(Unserved):
        await desk.change(charged, Reactivation(price_id=None))


@pytest.mark.spec("TRL-2", "PAY-1", "CAT-6")
async def test_charged_automatically__only_what_is_free(desk: Desk) -> None:
    held = await desk.take("free", collection_method=CHARGED)

    assert held.collection_method is CHARGED
    with pytest.raises(Unserved):
        await desk.take("pro", collection_method=CHARGED)
    with pytest.raises(Unserved):
        await desk.change(held, to_plan("pro"))


@pytest.mark.spec("TRL-2", "CAT-1")
@pytest.mark.parametrize(
    ("plan", "says"),
    [("pro", "is not free"), ("trial", "is a trial"), ("nothing", "no plan"), ("", "must name")],
)
async def test_downgrade_to_what_is_no_free_plan__is_refused_at_its_field(
    desk: Desk, plan: str, says: str
) -> None:
    request = trial_of("pro")
    request.trial_end_behavior = plan_pb2.TRIAL_END_BEHAVIOR_DOWNGRADE_TO_FREE
    if plan:
        request.trial_end_plan.slug = plan

    with pytest.raises(InvalidInput, match=says) as caught:
        await desk.sell("kind", fee("0", name="Trial"), request=request)
    assert [one.field for one in caught.value.violations] == ["trial_end_plan"]


@pytest.mark.spec("TRL-2")
async def test_ending_for_what_is_no_trial__is_refused(desk: Desk) -> None:
    free = ById(desk.plans["free"].plan.id)
    with pytest.raises(InvalidInput) as caught:
        await desk.take("pro", trial_ending=PAUSE)
    assert [one.field for one in caught.value.violations] == ["trial_end_behavior"]
    with pytest.raises(InvalidInput, match="is not free"):
        await desk.take(
            "trial",
            trial_ending=NewTrialEnding(
                behavior=TrialEndBehavior.DOWNGRADE_TO_FREE, free_plan=BySlug("pro")
            ),
        )
    request = plan_service_pb2.CreatePlanRequest(trial_end_plan=plan_pb2.PlanRef(id=free.id))
    with pytest.raises(InvalidInput, match="is_trial_plan"):
        await desk.sell("plain", fee("5"), request=request)
