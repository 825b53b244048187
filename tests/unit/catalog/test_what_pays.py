"""Which credits can pay for something, what is sold to whom, what is not billed yet (CRD-2, CAT-5, CAT-7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import (
    CreditApplicationType,
    CreditBasis,
    CreditDefinition,
    CreditDefinitionId,
    CreditScope,
    FeatureId,
    MetricId,
    Offer,
    PlanId,
    TrialTerms,
)
from candela_server.catalog.price import (
    AmountOff,
    Charge,
    ChargeSwitch,
    ComponentId,
    ComponentKind,
    Discount,
    DiscountDuration,
    MinimumCommitment,
    PercentageCharge,
    Price,
    PriceId,
    TimeRule,
)
from candela_server.catalog.rules.credit_shape import check_credit_pays, narrowed_to
from candela_server.catalog.rules.discount_shape import check_discounts
from candela_server.catalog.rules.not_billable_yet import what_cannot_be_billed
from candela_server.catalog.rules.plan_shape import check_public_prices, check_trial_parent
from candela_server.catalog.rules.price_on_sale import on_sale, price_for
from candela_server.catalog.rules.time_rule_shape import check_time_rules
from candela_server.kernel.errors import InvalidInput, Reason

from tests.helpers.builders import EPOCH, METRIC, component, offer, price
from tests.helpers.prices import discounts, time_rules

D = Decimal
USAGE, MONETARY = CreditApplicationType.USAGE, CreditApplicationType.MONETARY
OTHER_METRIC = MetricId("met_other")


def a_price() -> Price:
    """A fee (comp_0) and usage of METRIC (comp_1) in US dollars."""
    return price(
        component(ComponentKind.FIXED, "10"), component(ComponentKind.USAGE, "0.01", position=1)
    )


def credit(**changes: Any) -> CreditDefinition:
    """What the billing engine grants and draws today."""
    usual = CreditDefinition(
        id=CreditDefinitionId("cdef_1"),
        name="Included calls",
        scope=CreditScope.PLAN,
        application_type=USAGE,
        plan_id=PlanId("plan_1"),
        plan_version_id=None,
        price_id=None,
        component_id=None,
        feature_id=FeatureId("feat_1"),
        metric_id=METRIC,
        default_amount=D(10),
        refill_amount=D(10),
        currency=None,
        renew_on_billing=True,
        renewal_rule=None,
        billing_visible=True,
        basis=CreditBasis.CUSTOMER,
        expires_after=None,
        rollover_cap=D(0),
        priority=0,
        created_at=EPOCH,
    )
    return replace(usual, **changes)


@pytest.mark.spec("CRD-1", "CRD-2")
@pytest.mark.parametrize(
    ("kind", "scope", "currency", "metric", "wrong"),
    [
        (USAGE, CreditScope.PLAN, None, METRIC, []),
        (USAGE, CreditScope.COMPONENT, None, METRIC, []),
        # An allowance without a usage component is a hard limit; it just is no component's.
        (USAGE, CreditScope.PLAN, None, OTHER_METRIC, []),
        (USAGE, CreditScope.COMPONENT, None, OTHER_METRIC, ["scope"]),
        (MONETARY, CreditScope.PLAN, "USD", None, []),
        (MONETARY, CreditScope.PLAN, "EUR", None, ["currency"]),
        (MONETARY, CreditScope.MERCHANT, "EUR", None, []),
        (MONETARY, CreditScope.COMPONENT, "USD", None, ["scope"]),
    ],
)
def test_credit_of_a_plan__must_have_something_to_pay_for(
    kind: CreditApplicationType,
    scope: CreditScope,
    currency: str | None,
    metric: MetricId | None,
    wrong: list[str],
) -> None:
    asked: dict[str, Any] = {
        "application_type": kind,
        "scope": scope,
        "currency": currency,
        "metric_id": metric,
    }
    check_credit_pays(**asked, prices=[])  # nothing is sold yet
    try:
        check_credit_pays(**asked, prices=[a_price()])
        got = []
    except InvalidInput as error:
        got = [violation.field for violation in error.violations]

    assert got == wrong


NARROWED: list[tuple[str, dict[str, Any], ComponentId | None]] = [
    ("plan alone", {"price": None}, None),
    # S3: scope plan, and yet narrowed to a price and its component.
    ("plan, of a price", {}, ComponentId("comp_1")),
    ("plan, of a component", {"component_id": ComponentId("comp_1")}, ComponentId("comp_1")),
    ("component found by metric", {"scope": CreditScope.COMPONENT}, ComponentId("comp_1")),
    ("no component with the metric", {"metric_id": OTHER_METRIC}, None),
    (
        "money off a fee",
        {
            "application_type": MONETARY,
            "scope": CreditScope.COMPONENT,
            "currency": "USD",
            "metric_id": None,
            "component_id": ComponentId("comp_0"),
        },
        ComponentId("comp_0"),
    ),
]
MISMATCHED: list[tuple[str, dict[str, Any], str]] = [
    ("component of no price", {"price": None, "component_id": ComponentId("comp_1")}, "price_id"),
    ("price of none", {"price": None, "scope": CreditScope.PRICE}, "price_id"),
    ("price for the merchant", {"scope": CreditScope.MERCHANT}, "price_id"),
    ("component of another price", {"component_id": ComponentId("comp_9")}, "price_component_id"),
    ("component of no usage", {"component_id": ComponentId("comp_0")}, "price_component_id"),
    (
        "component of another metric",
        {"component_id": ComponentId("comp_1"), "metric_id": OTHER_METRIC},
        "price_component_id",
    ),
    (
        "no component for the scope",
        {"scope": CreditScope.COMPONENT, "metric_id": OTHER_METRIC},
        "price_component_id",
    ),
    (
        "other currency",
        {"application_type": MONETARY, "currency": "EUR", "metric_id": None},
        "credit_definition.currency",
    ),
]


def narrowed(changes: dict[str, Any]) -> ComponentId | None:
    asked: dict[str, Any] = {
        "application_type": USAGE,
        "scope": CreditScope.PLAN,
        "currency": None,
        "metric_id": METRIC,
        "price": a_price(),
        "component_id": None,
    }
    return narrowed_to(**{**asked, **changes})


@pytest.mark.spec("CRD-2", "CRD-3")
@pytest.mark.parametrize(
    ("changes", "want"), [pytest.param(changes, want, id=name) for name, changes, want in NARROWED]
)
def test_credit_that_names_ids__offsets_the_component_they_mean(
    changes: dict[str, Any], want: ComponentId | None
) -> None:
    assert narrowed(changes) == want


@pytest.mark.spec("CRD-2", "CRD-3")
@pytest.mark.parametrize(
    ("changes", "field"),
    [pytest.param(changes, field, id=name) for name, changes, field in MISMATCHED],
)
def test_credit_whose_ids_do_not_fit__is_refused_by_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        narrowed(changes)

    assert [violation.field for violation in caught.value.violations] == [field]


def aged(number: int, **changes: Any) -> Price:
    """The number-th price of a plan."""
    made = replace(a_price(), id=PriceId(f"price_{number}"))
    return replace(made, created_at=EPOCH + timedelta(days=number), **changes)


@pytest.mark.spec("CAT-5", "CAT-7")
def test_latest_of_each_currency_and_cadence__is_on_sale() -> None:
    yearly = component(ComponentKind.FIXED, "100", rule="FREQ=YEARLY")
    sold = [
        aged(1),
        aged(2, currency="EUR"),
        aged(3, components=(yearly,)),
        aged(4),
        aged(5, private_customer_id="cus_1"),
    ]

    assert {one.id for one in on_sale(sold)} == {"price_2", "price_3", "price_4"}


@pytest.mark.spec("CAT-5", "CAT-7")
@pytest.mark.parametrize(
    ("customer_id", "currency", "want"),
    [
        ("cus_2", None, "price_4"),
        ("cus_2", "EUR", "price_2"),
        ("cus_2", "GBP", None),
        ("cus_1", None, "price_3"),
        ("cus_1", "EUR", "price_2"),
    ],
    ids=["latest", "by currency", "none", "negotiated before public", "negotiated in other money"],
)
def test_customer_who_names_no_price__gets(
    customer_id: str, currency: str | None, want: str | None
) -> None:
    sold = [
        aged(1),
        aged(2, currency="EUR"),
        aged(3, private_customer_id="cus_1"),
        aged(4),
        aged(5, private_customer_id="cus_9"),
    ]
    got = price_for(sold, customer_id=customer_id, currency=currency)

    assert (got.id if got else None) == want


@pytest.mark.spec("CAT-7")
@given(st.lists(st.sampled_from([None, "cus_1", "cus_2"]), max_size=6))
def test_private_price__is_never_another_customers(holders: list[str | None]) -> None:
    sold = [aged(number, private_customer_id=holder) for number, holder in enumerate(holders)]
    got = price_for(sold, customer_id="cus_1", currency=None)

    assert got is None or got.private_customer_id in (None, "cus_1")
    assert (got is None) == (not {None, "cus_1"} & set(holders))


@pytest.mark.spec("CAT-5")
def test_two_public_prices_of_one_currency_and_cadence__are_refused_together() -> None:
    monthly, yearly = ("USD", ("FREQ=MONTHLY",)), ("USD", ("FREQ=YEARLY",))
    check_public_prices([monthly, yearly, None, None])

    with pytest.raises(InvalidInput) as caught:
        check_public_prices([monthly, yearly, None, monthly])

    assert [violation.field for violation in caught.value.violations] == ["[3]"]


@pytest.mark.spec("TRL-1")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trial": TrialTerms(parent_plan_id=PlanId("plan_2"), days=7)}, Reason.INVALID_FIELD),
        ({"is_enterprise_plan": True}, Reason.INVALID_FIELD),
        ({"archived_at": EPOCH}, Reason.PLAN_NOT_SOLD),
    ],
    ids=["trial of a trial", "enterprise", "archived"],
)
def test_plan_that_no_trial_can_lead_to__is_refused(
    changes: dict[str, Any], reason: Reason
) -> None:
    parent = offer(a_price()).plan
    check_trial_parent(parent)

    with pytest.raises(InvalidInput) as caught:
        check_trial_parent(replace(parent, **changes))

    assert caught.value.reason is reason


@pytest.mark.spec("DSL-4")
@given(st.lists(discounts(), max_size=5))
def test_discounts_that_leave_something__go_together(some: list[Discount]) -> None:
    check_discounts(some)


@pytest.mark.spec("DSL-4")
@given(st.sampled_from(ComponentKind).flatmap(time_rules), st.data())
def test_time_rules_in_order__are_accepted_and_in_another_order_refused(
    rules: tuple[TimeRule, ...], data: st.DataObject
) -> None:
    check_time_rules(rules)
    shuffled = data.draw(st.permutations(rules))
    if [rule.since for rule in shuffled] != [rule.since for rule in rules]:
        with pytest.raises(InvalidInput):
            check_time_rules(shuffled)


ONE_OFF = (Discount(off=AmountOff(amount=D(1)), duration=DiscountDuration.ONCE),)


def with_component(**changes: Any) -> Offer:
    return offer(price(replace(component(ComponentKind.USAGE, "1"), **changes)))


def with_credit(**changes: Any) -> Offer:
    return replace(offer(a_price()), credit_definitions=(credit(), credit(**changes)))


def with_price(**changes: Any) -> Offer:
    return offer(replace(a_price(), **changes))


def with_trial() -> Offer:
    trial = TrialTerms(parent_plan_id=PlanId("plan_2"), days=7)
    made = offer(a_price())
    return replace(made, plan=replace(made.plan, trial=trial))


PERCENT = Charge(model=PercentageCharge(percent=D(1)))


@pytest.mark.spec("TRL-1")
@pytest.mark.parametrize(
    ("sold", "spec_ids", "named"),
    [
        (with_trial(), "TRL-1, TRL-2", "plan 'p'"),
    ],
)
def test_offer_that_cannot_be_billed_yet__is_told_with_what_and_why(
    sold: Offer, spec_ids: str, named: str
) -> None:
    got = what_cannot_be_billed(sold)

    assert got is not None
    assert got.spec_ids == spec_ids
    assert got.what.startswith(named)


@pytest.mark.spec("DSL-3", "DSL-4", "DSL-10", "CRD-1", "CRD-2", "CRD-3", "CRD-5")
@pytest.mark.parametrize(
    "sold",
    [
        replace(offer(a_price()), credit_definitions=(credit(),)),
        with_credit(application_type=MONETARY),
        with_credit(scope=CreditScope.MERCHANT),
        with_credit(renew_on_billing=False),
        with_credit(renew_on_billing=False, renewal_rule="FREQ=DAILY"),
        with_credit(rollover_cap=D(1)),
        with_credit(renew_on_billing=False, expires_after=timedelta(days=1)),
        with_price(discounts=ONE_OFF),
        with_price(
            minimum_commitment=MinimumCommitment(amount=D(1), recurrence_rule="FREQ=YEARLY")
        ),
        with_component(discounts=ONE_OFF),
        with_component(time_rules=(TimeRule(since=1, change=ChargeSwitch.STOP),)),
        with_component(charge=PERCENT),
    ],
)
def test_offer_that_can_be_billed__is_let_through(sold: Offer) -> None:
    assert what_cannot_be_billed(sold) is None
