"""What a metered feature is for a customer: which subscription decides, and how its use is bounded (ENT-3, ENT-4)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from candela_server.catalog.model import FeatureType, LimitBehavior
from candela_server.entitlement.model import Denial, FeatureState, Metered, Source
from candela_server.entitlement.rules.allowance import decide

from tests.helpers.builders import EPOCH as NOW
from tests.helpers.builders import grant
from tests.helpers.holdings import Terms, holding, plan_grant, resolved, usage_feature

HARD, SOFT, OVERAGE = LimitBehavior.HARD, LimitBehavior.SOFT, LimitBehavior.OVERAGE
MONTH_END = NOW + timedelta(days=31)


def terms_of(state: FeatureState) -> Metered:
    assert state.metered is not None
    return state.metered


def entitled(state: FeatureState, used: int) -> bool:
    return decide(state, used=Decimal(used), quantity=Decimal(1)).entitled


@pytest.mark.spec("ENT-3", "ENT-4")
@pytest.mark.parametrize("order", [("sub_a", "sub_b"), ("sub_b", "sub_a")])
def test_two_subscriptions_with_credits__the_larger_allowance_wins_whichever_is_older(
    order: tuple[str, str],
) -> None:
    small, large = order
    grants = [
        plan_grant("g_small", small, "100", until=MONTH_END),
        plan_grant("g_large", large, "10000", until=MONTH_END),
    ]
    holdings = [holding(name, Terms(with_credits=True)) for name in sorted(order)]

    got = resolved(holdings, grants)

    assert holdings[got.holding or 0].subscription.id == large
    assert terms_of(got).limit == 10_000
    assert entitled(got, 5_000)


@pytest.mark.spec("ENT-3", "ENT-4")
@pytest.mark.parametrize("lenient", [SOFT, OVERAGE])
def test_limit_that_refuses_nothing__is_more_generous_than_a_higher_one_that_does(
    lenient: LimitBehavior,
) -> None:
    got = resolved(
        [
            holding("sub_a", Terms(value=Decimal(200), behavior=HARD)),
            holding("sub_b", Terms(value=Decimal(100), behavior=lenient)),
        ]
    )

    assert (got.value, terms_of(got).behavior) == (100, lenient)
    assert entitled(got, 300)


@pytest.mark.spec("ENT-3", "ENT-4")
def test_number_beside_anothers_credits__the_larger_of_both_wins() -> None:
    number, credits = Terms(value=Decimal(50)), Terms(with_credits=True)
    grants = [plan_grant("g", "sub_b", "80", until=MONTH_END)]

    got = resolved([holding("sub_a", number), holding("sub_b", credits)], grants)
    none_left = resolved([holding("sub_a", number), holding("sub_b", credits)])

    assert (terms_of(got).limit, got.source) == (80, Source.CREDITS)
    assert (terms_of(none_left).limit, none_left.source) == (50, Source.PLAN)


@pytest.mark.spec("ENT-4")
@pytest.mark.parametrize(
    ("terms", "denial"),
    [
        (Terms(priced=True), None),
        (Terms(behavior=SOFT), None),
        (Terms(priced=True, behavior=HARD), Denial.FEATURE_OFF),
        (Terms(), Denial.FEATURE_OFF),
        (Terms(value=None, priced=True), Denial.FEATURE_NOT_IN_PLAN),
        (Terms(priced=True, override=Decimal(0)), Denial.FEATURE_OFF),
    ],
)
def test_number_of_zero__is_granted_where_use_beyond_it_is_billed_or_let_pass(
    terms: Terms, denial: Denial | None
) -> None:
    got = resolved([holding("sub_a", terms)])

    assert got.denial is denial
    assert entitled(got, 7) is (denial is None)


@pytest.mark.spec("ENT-4")
def test_pay_as_you_go__says_that_all_use_is_beyond_what_is_included() -> None:
    got = decide(
        resolved([holding("sub_a", Terms(priced=True))]), used=Decimal(7), quantity=Decimal(1)
    )

    assert got.usage is not None
    assert (got.usage.limit, got.usage.remaining, got.usage.overage) == (0, 0, 7)


@pytest.mark.spec("CAT-8", "SUB-8", "ENT-3")
@pytest.mark.parametrize("number", ["50", "5000"])
def test_override_of_a_feature_with_credits__takes_the_place_of_the_plans_credits(
    number: str,
) -> None:
    terms = Terms(with_credits=True, override=Decimal(number))
    grants = [plan_grant("g", "sub_a", "100", until=MONTH_END)]

    got = resolved([holding("sub_a", terms)], grants)

    assert (got.source, got.value, got.denial) == (Source.OVERRIDE, Decimal(number), None)
    assert (terms_of(got).limit, terms_of(got).credits) == (Decimal(number), None)
    assert [entitled(got, int(number) - 1), entitled(got, int(number))] == [True, False]


@pytest.mark.spec("CAT-8", "SUB-8", "CRD-10")
def test_override_beside_a_gift__the_gift_comes_on_top() -> None:
    terms = Terms(with_credits=True, override=Decimal(5_000))
    grants = [plan_grant("g", "sub_a", "100", until=MONTH_END), grant("gift", balance="20")]

    got = resolved([holding("sub_a", terms)], grants)
    answer = decide(got, used=Decimal(5_010), quantity=Decimal(1))

    assert terms_of(got).limit == 5_020
    assert (answer.entitled, answer.credits_remaining) == (True, 10)


@pytest.mark.spec("CAT-8", "SUB-8")
@pytest.mark.parametrize(
    ("kind", "no"), [(FeatureType.NUMBER, Decimal(0)), (FeatureType.BOOLEAN, False)]
)
def test_override_that_says_no__denies_whatever_credit_there_is(
    kind: FeatureType, no: Decimal | bool
) -> None:
    default = Decimal(0) if kind is FeatureType.NUMBER else False
    terms = Terms(value=default, with_credits=True, override=no)
    grants = [plan_grant("g", "sub_a", "100", until=MONTH_END), grant("pack", balance="20")]

    got = resolved([holding("sub_a", terms)], grants, feature=usage_feature(kind, default))

    assert (got.source, got.denial) == (Source.OVERRIDE, Denial.FEATURE_OFF)
    assert not entitled(got, 0)


@pytest.mark.spec("SUB-8", "ENT-4")
def test_override_that_says_yes__leaves_it_to_the_credits_how_much() -> None:
    terms = Terms(value=False, with_credits=True, override=True)
    grants = [plan_grant("g", "sub_a", "100", until=MONTH_END)]

    got = resolved(
        [holding("sub_a", terms)], grants, feature=usage_feature(FeatureType.BOOLEAN, False)
    )

    assert (got.denial, terms_of(got).limit, got.source) == (None, 100, Source.CREDITS)


@pytest.mark.spec("SUB-8", "ENT-3")
def test_override_that_is_over__gives_the_credits_back() -> None:
    terms = Terms(with_credits=True, override=Decimal(5), override_until=NOW + timedelta(days=1))
    grants = [plan_grant("g", "sub_a", "100", until=MONTH_END)]

    during = resolved([holding("sub_a", terms)], grants)
    after = resolved([holding("sub_a", terms)], grants, now=NOW + timedelta(days=1))

    assert (terms_of(during).limit, during.valid_until) == (5, NOW + timedelta(days=1))
    assert (terms_of(after).limit, after.source) == (100, Source.CREDITS)
