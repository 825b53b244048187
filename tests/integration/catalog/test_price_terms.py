"""Every definition that the contract knows is stored as it was described; what is not billed yet is not sold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from candela.catalog.v1 import credit_definition_pb2 as credit
from candela.catalog.v1 import (
    feature_pb2,
    metric_pb2,
    metric_service_pb2,
    plan_pb2,
    plan_service_pb2,
    plan_version_pb2,
    price_pb2,
    price_service_pb2,
)
from candela.catalog.v1 import price_terms_pb2 as terms
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.acting import acting_as
from tests.helpers.catalog import Counter, fee, flat, keyed, usd

USAGE, MONETARY = (
    credit.CREDIT_APPLICATION_TYPE_USAGE,
    credit.CREDIT_APPLICATION_TYPE_MONETARY,
)


@pytest.fixture
def counter(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Iterator[Counter]:
    with acting_as(merchant.id):
        yield Counter(db, clock)


def every_term() -> plan_pb2.NewPrice:
    """A price with every charge model and every term that there is."""
    later = Timestamp()
    later.FromDatetime(datetime(2027, 1, 1, 8, 30, 0, 250_000, tzinfo=UTC))
    tiers = [
        terms.Tier(up_to="1000.5", unit_price=usd("0.000000000001"), flat_fee=usd("5")),
        terms.Tier(unit_price=usd("0.05")),
    ]
    usage = {
        "kind": price_pb2.COMPONENT_KIND_USAGE,
        "recurrence_rule": "FREQ=MONTHLY",
        "metric": "calls",
    }
    off = [
        terms.Discount(percent="12.5", duration=terms.DISCOUNT_DURATION_REPEATING, period_count=3),
        terms.Discount(
            amount_off=usd("5"), duration=terms.DISCOUNT_DURATION_FOREVER, name="Loyalty"
        ),
        terms.Discount(percent="100", duration=terms.DISCOUNT_DURATION_ONCE),
    ]
    return plan_pb2.NewPrice(
        name="Everything",
        currency="USD",
        discounts=off,
        minimum_commitment=terms.MinimumCommitment(
            amount=usd("500"), recurrence_rule="FREQ=YEARLY;TZID=Europe/Berlin"
        ),
        components=[
            price_pb2.PriceComponent(
                name="Platform",
                kind=price_pb2.COMPONENT_KIND_FIXED,
                recurrence_rule="FREQ=YEARLY;BYMONTH=1;BYMONTHDAY=31",
                time_zone="America/New_York",
                charge=flat("1200"),
                discounts=off,
                time_rules=[
                    terms.TimeRule(after_period_count=1, start=True),
                    terms.TimeRule(after_period_count=2, charge=flat("2400")),
                    terms.TimeRule(after_period_count=5, stop=True),
                ],
            ),
            price_pb2.PriceComponent(
                name="Seat",
                kind=price_pb2.COMPONENT_KIND_PER_UNIT,
                recurrence_rule="FREQ=MONTHLY",
                charge=flat("30"),
                seats=price_pb2.SeatTerms(minimum_seats=1, included_seats=2, bill_immediately=True),
                time_rules=[
                    terms.TimeRule(
                        at=later,
                        charge=terms.ChargeModel(graduated=terms.GraduatedCharge(tiers=tiers)),
                    )
                ],
            ),
            price_pb2.PriceComponent(
                name="Graduated",
                charge=terms.ChargeModel(
                    graduated=terms.GraduatedCharge(tiers=tiers),
                    free_units="10",
                    minimum=usd("1"),
                    maximum=usd("1000"),
                ),
                **usage,
            ),
            price_pb2.PriceComponent(
                name="Volume",
                charge=terms.ChargeModel(volume=terms.VolumeCharge(tiers=tiers)),
                **usage,
            ),
            price_pb2.PriceComponent(
                name="Package",
                charge=terms.ChargeModel(
                    package=terms.PackageCharge(package_size="1000", package_price=usd("2"))
                ),
                **usage,
            ),
            price_pb2.PriceComponent(
                name="Share",
                charge=terms.ChargeModel(
                    percentage=terms.PercentageCharge(percent="2.9", fee_per_event=usd("0.3"))
                ),
                **usage,
            ),
        ],
    )


def calls_plan(
    *prices: plan_pb2.NewPrice, credits: list[credit.NewCreditDefinition] | None = None
) -> plan_service_pb2.CreatePlanRequest:
    """A plan with a usage feature "calls" and its metric."""
    return plan_service_pb2.CreatePlanRequest(
        slug="calls",
        name="Calls",
        metrics=[
            metric_pb2.NewMetric(slug="calls", name="Calls", aggregation=metric_pb2.AGGREGATION_SUM)
        ],
        features=[
            plan_pb2.PlanFeatureInput(
                new_feature=feature_pb2.NewFeature(
                    slug="calls",
                    name="Calls",
                    type=feature_pb2.FEATURE_TYPE_NUMBER,
                    metric=metric_pb2.MetricRef(slug="calls"),
                )
            )
        ],
        prices=prices,
        credit_definitions=credits or [],
    )


def usage_fee() -> plan_pb2.NewPrice:
    """A fee, and calls at a cent."""
    new = fee("10")
    new.components.add(
        name="Calls",
        kind=price_pb2.COMPONENT_KIND_USAGE,
        recurrence_rule="FREQ=MONTHLY",
        metric="calls",
        charge=flat("0.01"),
    )
    return new


@pytest.mark.spec("CAT-1", "DSL-1", "DSL-2", "DSL-3", "DSL-4", "DSL-6", "DSL-10")
async def test_price_with_every_term__is_shown_as_it_was_described(counter: Counter) -> None:
    described = every_term()
    created = await counter.sell(calls_plan(described))
    [made] = created.prices
    got = (
        await counter.prices.GetPrice(price_service_pb2.GetPriceRequest(price_id=made.id), None)
    ).price

    assert got == made
    assert list(got.discounts) == list(described.discounts)
    assert got.minimum_commitment == described.minimum_commitment
    for shown, wanted in zip(got.components, described.components, strict=True):
        wanted.id, wanted.timing = shown.id, shown.timing
        if wanted.metric:
            wanted.metric = created.metrics[0].id
        for charge in (wanted.charge, *(rule.charge for rule in wanted.time_rules)):
            # What is left away has a value, which is shown.
            if charge.WhichOneof("model"):
                charge.free_units = charge.free_units or "0"
        assert shown == wanted
    assert not got.free


@pytest.mark.spec("CRD-1", "CRD-2", "CRD-3", "CRD-5")
async def test_credits_of_every_kind__are_shown_as_they_were_described(counter: Counter) -> None:
    described = [
        credit.NewCreditDefinition(
            name="Included",
            scope=credit.CREDIT_SCOPE_COMPONENT,
            application_type=USAGE,
            feature="calls",
            default_amount="100",
            refill_amount="50",
            renew_on_billing=True,
            billing_visible=True,
            basis=credit.CREDIT_BASIS_SEAT,
            rollover_cap="25.5",
            priority=-3,
        ),
        credit.NewCreditDefinition(
            name="Daily",
            scope=credit.CREDIT_SCOPE_PRICE,
            application_type=USAGE,
            feature="calls",
            default_amount="10",
            renewal_rule="FREQ=DAILY;TZID=Europe/Berlin",
            expires_after=Duration(seconds=3 * 86_400, nanos=5000),
        ),
        credit.NewCreditDefinition(
            name="Welcome",
            scope=credit.CREDIT_SCOPE_PLAN,
            application_type=MONETARY,
            currency="USD",
            default_amount="50",
        ),
        credit.NewCreditDefinition(
            name="Anything",
            scope=credit.CREDIT_SCOPE_MERCHANT,
            application_type=MONETARY,
            currency="EUR",
            default_amount="5.000000000001",
            expires_after=Duration(seconds=365 * 86_400),
        ),
    ]
    created = await counter.sell(calls_plan(usage_fee(), credits=described))
    version = (
        await counter.plans.GetPlanVersion(
            plan_version_pb2.GetPlanVersionRequest(plan_version_id=created.version.id), None
        )
    ).version

    assert version == created.version
    for shown, wanted in zip(version.credit_definitions, described, strict=True):
        for name in (
            "name",
            "scope",
            "application_type",
            "default_amount",
            "currency",
            "renew_on_billing",
            "renewal_rule",
            "billing_visible",
            "expires_after",
            "priority",
        ):
            assert getattr(shown, name) == getattr(wanted, name), (wanted.name, name)
        assert shown.refill_amount == (wanted.refill_amount or wanted.default_amount)
        assert shown.rollover_cap == (wanted.rollover_cap or "0")
        assert shown.basis == (wanted.basis or credit.CREDIT_BASIS_CUSTOMER)
        assert shown.HasField("metric_id") == shown.HasField("feature_id") == bool(wanted.feature)
        # What pays for everything the customer buys belongs to no plan.
        assert shown.HasField("plan_id") == (wanted.scope != credit.CREDIT_SCOPE_MERCHANT)


@pytest.mark.spec("CRD-1", "CRD-2")
async def test_credit_that_nothing_could_be_paid_with__is_refused_by_path(counter: Counter) -> None:
    euros = credit.NewCreditDefinition(
        name="Welcome",
        scope=credit.CREDIT_SCOPE_PLAN,
        application_type=MONETARY,
        currency="EUR",
        default_amount="50",
    )
    of_component = credit.NewCreditDefinition(
        name="Included",
        scope=credit.CREDIT_SCOPE_COMPONENT,
        application_type=USAGE,
        feature="calls",
        default_amount="50",
    )
    with pytest.raises(InvalidInput) as caught:
        await counter.sell(calls_plan(fee("10"), credits=[euros, of_component]))

    assert [(one.field, one.reason) for one in caught.value.violations] == [
        ("credit_definitions[0].currency", Reason.CURRENCY_MISMATCH),
        ("credit_definitions[1].scope", None),
    ]


@pytest.mark.spec("EVT-5", "CAT-2")
async def test_metric_with_filters__is_shown_as_it_was_described(counter: Counter) -> None:
    filters = [
        metric_pb2.PropertyFilter(property=f"property_{number}", operator=operator, values=values)
        for number, (operator, values) in enumerate(
            [
                (metric_pb2.FILTER_OPERATOR_EQUALS, ["eu"]),
                (metric_pb2.FILTER_OPERATOR_IN, ["a", "b"]),
                (metric_pb2.FILTER_OPERATOR_PREFIX, ["gpt-"]),
                (metric_pb2.FILTER_OPERATOR_AT_LEAST, ["0.5"]),
                (metric_pb2.FILTER_OPERATOR_LESS_THAN, ["10"]),
                (metric_pb2.FILTER_OPERATOR_EXISTS, []),
                (metric_pb2.FILTER_OPERATOR_ABSENT, []),
            ]
        )
    ]
    new = metric_pb2.NewMetric(
        slug="active-users",
        name="Active users",
        aggregation=metric_pb2.AGGREGATION_UNIQUE,
        unique_of=metric_pb2.UNIQUE_OF_USER,
        event_names=["login"],
        filters=filters,
        unit_name="user",
    )
    made = (
        await keyed(
            counter.metrics.CreateMetric, metric_service_pb2.CreateMetricRequest(metric=new)
        )
    ).metric
    got = (
        await counter.metrics.GetMetric(
            metric_service_pb2.GetMetricRequest(metric=metric_pb2.MetricRef(id=made.id)), None
        )
    ).metric

    assert got == made
    assert list(got.filters) == filters
    assert (got.unique_of, got.property) == (metric_pb2.UNIQUE_OF_USER, "")


def trial_of(parent: str, slug: str = "trial") -> plan_service_pb2.CreatePlanRequest:
    return plan_service_pb2.CreatePlanRequest(
        slug=slug,
        name="Trial",
        prices=[fee("0")],
        is_trial_plan=True,
        trial_parent_plan=plan_pb2.PlanRef(slug=parent),
        trial_days=14,
    )


@pytest.mark.spec("TRL-1", "CAT-6")
async def test_trial_plan__is_shown_with_what_it_leads_to_and_is_not_the_free_plan(
    counter: Counter,
) -> None:
    parent = await counter.sell(calls_plan(usage_fee()))
    made = await counter.sell(trial_of("calls"))
    got = await counter.shown("trial")

    assert got.plan == made.plan
    assert got.plan.is_trial_plan
    assert (got.plan.trial_parent_plan_id, got.plan.trial_days) == (parent.plan.id, 14)
    assert not parent.plan.is_trial_plan
    assert got.prices[0].free
    assert not got.plan.free


@pytest.mark.spec("TRL-1")
@pytest.mark.parametrize(
    ("parent", "reason"),
    [
        ("no-such-plan", Reason.PLAN_NOT_FOUND),
        ("another", Reason.INVALID_FIELD),
        ("first-trial", Reason.INVALID_FIELD),
        ("big", Reason.INVALID_FIELD),
    ],
    ids=["missing", "itself", "a trial", "enterprise"],
)
async def test_trial_that_leads_nowhere__is_refused_at_its_parent(
    counter: Counter, parent: str, reason: Reason
) -> None:
    await counter.sell(calls_plan(usage_fee()))
    await counter.sell(trial_of("calls", "first-trial"))
    await counter.sell(
        plan_service_pb2.CreatePlanRequest(slug="big", name="Big", is_enterprise_plan=True)
    )

    with pytest.raises(InvalidInput) as caught:
        await counter.sell(trial_of(parent, "another"))

    assert [one.field for one in caught.value.violations] == ["trial_parent_plan"]
    assert caught.value.reason is reason


@pytest.mark.spec("TRL-1")
async def test_trial_of_an_archived_plan__is_refused(
    counter: Counter, merchant: TestMerchant
) -> None:
    await counter.sell(calls_plan(usage_fee()))
    async with counter.db.writing(merchant.id) as tx:
        await tx.execute(
            "UPDATE plan SET archived_at = $2 WHERE merchant_id = $1",
            merchant.id,
            counter.clock.now(),
        )

    with pytest.raises(InvalidInput) as caught:
        await counter.sell(trial_of("calls"))

    assert caught.value.reason is Reason.PLAN_NOT_SOLD
