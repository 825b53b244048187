"""What wins: override, plan, default; and why nothing did (ENT-3)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.entitlement.model import Denial, Source, Value
from candela_server.entitlement.rules.precedence import Access, Held, value_in_force

from tests.helpers.builders import EPOCH as NOW


def held(
    name: str = "sub_1",
    *,
    plan: Value | None = None,
    override: Value | None = None,
    until_days: int | None = None,
    access: Access = Access.FULL,
) -> Held:
    return Held(
        subscription_id=name,
        access=access,
        plan_value=plan,
        override_value=override,
        override_until=None if until_days is None else NOW + timedelta(days=until_days),
    )


@pytest.mark.spec("ENT-3", "ENT-2", "ENT-6", "ENT-10", "ENT-11")
@pytest.mark.parametrize(
    ("holdings", "default", "want"),
    [
        ([held(plan=True)], False, (True, Source.PLAN, None)),
        ([held(plan=True, override=False)], False, (False, Source.OVERRIDE, Denial.FEATURE_OFF)),
        ([held(plan=False, override=True)], False, (True, Source.OVERRIDE, None)),
        ([held(plan=False, override=True, until_days=7)], False, (True, Source.OVERRIDE, None)),
        ([held(plan=False, override=True, until_days=0)], False, (False, Source.PLAN, Denial.FEATURE_OFF)),
        ([held()], False, (False, Source.DEFAULT, Denial.FEATURE_NOT_IN_PLAN)),
        ([held()], True, (True, Source.DEFAULT, None)),
        ([], False, (False, Source.DEFAULT, Denial.NO_ACTIVE_SUBSCRIPTION)),
        ([], True, (True, Source.DEFAULT, None)),
        ([held(plan=True, access=Access.PAUSED)], False, (False, Source.DEFAULT, Denial.SUBSCRIPTION_PAUSED)),
        ([held(plan=True, access=Access.PAST_DUE)], False, (False, Source.DEFAULT, Denial.SUBSCRIPTION_PAST_DUE)),
        ([held("a", plan=Decimal(5)), held("b", plan=Decimal(9))], Decimal(0), (Decimal(9), Source.PLAN, None)),
        ([held("a", plan="gold"), held("b", plan="")], "", ("gold", Source.PLAN, None)),
        ([held("a", plan="gold"), held("b", plan="silver")], "", ("silver", Source.PLAN, None)),
        ([held("a", override="gold"), held("b", plan="silver")], "", ("gold", Source.OVERRIDE, None)),
        ([held("a", override=""), held("b", plan="silver")], "", ("silver", Source.PLAN, None)),
        ([held("a", override="gold"), held("b", override="silver")], "", ("silver", Source.OVERRIDE, None)),
    ],
)  # fmt: skip
def test_precedence_table(holdings: list[Held], default: Value, want: tuple[object, ...]) -> None:
    got = value_in_force(default, holdings, disabled=False, now=NOW)

    assert (got.value, got.source, got.denial) == want


@pytest.mark.spec("ENT-11")
def test_disabled_feature__is_denied_whatever_is_held() -> None:
    got = value_in_force(False, [held(plan=True, override=True)], disabled=True, now=NOW)

    assert (got.value, got.denial) == (False, Denial.FEATURE_DISABLED)


@pytest.mark.spec("ENT-3")
def test_override_that_ends__says_until_when_the_answer_holds() -> None:
    got = value_in_force(False, [held(override=True, until_days=7)], disabled=False, now=NOW)

    assert got.valid_until == NOW + timedelta(days=7)


@pytest.mark.spec("ENT-3")
def test_equal_values__the_older_subscription_answers() -> None:
    got = value_in_force(
        False, [held("sub_b", plan=True), held("sub_a", plan=True)], disabled=False, now=NOW
    )

    assert got.subscription_id == "sub_a"


HOLDINGS = st.lists(
    st.builds(
        held,
        st.sampled_from(["sub_a", "sub_b", "sub_c"]),
        plan=st.none() | st.integers(-2, 5).map(Decimal),
        override=st.none() | st.integers(-2, 5).map(Decimal),
        until_days=st.none() | st.integers(-1, 1),
        access=st.sampled_from(Access),
    ),
    max_size=4,
    unique_by=lambda one: one.subscription_id,
)


@pytest.mark.spec("ENT-3")
@given(HOLDINGS, st.randoms())
def test_several_subscriptions__the_most_generous_wins_in_whatever_order(
    holdings: list[Held], chance: object
) -> None:
    shuffled = list(holdings)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    got = value_in_force(Decimal(0), holdings, disabled=False, now=NOW)

    offered = [
        one.override_value
        if one.override_value is not None
        and one.access is Access.FULL
        and (one.override_until is None or one.override_until > NOW)
        else one.plan_value
        for one in holdings
        if one.access in (Access.FULL, Access.REDUCED)
    ]
    values = [value for value in offered if value is not None]
    assert got == value_in_force(Decimal(0), shuffled, disabled=False, now=NOW)
    assert got.value == (max(values) if values else 0)
    assert (got.source is Source.DEFAULT) == (not values)
