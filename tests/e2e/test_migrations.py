"""Subscribers move between versions of a plan, through the generated client with a server and a worker (CAT-9)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from candela import Client, failure_of
from candela.catalog.v1 import (
    feature_pb2,
    plan_pb2,
    plan_service_pb2,
    plan_version_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.customer.v1 import customer_pb2
from candela.merchant.v1 import test_clock_service_pb2
from candela.subscription.v1 import (
    migration_pb2,
    migration_service_pb2,
    subscription_pb2,
    subscription_service_pb2,
)

from demo.team_plan import sign_up, usd
from tests.helpers import waiting
from tests.helpers.moving_clocks import advance
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
PRO = plan_pb2.PlanRef(slug="pro")


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A merchant of this test only, who sells "pro" with reports."""
    made = create_merchant_by_command(dict(live_server.server.environment), "Migrating")
    with Client(live_server.address, made["secret_key"]) as client:
        monthly = price_pb2.PriceComponent(
            name="Pro",
            kind=price_pb2.COMPONENT_KIND_FIXED,
            recurrence_rule="FREQ=MONTHLY",
            charge=price_terms_pb2.ChargeModel(
                flat=price_terms_pb2.FlatCharge(unit_price=usd("49"))
            ),
        )
        client.plans.CreatePlan(
            plan_service_pb2.CreatePlanRequest(
                slug="pro",
                name="Pro",
                features=[new_feature("reports")],
                prices=[plan_pb2.NewPrice(currency="USD", components=[monthly])],
            )
        )
        yield client


def new_feature(slug: str) -> plan_pb2.PlanFeatureInput:
    return plan_pb2.PlanFeatureInput(
        new_feature=feature_pb2.NewFeature(
            slug=slug, name=slug, type=feature_pb2.FEATURE_TYPE_BOOLEAN
        )
    )


def take_pro(candela: Client, clock_id: str | None = None) -> tuple[str, str]:
    """A new user whose company takes the plan; how the application knows the user, and the subscription."""
    user_id = fresh("user")
    customer = sign_up(candela, fresh("company"), {user_id: "Ada"}, clock_id)
    request = subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=customer.id), plan=PRO
    )
    return user_id, candela.subscriptions.CreateSubscription(request).subscription.id


def add_exports(candela: Client) -> dict[str, str]:
    """A second version with exports too; what a migration from the first to it names."""
    before = candela.plans.GetPlan(plan_service_pb2.GetPlanRequest(plan=PRO)).version
    reports = plan_pb2.PlanFeatureInput(existing=feature_pb2.FeatureRef(slug="reports"))
    draft = candela.plans.CreatePlanVersion(
        plan_version_pb2.CreatePlanVersionRequest(
            plan=PRO, features=[reports, new_feature("exports")]
        )
    ).version
    candela.plans.PublishPlanVersion(
        plan_version_pb2.PublishPlanVersionRequest(plan_version_id=draft.id)
    )
    return {"from_plan_version_id": before.id, "to_plan_version_id": draft.id}


def until(candela: Client, migration_id: str, done_count: int) -> migration_pb2.Migration:
    """The migration, once so many are moved or scheduled."""
    request = migration_service_pb2.GetMigrationRequest(migration_id=migration_id)

    def look() -> migration_pb2.Migration | None:
        found = candela.migrations.GetMigration(request).migration
        return found if found.done_count >= done_count else None

    return waiting.first(look)


def results(candela: Client, migration_id: str) -> list[migration_pb2.MigrationResult]:
    request = migration_service_pb2.ListMigrationResultsRequest(
        migration_id=migration_id, page_size=1000
    )
    return list(candela.migrations.ListMigrationResults(request).results)


@pytest.mark.spec("CAT-9", "CAT-8", "SDK-1")
def test_cro_previews_and_moves_everybody_now__and_the_next_checks_say_yes(candela: Client) -> None:
    held = dict(take_pro(candela) for _ in range(3))
    wanted = add_exports(candela) | {"when": subscription_pb2.EFFECTIVE_TIME_NOW}
    before = [candela.is_feature_entitled("exports", user_id=user) for user in held]

    preview = candela.migrations.PreviewMigration(
        migration_service_pb2.PreviewMigrationRequest(**wanted)
    )
    created = candela.migrations.CreateMigration(
        migration_service_pb2.CreateMigrationRequest(**wanted)
    ).migration
    ended = until(candela, created.id, 3)

    assert before == [False] * 3
    assert (preview.total_count, created.total_count) == (3, 3)
    assert list(preview.results) == results(candela, created.id)
    assert sorted(held.values()) == [one.subscription_id for one in preview.results]
    assert ended.status == migration_pb2.MIGRATION_STATUS_DONE
    waiting.until(
        lambda: all(candela.is_feature_entitled("exports", user_id=user) for user in held)
    )
    listed = candela.migrations.ListMigrations(migration_service_pb2.ListMigrationsRequest())
    assert list(listed.migrations) == [ended]


@pytest.mark.spec("CAT-9", "OPS-2")
def test_moved_at_the_next_renewal__only_as_the_test_clock_gets_there(candela: Client) -> None:
    request = test_clock_service_pb2.CreateTestClockRequest(name="renewal")
    request.now_at.FromDatetime(START)
    clock_id = candela.test_clocks.CreateTestClock(request).test_clock.id
    user, subscription_id = take_pro(candela, clock_id)
    wanted = add_exports(candela)
    created = candela.migrations.CreateMigration(
        migration_service_pb2.CreateMigrationRequest(**wanted)
    ).migration
    waiting = until(candela, created.id, 1)
    renewal = datetime(2026, 4, 1, 8, tzinfo=UTC)  # 04:00 in New York, before and after 8 March
    advance(candela, clock_id, renewal - timedelta(seconds=1))
    just_before = candela.is_feature_entitled("exports", user_id=user)
    advance(candela, clock_id, renewal)
    [got] = results(candela, created.id)

    assert created.when == subscription_pb2.EFFECTIVE_TIME_PERIOD_END
    assert waiting.status == migration_pb2.MIGRATION_STATUS_RUNNING
    assert just_before is False
    assert got.subscription_id == subscription_id
    assert got.outcome == migration_pb2.MIGRATION_OUTCOME_MOVED
    assert candela.is_feature_entitled("exports", user_id=user) is True


@pytest.mark.spec("CAT-9")
def test_worker_killed_again_and_again__moves_each_exactly_once(
    candela: Client, live_server: LiveServer
) -> None:
    held = [take_pro(candela)[1] for _ in range(60)]
    wanted = add_exports(candela) | {"when": subscription_pb2.EFFECTIVE_TIME_NOW}
    created = candela.migrations.CreateMigration(
        migration_service_pb2.CreateMigrationRequest(**wanted)
    ).migration
    live_server.worker.kill()
    for patience_s in (1.0, 1.6, 2.2):
        live_server.worker.start()
        # A crash comes at any time: at its start, or in the middle of its work.
        time.sleep(patience_s)
        live_server.worker.kill()
    live_server.start()
    ended = until(candela, created.id, 60)
    versions = Counter(
        version.version
        for subscription_id in held
        for version in candela.subscriptions.ListSubscriptionVersions(
            subscription_service_pb2.ListSubscriptionVersionsRequest(
                subscription_id=subscription_id
            )
        ).versions
        if version.plan_version_id == wanted["to_plan_version_id"]
    )

    assert (ended.status, ended.failed_count) == (migration_pb2.MIGRATION_STATUS_DONE, 0)
    assert versions == {2: 60}


@pytest.mark.spec("CAT-9", "SUB-6")
def test_move_to_another_plan__is_refused_naming_what_does_it(candela: Client) -> None:
    wanted = add_exports(candela)
    other = candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(slug="other", name="Other", is_enterprise_plan=True)
    ).version
    with pytest.raises(grpc.RpcError) as caught:
        candela.migrations.CreateMigration(
            migration_service_pb2.CreateMigrationRequest(
                from_plan_version_id=wanted["from_plan_version_id"], to_plan_version_id=other.id
            )
        )
    got = failure_of(caught.value)

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in got.fields] == ["to_plan_version_id"]
    assert "SUB-6" in got.fields[0].description
