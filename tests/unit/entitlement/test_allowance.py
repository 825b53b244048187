"""How much is left, and whether the asked quantity still fits (ENT-4, ENT-6)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import LimitBehavior
from candela_server.catalog.price import ComponentKind
from candela_server.entitlement.model import Credits, Denial, FeatureState, Metered, Source
from candela_server.entitlement.rules.allowance import decide

from tests.helpers.builders import FEBRUARY, METRIC, component, offer, price

D = Decimal
COUNTED = offer(price(component(ComponentKind.USAGE, "1"))).metrics[METRIC]


def state(limit: str | None, behavior: LimitBehavior, *, credits: bool = False) -> FeatureState:
    return FeatureState(
        slug="calls",
        value=D(0),
        source=Source.CREDITS if credits else Source.PLAN,
        denial=None,
        holding=0,
        metered=Metered(
            metric=COUNTED,
            window=FEBRUARY,
            limit=None if limit is None else D(limit),
            behavior=behavior,
            credits=Credits(allowance=D(limit or "0"), next_expiry_at=None) if credits else None,
            per_user=False,
        ),
        valid_until=None,
    )


@pytest.mark.spec("ENT-4", "ENT-6")
@pytest.mark.parametrize(
    ("behavior", "used", "quantity", "entitled", "denial"),
    [
        (LimitBehavior.HARD, "99", "1", True, None),  # exactly fits
        (LimitBehavior.HARD, "100", "1", False, Denial.LIMIT_REACHED),
        (LimitBehavior.HARD, "99.5", "1", False, Denial.LIMIT_REACHED),
        (LimitBehavior.HARD, "100", "0", True, None),  # asks about the feature alone
        (LimitBehavior.SOFT, "500", "1", True, None),
        (LimitBehavior.OVERAGE, "500", "1", True, None),
    ],
)
def test_limit_of_100(
    behavior: LimitBehavior, used: str, quantity: str, entitled: bool, denial: Denial | None
) -> None:
    got = decide(state("100", behavior), used=D(used), quantity=D(quantity))

    assert (got.entitled, got.denial) == (entitled, denial)


@pytest.mark.spec("ENT-6")
def test_credits_used_up_without_overage__are_the_reason() -> None:
    got = decide(state("100", LimitBehavior.HARD, credits=True), used=D(100), quantity=D(1))

    assert got.denial is Denial.CREDITS_EXHAUSTED
    assert got.credits_remaining == 0


@pytest.mark.spec("ENT-4")
def test_no_limit__everything_fits() -> None:
    got = decide(state(None, LimitBehavior.HARD), used=D(10**9), quantity=D(10**9))

    assert got.entitled
    assert got.usage is not None
    assert (got.usage.limit, got.usage.remaining, got.usage.overage) == (None, None, D(0))


@pytest.mark.spec("ENT-4")
@given(
    st.decimals(min_value=0, max_value=1000, places=2),
    st.decimals(min_value=0, max_value=1000, places=2),
)
def test_used_and_remaining__add_up_to_the_limit_or_to_overage(used: D, limit: D) -> None:
    usage = decide(state(str(limit), LimitBehavior.OVERAGE), used=used, quantity=D(1)).usage

    assert usage is not None
    assert usage.remaining is not None
    assert used + usage.remaining - usage.overage == limit
    assert min(usage.remaining, usage.overage) == 0
