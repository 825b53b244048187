"""What differs between two versions, in words that people read (CAT-9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

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
    FeatureValue,
    LimitBehavior,
    LimitScope,
    MetricId,
    PlanFeature,
    PlanId,
    PlanVersionId,
)
from candela_server.catalog.rules.version_difference import Difference, Terms, version_difference

from tests.helpers.builders import EPOCH

SLUGS = {
    FeatureId("feat_1"): "advanced-analytics",
    FeatureId("feat_2"): "messages",
    FeatureId("feat_3"): "support",
}


def granted(
    feature_id: str,
    value: FeatureValue = True,
    behavior: LimitBehavior | None = None,
    scope: LimitScope = LimitScope.CUSTOMER,
) -> PlanFeature:
    return PlanFeature(
        feature_id=FeatureId(feature_id), value=value, limit_behavior=behavior, limit_scope=scope
    )


def credit(name: str, amount: str, number: int = 1) -> CreditDefinition:
    return CreditDefinition(
        id=CreditDefinitionId(f"cdef_{number}"),
        name=name,
        scope=CreditScope.PLAN,
        application_type=CreditApplicationType.USAGE,
        plan_id=PlanId("plan_1"),
        plan_version_id=PlanVersionId(f"plv_{number}"),
        price_id=None,
        component_id=None,
        feature_id=FeatureId("feat_2"),
        metric_id=MetricId("met_1"),
        default_amount=Decimal(amount),
        refill_amount=Decimal(amount),
        currency=None,
        renew_on_billing=True,
        renewal_rule=None,
        billing_visible=True,
        basis=CreditBasis.SEAT,
        expires_after=None,
        rollover_cap=Decimal(0),
        priority=0,
        created_at=EPOCH + timedelta(days=number),
    )


def terms(features: Sequence[PlanFeature] = (), credits: Sequence[CreditDefinition] = ()) -> Terms:
    return Terms(
        features=features,
        credit_definitions=credits,
        feature_slugs=SLUGS,
        metric_slugs={MetricId("met_1"): "messages-sent"},
    )


def told(before: Terms, after: Terms) -> list[tuple[str, str, str]]:
    return [(one.path, one.before, one.after) for one in version_difference(before, after)]


@pytest.mark.spec("CAT-9")
def test_feature_moved_in__is_one_line_without_its_defaults() -> None:
    got = told(terms(), terms([granted("feat_1")]))

    assert got == [("features[advanced-analytics].value", "", "true")]


@pytest.mark.spec("CAT-9")
def test_limit_and_its_behaviour_changed__are_told_apart() -> None:
    got = told(
        terms([granted("feat_2", Decimal(100)), granted("feat_1")]),
        terms(
            [
                granted("feat_1"),
                granted("feat_2", Decimal("250.50"), LimitBehavior.HARD, LimitScope.USER),
            ]
        ),
    )

    assert got == [
        ("features[messages].value", "100", "250.5"),
        ("features[messages].limit_behavior", "as the price decides", "hard"),
        ("features[messages].limit_scope", "customer", "user"),
    ]


@pytest.mark.spec("CAT-9")
def test_empty_text__is_not_the_same_as_gone() -> None:
    got = told(terms([granted("feat_3", "gold")]), terms([granted("feat_3", "")]))
    gone = told(terms([granted("feat_3", "")]), terms())

    assert got == [("features[support].value", '"gold"', '""')]
    assert gone == [("features[support].value", '""', "")]


@pytest.mark.spec("CAT-9")
def test_credits_with_another_amount__are_paired_by_name_whatever_their_ids() -> None:
    got = told(
        terms(credits=[credit("Included messages", "100", 1)]),
        terms(credits=[credit("Included messages", "200", 2)]),
    )

    assert got == [
        ("credit_definitions[Included messages].default_amount", "100", "200"),
        ("credit_definitions[Included messages].refill_amount", "100", "200"),
    ]


@pytest.mark.spec("CAT-9")
def test_credits_that_are_new__are_told_whole() -> None:
    got = told(terms(), terms(credits=[credit("Bonus [2026]", "5")]))

    path = 'credit_definitions["Bonus [2026]"]'
    assert got == [
        (f"{path}.feature", "", "messages"),
        (f"{path}.metric", "", "messages-sent"),
        (f"{path}.scope", "", "plan"),
        (f"{path}.application_type", "", "usage"),
        (f"{path}.default_amount", "", "5"),
        (f"{path}.refill_amount", "", "5"),
        (f"{path}.renew_on_billing", "", "true"),
        (f"{path}.billing_visible", "", "true"),
        (f"{path}.basis", "", "seat"),
    ]


@pytest.mark.spec("CAT-9")
def test_two_credits_of_one_name__are_told_apart_by_a_number() -> None:
    before = [credit("Bonus", "5", 1), credit("Bonus", "9", 2)]
    after = [credit("Bonus", "9", 3), replace(credit("Bonus", "5", 4), priority=7)]

    got = told(terms(credits=before), terms(credits=after))

    assert got == [("credit_definitions[Bonus].priority", "0", "7")]


FEATURES = st.lists(
    st.builds(
        granted,
        st.sampled_from([str(one) for one in SLUGS]),
        st.booleans() | st.decimals(0, 10**6, places=3) | st.text(max_size=5),
        st.none() | st.sampled_from(LimitBehavior),
        st.sampled_from(LimitScope),
    ),
    unique_by=lambda one: one.feature_id,
)
CREDITS = st.lists(
    st.builds(credit, st.sampled_from(["A", "B", "B#2", "x]"]), st.sampled_from(["1", "2", "3"]))
)
TERMS = st.builds(terms, FEATURES, CREDITS)


@pytest.mark.spec("CAT-9")
@given(TERMS, st.randoms())
def test_terms_in_another_order__do_not_differ(one: Terms, random: object) -> None:
    features, credits = list(one.features), list(one.credit_definitions)
    random.shuffle(features)  # type: ignore[attr-defined]
    random.shuffle(credits)  # type: ignore[attr-defined]

    assert version_difference(one, terms(features, credits)) == []


@pytest.mark.spec("CAT-9")
@given(TERMS, TERMS)
def test_difference_the_other_way__is_the_same_turned_round(one: Terms, other: Terms) -> None:
    there, back = version_difference(one, other), version_difference(other, one)

    assert back == [Difference(each.path, each.after, each.before) for each in there]
    assert len({each.path for each in there}) == len(there)
    assert all(each.before != each.after for each in there)
