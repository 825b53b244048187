"""Versions of a plan are drafted, changed, published, archived, compared, and never rewritten (CAT-2, CAT-3, CAT-9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from candela.catalog.v1 import feature_pb2, plan_pb2, plan_service_pb2, plan_version_pb2

from candela_server.catalog.errors import (
    PlanArchivedError,
    PlanNotFoundError,
    PlanNotSoldError,
    PlanVersionIsDraftError,
    PlanVersionNotFoundError,
    PlanVersionPublishedError,
)
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.storage.mutation import IdempotencyMismatchError

from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot
from tests.integration.catalog.services import TEAM, Catalog, existing, monthly_credits

DRAFT = plan_pb2.PLAN_VERSION_STATUS_DRAFT
PUBLISHED = plan_pb2.PLAN_VERSION_STATUS_PUBLISHED
ARCHIVED = plan_pb2.PLAN_VERSION_STATUS_ARCHIVED


def granted(version: plan_pb2.PlanVersion) -> list[str]:
    return [feature.feature_slug for feature in version.features]


@pytest.mark.spec("CAT-2", "CAT-3")
async def test_draft_with_nothing_named__is_a_copy_of_what_is_sold(catalog: Catalog) -> None:
    sold = await catalog.sell_team_plan()
    draft = await catalog.draft(message="before the summer")

    assert (draft.number, draft.status, draft.message, draft.author) == (
        2,
        DRAFT,
        "before the summer",
        "tests",
    )
    assert draft.features == sold.version.features
    assert await catalog.difference(sold.version.id, draft.id) == []
    assert await catalog.current_version_id() == sold.version.id


@pytest.mark.spec("CAT-3", "CAT-8", "CAT-9")
async def test_feature_left_out__takes_its_credits_along_and_the_difference_says_so(
    catalog: Catalog,
) -> None:
    sold = await catalog.sell_team_plan()
    new = plan_pb2.PlanFeatureInput(
        new_feature=feature_pb2.NewFeature(
            slug="projects", name="Projects", type=feature_pb2.FEATURE_TYPE_NUMBER
        ),
        value=feature_pb2.FeatureValue(number="5"),
        limit_behavior=feature_pb2.LIMIT_BEHAVIOR_HARD,
    )
    draft = await catalog.draft(existing("advanced-analytics"), existing("cheap-messages"), new)

    got = await catalog.difference(sold.version.id, draft.id)

    assert granted(draft) == ["advanced-analytics", "cheap-messages", "projects"]
    assert got[:3] == [
        ("features[premium-messages].value", "0", ""),
        ("features[projects].value", "", "5"),
        ("features[projects].limit_behavior", "", "hard"),
    ]
    assert {path.rpartition(".")[0] for path, _, _ in got[3:]} == {
        "credit_definitions[Included premium messages]"
    }
    assert await catalog.difference(draft.id, sold.version.id) == [
        (path, after, before) for path, before, after in got
    ]


@pytest.mark.spec("CAT-3", "CAT-9")
async def test_credits_named_anew__are_whole(catalog: Catalog) -> None:
    sold = await catalog.sell_team_plan()
    draft = await catalog.draft(
        credit_definitions=[monthly_credits("premium-messages", "150", "Included premium messages")]
    )

    got = await catalog.difference(sold.version.id, draft.id)

    assert len(draft.credit_definitions) == 1
    assert ("credit_definitions[Included premium messages].default_amount", "100", "150") in got
    assert ("credit_definitions[Included cheap messages].default_amount", "1000", "") in got


@pytest.mark.spec("CAT-3")
async def test_draft_replaced__has_only_what_was_named_last(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    draft = await catalog.draft(message="first thought")
    request = plan_version_pb2.UpdatePlanVersionRequest(
        plan_version_id=draft.id, features=[existing("advanced-analytics")]
    )

    got = (await catalog.call("UpdatePlanVersion", request)).version

    assert (got.id, got.number, got.status) == (draft.id, 2, DRAFT)
    assert granted(got) == ["advanced-analytics"]
    assert list(got.credit_definitions) == []
    assert got.message == "first thought"
    assert (await catalog.versions())[1] == got


@pytest.mark.spec("CAT-3", "SUB-3")
async def test_published_draft__is_sold_to_new_customers_and_leaves_the_others_alone(
    catalog: Catalog,
) -> None:
    shop = Shop(catalog.db, catalog.clock, catalog.merchant_id)
    sold = await catalog.sell_team_plan()
    early = await shop.sign_up("early")
    held_early = await shop.subscribe(early, 1)
    draft = await catalog.draft(existing("premium-messages"), existing("cheap-messages"))
    catalog.clock.advance(catalog.clock.now() + timedelta(hours=1))
    published = await catalog.publish(draft.id)
    late = await shop.sign_up("late")
    held_late = await shop.subscribe(late, 1)

    async def may_use_analytics(who: Customer) -> object:
        async with catalog.db.reading(catalog.merchant_id) as tx:
            snapshot = await build_snapshot(tx, catalog.clock, CustomerById(who.id))
        return snapshot.features["advanced-analytics"].value

    assert (published.status, published.number) == (PUBLISHED, 2)
    assert published.published_at.ToDatetime() == catalog.clock.now().replace(tzinfo=None)
    assert held_early.version.plan_version_id == sold.version.id
    assert held_late.version.plan_version_id == published.id == await catalog.current_version_id()
    assert (await may_use_analytics(early), await may_use_analytics(late)) == (True, False)


@pytest.mark.spec("CAT-3")
async def test_published_version__refuses_every_change(catalog: Catalog) -> None:
    sold = await catalog.sell_team_plan()
    before = await catalog.versions()

    with pytest.raises(PlanVersionPublishedError) as caught:
        await catalog.call(
            "UpdatePlanVersion",
            plan_version_pb2.UpdatePlanVersionRequest(plan_version_id=sold.version.id),
        )
    with pytest.raises(PlanVersionPublishedError):
        await catalog.publish(sold.version.id)

    assert caught.value.reason is Reason.PLAN_VERSION_PUBLISHED
    assert caught.value.metadata["plan_version_id"] == sold.version.id
    assert await catalog.versions() == before


@pytest.mark.spec("CAT-3")
async def test_plan_kept_as_a_draft__is_sold_once_it_is_published(catalog: Catalog) -> None:
    made = await catalog.sell_team_plan(keep_draft=True)
    shop = Shop(catalog.db, catalog.clock, catalog.merchant_id)
    customer = await shop.sign_up("keen")

    with pytest.raises(PlanNotSoldError):
        await shop.subscribe(customer, 1)
    await catalog.publish(made.version.id)
    held = await shop.subscribe(customer, 1)

    assert made.version.status == DRAFT
    assert not made.plan.HasField("current_version_id")
    assert not made.version.HasField("published_at")
    assert held.version.plan_version_id == made.version.id


@pytest.mark.spec("CAT-3")
async def test_older_draft_published_last__is_what_is_sold(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    second, third = await catalog.draft(), await catalog.draft()
    await catalog.publish(third.id)
    # At the same instant of this clock: what was published last counts all the same.
    await catalog.publish(second.id)

    assert await catalog.current_version_id() == second.id


@pytest.mark.spec("CAT-3")
async def test_archived_version__leaves_the_one_before_it_on_sale_and_its_subscribers_alone(
    catalog: Catalog,
) -> None:
    shop = Shop(catalog.db, catalog.clock, catalog.merchant_id)
    sold = await catalog.sell_team_plan()
    published = await catalog.publish((await catalog.draft()).id)
    held = await shop.subscribe(await shop.sign_up("holder"), 1)
    request = plan_version_pb2.ArchivePlanVersionRequest(plan_version_id=published.id)

    got = (await catalog.call("ArchivePlanVersion", request)).version
    again = plan_version_pb2.ArchivePlanVersionRequest(plan_version_id=published.id)
    repeated = (await catalog.call("ArchivePlanVersion", again)).version

    assert got.status == ARCHIVED
    assert repeated == got
    assert await catalog.current_version_id() == sold.version.id
    async with catalog.db.reading(catalog.merchant_id) as tx:
        snapshot = await build_snapshot(tx, catalog.clock, CustomerById(held.customer_id))
    assert snapshot.features["advanced-analytics"].value is True
    with pytest.raises(PlanVersionPublishedError, match="archived"):
        await catalog.publish(published.id)


@pytest.mark.spec("CAT-3")
async def test_draft__cannot_be_archived_as_it_was_never_sold(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    draft = await catalog.draft()

    with pytest.raises(PlanVersionIsDraftError, match="draft"):
        await catalog.call(
            "ArchivePlanVersion",
            plan_version_pb2.ArchivePlanVersionRequest(plan_version_id=draft.id),
        )


@pytest.mark.spec("CAT-3")
async def test_concurrent_drafts_and_publications__are_numbered_and_ordered(
    catalog: Catalog,
) -> None:
    await catalog.sell_team_plan()

    async def next_version() -> plan_pb2.PlanVersion:
        return await catalog.publish((await catalog.draft()).id)

    made = await asyncio.gather(*[next_version() for _ in range(8)])

    published = sorted(made, key=lambda one: one.published_at.ToNanoseconds())
    assert sorted(one.number for one in made) == list(range(2, 10))
    assert len({one.published_at.ToNanoseconds() for one in made}) == 8
    assert await catalog.current_version_id() == published[-1].id
    assert [one.number for one in sorted(await catalog.versions(), key=lambda v: v.number)] == (
        list(range(1, 10))
    )


@pytest.mark.spec("CAT-3")
async def test_one_draft_published_by_many_at_once__is_published_once(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    draft = await catalog.draft()

    got = await asyncio.gather(
        *[catalog.publish(draft.id) for _ in range(6)], return_exceptions=True
    )

    assert sum(isinstance(one, plan_pb2.PlanVersion) for one in got) == 1
    assert sum(isinstance(one, PlanVersionPublishedError) for one in got) == 5


@pytest.mark.spec("AUD-2", "CAT-3")
async def test_call_repeated_with_its_key__answers_the_same_and_makes_nothing_more(
    catalog: Catalog,
) -> None:
    await catalog.sell_team_plan()
    request = plan_version_pb2.CreatePlanVersionRequest(
        idempotency_key="draft-1", plan=TEAM, message="once"
    )

    first = await catalog.call("CreatePlanVersion", request)
    again = await catalog.call("CreatePlanVersion", request)
    publication = plan_version_pb2.PublishPlanVersionRequest(
        idempotency_key="publish-1", plan_version_id=first.version.id
    )
    published = await catalog.call("PublishPlanVersion", publication)
    # The state would refuse a second publication; the key makes it the first one's echo.
    assert await catalog.call("PublishPlanVersion", publication) == published
    request.message = "twice"
    with pytest.raises(IdempotencyMismatchError):
        await catalog.call("CreatePlanVersion", request)

    assert again == first
    assert len(await catalog.versions()) == 2


@pytest.mark.spec("CAT-3", "AUD-1")
async def test_life_of_a_version__is_in_the_audit_trail_with_its_message(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    draft = await catalog.draft(message="cheaper entry")
    await catalog.publish(draft.id)

    async with catalog.db.reading(catalog.merchant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT action, actor, reason, after FROM audit_entry
            WHERE merchant_id = $1 AND subject_id = $2 ORDER BY id
            """,
            catalog.merchant_id,
            draft.id,
        )

    assert [(row["action"], row["actor"], row["reason"]) for row in rows] == [
        ("plan_version.created", "tests", "cheaper entry"),
        ("plan_version.published", "tests", "cheaper entry"),
    ]
    assert len(rows[0]["after"]["features"]) == 3


@pytest.mark.spec("CAT-3")
async def test_archived_plan__gets_no_new_version_and_is_not_sold(catalog: Catalog) -> None:
    shop = Shop(catalog.db, catalog.clock, catalog.merchant_id)
    await catalog.sell_team_plan()
    held = await shop.subscribe(await shop.sign_up("holder"), 1)
    waiting = await catalog.draft()
    request = plan_service_pb2.ArchivePlanRequest(plan=TEAM)

    archived = (await catalog.call("ArchivePlan", request)).plan
    listed = await catalog.call("ListPlans", plan_service_pb2.ListPlansRequest())

    assert archived.HasField("archived_at")
    assert list(listed.plans) == []
    with pytest.raises(PlanArchivedError):
        await catalog.draft()
    with pytest.raises(PlanArchivedError):
        await catalog.publish(waiting.id)
    with pytest.raises(PlanNotSoldError):
        await shop.subscribe(await shop.sign_up("late"), 1)
    async with catalog.db.reading(catalog.merchant_id) as tx:
        snapshot = await build_snapshot(tx, catalog.clock, CustomerById(held.customer_id))
    assert snapshot.features["advanced-analytics"].value is True


@pytest.mark.spec("CAT-3")
async def test_plan_renamed__needs_no_version(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    first = plan_service_pb2.UpdatePlanRequest(
        plan=TEAM, name="Crew", publicly_visible=True, metadata={"tier": "2", "region": "eu"}
    )
    second = plan_service_pb2.UpdatePlanRequest(plan=TEAM, description="For crews")
    second.metadata["region"] = ""

    await catalog.call("UpdatePlan", first)
    got = (await catalog.call("UpdatePlan", second)).plan

    assert (got.name, got.description, got.publicly_visible) == ("Crew", "For crews", True)
    assert dict(got.metadata) == {"tier": "2"}
    assert len(await catalog.versions()) == 1


@pytest.mark.spec("CAT-2")
async def test_mistakes_in_a_draft__are_told_by_path(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    number = existing("advanced-analytics", "5")

    with pytest.raises(InvalidInput) as features:
        await catalog.draft(number, existing("no-such-thing"), existing("cheap-messages"))
    with pytest.raises(InvalidInput) as credits:
        await catalog.draft(
            existing("advanced-analytics"),
            credit_definitions=[
                monthly_credits("cheap-messages", "5"),
                monthly_credits("advanced-analytics", "5"),
            ],
        )

    assert [(one.field, one.reason) for one in features.value.violations] == [
        ("features[0].value", Reason.FEATURE_TYPE_MISMATCH),
        ("features[1].existing", Reason.FEATURE_NOT_FOUND),
    ]
    assert [one.field for one in credits.value.violations] == [
        "credit_definitions[0].feature",
        "credit_definitions[1].feature",
    ]
    assert len(await catalog.versions()) == 1


@pytest.mark.spec("CAT-9")
async def test_versions_of_two_plans__cannot_be_compared(catalog: Catalog) -> None:
    sold = await catalog.sell_team_plan()
    other = await catalog.call(
        "CreatePlan",
        plan_service_pb2.CreatePlanRequest(slug="other", name="Other", is_enterprise_plan=True),
    )

    with pytest.raises(InvalidInput) as caught:
        await catalog.difference(sold.version.id, other.version.id)
    with pytest.raises(PlanVersionNotFoundError):
        await catalog.difference(sold.version.id, "plv_00000000000000000000000000")

    assert [one.field for one in caught.value.violations] == ["to_plan_version_id"]


@pytest.mark.spec("CAT-2", "KEY-2")
async def test_another_merchants_plan_and_version__do_not_exist(
    catalog: Catalog, merchant_beside: Catalog
) -> None:
    sold = await catalog.sell_team_plan()

    with pytest.raises(PlanNotFoundError):
        await merchant_beside.draft()
    with pytest.raises(PlanVersionNotFoundError):
        await merchant_beside.publish(sold.version.id)
