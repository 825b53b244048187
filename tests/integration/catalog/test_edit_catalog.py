"""Features, metrics and credits are edited and archived one by one (CAT-2, CAT-8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from candela.catalog.v1 import (
    credit_definition_pb2,
    credit_definition_service_pb2,
    feature_pb2,
    feature_service_pb2,
    metric_pb2,
    metric_service_pb2,
    plan_pb2,
)

from candela_server.catalog.create_feature import FeatureTypeMismatchError
from candela_server.catalog.errors import (
    CreditDefinitionNotFoundError,
    FeatureNotFoundError,
    MetricNotFoundError,
    PriceNotFoundError,
)
from candela_server.customer.model import CustomerById
from candela_server.entitlement.model import FeatureState
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.storage.listen import Listener
from candela_server.storage.transaction import ENTITLEMENTS_CHANNEL
from candela_server.subscription.model import Subscription

from tests.helpers.selling import Shop
from tests.helpers.snapshots import build_snapshot
from tests.helpers.waiting import PATIENCE_S
from tests.integration.catalog.services import TEAM, Catalog, existing, monthly_credits


def feature_ref(slug: str) -> feature_pb2.FeatureRef:
    return feature_pb2.FeatureRef(slug=slug)


def metric_ref(slug: str) -> metric_pb2.MetricRef:
    return metric_pb2.MetricRef(slug=slug)


async def subscribed(catalog: Catalog, name: str = "holder") -> Subscription:
    shop = Shop(catalog.db, catalog.clock, catalog.merchant_id)
    return await shop.subscribe(await shop.sign_up(name), 1)


async def state(catalog: Catalog, held: Subscription, slug: str) -> FeatureState:
    async with catalog.db.reading(catalog.merchant_id) as tx:
        snapshot = await build_snapshot(tx, catalog.clock, CustomerById(held.customer_id))
    return snapshot.features[slug]


@asynccontextmanager
async def heard(catalog: Catalog) -> AsyncIterator[asyncio.Queue[str]]:
    """What every server process hears of this merchant's entitlements meanwhile."""
    told: asyncio.Queue[str] = asyncio.Queue()

    def hear(payload: str) -> None:
        if payload.startswith(catalog.merchant_id):
            told.put_nowait(payload)

    listener = Listener(catalog.db.url, {ENTITLEMENTS_CHANNEL: hear}, lambda: None)
    await listener.start()
    try:
        yield told
    finally:
        await listener.close()


@pytest.mark.spec("CAT-8", "ENT-3")
async def test_new_default__counts_for_every_customer_and_every_process_hears_of_it(
    catalog: Catalog,
) -> None:
    await catalog.sell_team_plan()
    await catalog.call(
        "CreateFeature",
        feature_service_pb2.CreateFeatureRequest(
            feature=feature_pb2.NewFeature(
                slug="projects", name="Projects", type=feature_pb2.FEATURE_TYPE_NUMBER
            )
        ),
    )
    held = await subscribed(catalog)
    request = feature_service_pb2.UpdateFeatureRequest(
        feature=feature_ref("projects"),
        name="Active projects",
        default_value=feature_pb2.FeatureValue(number="3"),
    )

    async with heard(catalog) as told:
        got = (await catalog.call("UpdateFeature", request)).feature
        said = await asyncio.wait_for(told.get(), PATIENCE_S)

    assert said == f'{catalog.merchant_id}:~projects {{"number": "3"}}'
    assert (got.name, got.default_value.number, got.description) == ("Active projects", "3", "")
    assert (await state(catalog, held, "projects")).value == 3


@pytest.mark.spec("CAT-2")
async def test_feature_counted_by_another_metric__follows_it_in_the_next_version(
    catalog: Catalog,
) -> None:
    sold = await catalog.sell_team_plan()
    other = metric_pb2.NewMetric(
        slug="weighed", name="Weighed", aggregation=metric_pb2.AGGREGATION_SUM
    )
    metric = (
        await catalog.call("CreateMetric", metric_service_pb2.CreateMetricRequest(metric=other))
    ).metric
    request = feature_service_pb2.UpdateFeatureRequest(
        feature=feature_ref("cheap-messages"), metric=metric_ref("weighed")
    )

    got = (await catalog.call("UpdateFeature", request)).feature
    draft = await catalog.draft()

    assert got.metric_id == metric.id
    assert await catalog.difference(sold.version.id, draft.id) == [
        ("credit_definitions[Included cheap messages].metric", "cheap-messages", "weighed")
    ]


@pytest.mark.spec("CAT-2")
async def test_default_of_another_type__is_refused_and_names_the_type(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    request = feature_service_pb2.UpdateFeatureRequest(
        feature=feature_ref("advanced-analytics"),
        default_value=feature_pb2.FeatureValue(number="3"),
    )
    unknown = feature_service_pb2.UpdateFeatureRequest(feature=feature_ref("nope"), name="x")

    with pytest.raises(FeatureTypeMismatchError, match="boolean"):
        await catalog.call("UpdateFeature", request)
    with pytest.raises(FeatureNotFoundError):
        await catalog.call("UpdateFeature", unknown)


@pytest.mark.spec("CAT-2")
async def test_archived_feature__stays_where_it_is_and_enters_no_new_version(
    catalog: Catalog,
) -> None:
    sold = await catalog.sell_team_plan()
    held = await subscribed(catalog)
    request = feature_service_pb2.ArchiveFeatureRequest(feature=feature_ref("advanced-analytics"))

    archived = (await catalog.call("ArchiveFeature", request)).feature
    copied = await catalog.draft()
    with pytest.raises(InvalidInput) as caught:
        await catalog.draft(existing("advanced-analytics"))
    listed = await catalog.call("ListFeatures", feature_service_pb2.ListFeaturesRequest())

    assert archived.HasField("archived_at")
    assert (await state(catalog, held, "advanced-analytics")).value is True
    assert (await catalog.versions())[0].features == sold.version.features
    assert [one.feature_slug for one in copied.features] == ["premium-messages", "cheap-messages"]
    assert [(one.field, one.reason) for one in caught.value.violations] == [
        ("features[0].existing", Reason.FEATURE_NOT_FOUND)
    ]
    assert "advanced-analytics" not in {one.slug for one in listed.features}


@pytest.mark.spec("CAT-2", "EVT-5")
async def test_metric__is_renamed_and_archived_while_it_goes_on_counting(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    held = await subscribed(catalog)
    renamed = metric_service_pb2.UpdateMetricRequest(
        metric=metric_ref("cheap-messages"), name="Small talk", unit_name="line"
    )
    archive = metric_service_pb2.ArchiveMetricRequest(metric=metric_ref("cheap-messages"))

    updated = (await catalog.call("UpdateMetric", renamed)).metric
    archived = (await catalog.call("ArchiveMetric", archive)).metric
    listed = await catalog.call("ListMetrics", metric_service_pb2.ListMetricsRequest())

    assert (updated.name, updated.unit_name) == ("Small talk", "line")
    assert (updated.event_names, updated.aggregation) == (
        ["cheap-message"],
        metric_pb2.AGGREGATION_SUM,
    )
    assert archived.HasField("archived_at")
    assert [one.slug for one in listed.metrics] == ["premium-messages"]
    metered = (await state(catalog, held, "cheap-messages")).metered
    assert metered is not None
    assert metered.credits is not None


@pytest.mark.spec("CAT-2")
async def test_archived_metric__cannot_be_named_by_new_features(catalog: Catalog) -> None:
    await catalog.sell_team_plan()
    await catalog.call(
        "ArchiveMetric",
        metric_service_pb2.ArchiveMetricRequest(metric=metric_ref("cheap-messages")),
    )
    new = feature_pb2.NewFeature(
        slug="small-talk",
        name="Small talk",
        type=feature_pb2.FEATURE_TYPE_NUMBER,
        metric=metric_ref("cheap-messages"),
    )

    with pytest.raises(MetricNotFoundError, match="archived"):
        await catalog.call("CreateFeature", feature_service_pb2.CreateFeatureRequest(feature=new))
    with pytest.raises(MetricNotFoundError, match="archived"):
        await catalog.call(
            "UpdateFeature",
            feature_service_pb2.UpdateFeatureRequest(
                feature=feature_ref("premium-messages"), metric=metric_ref("cheap-messages")
            ),
        )
    with pytest.raises(InvalidInput) as caught:
        await catalog.draft(plan_pb2.PlanFeatureInput(new_feature=new))

    assert [one.field for one in caught.value.violations] == ["features[0].new_feature.metric.slug"]


@pytest.mark.spec("CRD-3", "CAT-3", "CAT-8")
async def test_credits_added_to_a_sold_plan__come_with_a_new_version_to_new_customers_only(
    catalog: Catalog,
) -> None:
    sold = await catalog.sell_team_plan()
    early = await subscribed(catalog, "early")
    request = credit_definition_service_pb2.CreateCreditDefinitionRequest(
        plan=TEAM, credit_definition=monthly_credits("premium-messages", "50", "Bonus")
    )

    got = (await catalog.call("CreateCreditDefinition", request)).credit_definition
    late = await subscribed(catalog, "late")
    current = await catalog.current_version_id()

    async def allowance(held: Subscription) -> object:
        metered = (await state(catalog, held, "premium-messages")).metered
        assert metered is not None
        assert metered.credits is not None
        return metered.credits.allowance

    differences = await catalog.difference(sold.version.id, current)
    assert {path.rpartition(".")[0] for path, _, _ in differences} == {"credit_definitions[Bonus]"}
    assert got.id in {one.id for one in (await catalog.versions())[1].credit_definitions}
    assert (await allowance(early), await allowance(late)) == (100, 150)


@pytest.mark.spec("CRD-3")
async def test_credits_added_to_a_plan_not_sold_yet__go_into_its_draft(catalog: Catalog) -> None:
    made = await catalog.sell_team_plan(keep_draft=True)
    request = credit_definition_service_pb2.CreateCreditDefinitionRequest(
        plan=TEAM, credit_definition=monthly_credits("premium-messages", "50")
    )

    await catalog.call("CreateCreditDefinition", request)
    [draft] = await catalog.versions()

    assert (draft.id, draft.status) == (made.version.id, plan_pb2.PLAN_VERSION_STATUS_DRAFT)
    assert [one.name for one in draft.credit_definitions][-1] == "Bonus"


@pytest.mark.spec("CRD-3")
async def test_credits_for_what_the_plan_does_not_grant__are_refused_and_leave_no_version(
    catalog: Catalog,
) -> None:
    await catalog.sell_team_plan()
    wrong = credit_definition_service_pb2.CreateCreditDefinitionRequest(
        plan=TEAM, credit_definition=monthly_credits("no-such-thing", "50")
    )
    nowhere = credit_definition_service_pb2.CreateCreditDefinitionRequest(
        plan=TEAM,
        price_id="price_00000000000000000000000000",
        credit_definition=monthly_credits("premium-messages", "50"),
    )

    with pytest.raises(InvalidInput) as caught:
        await catalog.call("CreateCreditDefinition", wrong)
    with pytest.raises(PriceNotFoundError):
        await catalog.call("CreateCreditDefinition", nowhere)

    assert [(one.field, one.reason) for one in caught.value.violations] == [
        ("credit_definition.feature", Reason.FEATURE_NOT_FOUND)
    ]
    assert len(await catalog.versions()) == 1


@pytest.mark.spec("CRD-2", "CRD-3")
async def test_money_for_everything__comes_with_a_new_version_and_belongs_to_no_plan(
    catalog: Catalog,
) -> None:
    sold = await catalog.sell_team_plan()
    request = credit_definition_service_pb2.CreateCreditDefinitionRequest(
        plan=TEAM,
        credit_definition=credit_definition_pb2.NewCreditDefinition(
            name="Anything",
            scope=credit_definition_pb2.CREDIT_SCOPE_MERCHANT,
            application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY,
            currency="USD",
            default_amount="5",
            renew_on_billing=True,
        ),
    )
    narrowed = credit_definition_service_pb2.CreateCreditDefinitionRequest()
    narrowed.CopyFrom(request)
    narrowed.price_id = sold.prices[0].id

    got = (await catalog.call("CreateCreditDefinition", request)).credit_definition
    narrowed.idempotency_key = ""
    with pytest.raises(InvalidInput) as caught:
        await catalog.call("CreateCreditDefinition", narrowed)

    assert not got.HasField("plan_id")
    [on_sale, *_] = await catalog.versions()
    assert got.id in {
        one.id for version in await catalog.versions() for one in version.credit_definitions
    }
    assert on_sale is not None
    assert [one.field for one in caught.value.violations] == ["price_id"]


@pytest.mark.spec("CRD-2", "CRD-3")
async def test_credits_of_one_component__find_it_by_the_features_metric(catalog: Catalog) -> None:
    sold = await catalog.sell_team_plan()
    [price] = sold.prices
    seats, premium, cheap = price.components
    request = credit_definition_service_pb2.CreateCreditDefinitionRequest(
        plan=TEAM, price_id=price.id, credit_definition=monthly_credits("premium-messages", "50")
    )
    request.credit_definition.scope = credit_definition_pb2.CREDIT_SCOPE_COMPONENT
    wrong = credit_definition_service_pb2.CreateCreditDefinitionRequest()
    wrong.CopyFrom(request)
    wrong.price_component_id = cheap.id

    got = (await catalog.call("CreateCreditDefinition", request)).credit_definition
    wrong.idempotency_key = ""
    with pytest.raises(InvalidInput) as caught:
        await catalog.call("CreateCreditDefinition", wrong)

    assert (got.price_id, got.price_component_id) == (price.id, premium.id)
    assert got.price_component_id != seats.id
    assert [one.field for one in caught.value.violations] == ["price_component_id"]
    assert len(await catalog.versions()) == 2


@pytest.mark.spec("CRD-3")
async def test_archived_credits__are_granted_no_more_and_grants_stay(catalog: Catalog) -> None:
    sold = await catalog.sell_team_plan()
    early = await subscribed(catalog, "early")
    [premium, _] = sold.version.credit_definitions
    request = credit_definition_service_pb2.ArchiveCreditDefinitionRequest(
        credit_definition_id=premium.id
    )

    first = (await catalog.call("ArchiveCreditDefinition", request)).credit_definition
    request.idempotency_key = "again"
    again = (await catalog.call("ArchiveCreditDefinition", request)).credit_definition
    late = await subscribed(catalog, "late")

    kept = (await state(catalog, early, "premium-messages")).metered
    none = (await state(catalog, late, "premium-messages")).metered
    assert first.HasField("archived_at")
    assert again == first
    assert first.default_amount == "100"
    assert kept is not None
    assert kept.credits is not None
    assert kept.credits.allowance == 100
    assert none is not None
    assert none.credits is None
    with pytest.raises(CreditDefinitionNotFoundError):
        await catalog.call(
            "ArchiveCreditDefinition",
            credit_definition_service_pb2.ArchiveCreditDefinitionRequest(
                credit_definition_id="cdef_00000000000000000000000000"
            ),
        )
