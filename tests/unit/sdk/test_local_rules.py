"""Local answers are the server's: the same state, the same quantity, the same answer (ENT-4, ENT-6, ENT-8)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from candela._local_rules import Origin, answer_of, decide, is_of_user, readable_quantity
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import LimitBehavior
from candela_server.catalog.price import ComponentKind
from candela_server.credit.rules.parts_over import PartsOver, Payer
from candela_server.entitlement.model import (
    Credits,
    Denial,
    FeatureState,
    FeatureTable,
    Metered,
    Snapshot,
    Source,
)
from candela_server.entitlement.rules import allowance
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.kernel.interval import Interval

from tests.helpers.builders import FEBRUARY, METRIC, component, offer, price

D = Decimal
COUNTED = offer(price(component(ComponentKind.USAGE, "1"))).metrics[METRIC]

amounts = st.decimals(min_value=0, max_value=1000, places=2)
parts = st.builds(
    PartsOver,
    st.just((Interval(FEBRUARY.start_at, FEBRUARY.start_at + timedelta(days=3)),)),
    st.lists(st.builds(Payer, amounts, st.just(0), st.integers(0, 1)), max_size=3).map(tuple),
)


@st.composite
def metered(draw: st.DrawFn) -> Metered:
    credits = draw(st.none() | amounts)
    return Metered(
        metric=COUNTED,
        window=FEBRUARY,
        limit=credits if credits is not None else draw(st.none() | amounts),
        behavior=draw(st.sampled_from(LimitBehavior)),
        credits=None if credits is None else Credits(allowance=credits, next_expiry_at=None),
        per_user=draw(st.booleans()),
        past=draw(st.none() | parts),
    )


@st.composite
def states(draw: st.DrawFn) -> FeatureState:
    return FeatureState(
        slug="calls",
        value=draw(st.booleans() | amounts | st.text(max_size=5)),
        source=draw(st.sampled_from(Source)),
        denial=draw(
            st.none()
            | st.sampled_from(
                [Denial.FEATURE_OFF, Denial.FEATURE_NOT_IN_PLAN, Denial.FEATURE_DISABLED]
            )
        ),
        holding=None,
        metered=draw(st.none() | metered()),
        valid_until=None,
    )


SNAPSHOT = Snapshot(
    customer_id=None,
    user_id=None,
    subscription_ids=(),
    features=FeatureTable({}, ()),
    revision=1,
    frozen_now=None,
    valid_until=None,
)


@pytest.mark.spec("ENT-8", "ENT-4", "ENT-6")
@given(states(), amounts, amounts, amounts | st.sampled_from([D(0), D(1)]), amounts)
def test_any_state_and_quantity__is_answered_as_the_server_decides(
    state: FeatureState, used: D, reserved: D, quantity: D, before: D
) -> None:
    told = entitlement_to_proto(
        allowance.decide(state, used=used, quantity=D(1), reserved=reserved, past=[before]),
        SNAPSHOT,
    )
    want = allowance.decide(state, used=used, quantity=quantity, reserved=reserved, past=[before])

    got = answer_of(told, quantity, origin=Origin.LOCAL)

    assert (got.entitled, got.denial_reason) == (want.entitled, want.denial or "")
    assert got.value == state.value
    assert got.source == state.source
    if want.usage is None:
        assert got.usage is None
    else:
        assert got.usage is not None
        assert (got.usage.used, got.usage.limit, got.usage.remaining, got.usage.overage) == (
            want.usage.used,
            want.usage.limit,
            want.usage.remaining,
            want.usage.overage,
        )
        assert got.usage.resets_at == want.usage.resets_at


@pytest.mark.spec("ENT-8", "ENT-4")
@given(states(), amounts)
def test_no_quantity__is_one(state: FeatureState, used: D) -> None:
    told = entitlement_to_proto(allowance.decide(state, used=used, quantity=D(1)), SNAPSHOT)

    assert decide(told) == decide(told, D(1))


@pytest.mark.spec("ENT-8", "ENT-7")
@given(states())
def test_limit_of_each_user__is_told_from_one_of_the_customer(state: FeatureState) -> None:
    told = entitlement_to_proto(allowance.decide(state, used=D(0), quantity=D(1)), SNAPSHOT)

    assert is_of_user(told) == (state.metered is not None and state.metered.per_user)


@pytest.mark.spec("ENT-8")
@pytest.mark.parametrize(
    ("quantity", "want"),
    [
        (None, None),
        (5, D(5)),
        (D("0.000000000001"), D("0.000000000001")),
        (D("1E+3"), D(1000)),
        (-1, None),
        (D("NaN"), None),
        (D("0.0000000000001"), None),
        (10**38, None),
    ],
)
def test_quantity_that_the_server_would_refuse__is_left_to_the_server(
    quantity: D | int | None, want: D | None
) -> None:
    assert readable_quantity(quantity) == want
