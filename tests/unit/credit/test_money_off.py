"""Which charges monetary credit pays for (CRD-8, CRD-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
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
    PlanId,
)
from candela_server.catalog.price import ComponentId, PriceId
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.money_off import MoneyOff, Owed, money_off
from candela_server.kernel.money import format_decimal

from tests.helpers.builders import EPOCH, day, grant

D = Decimal
JANUARY, FEBRUARY = day(2026, 1, 1), day(2026, 2, 1)


def definition(
    scope: CreditScope, *, price_id: str | None = None, component_id: str | None = None
) -> CreditDefinition:
    return CreditDefinition(
        id=CreditDefinitionId(f"cdef_{scope}"),
        name="Included",
        scope=scope,
        application_type=CreditApplicationType.MONETARY,
        plan_id=PlanId("pro"),
        plan_version_id=None,
        price_id=PriceId(price_id) if price_id else None,
        component_id=ComponentId(component_id) if component_id else None,
        feature_id=None,
        metric_id=None,
        default_amount=D(1),
        refill_amount=D(1),
        currency="USD",
        renew_on_billing=True,
        renewal_rule=None,
        billing_visible=True,
        basis=CreditBasis.CUSTOMER,
        expires_after=None,
        rollover_cap=D(0),
        priority=0,
        created_at=EPOCH,
    )


DEFINITIONS = {
    one.id: one
    for one in (
        definition(CreditScope.COMPONENT, price_id="monthly", component_id="seats"),
        definition(CreditScope.PRICE, price_id="monthly"),
        definition(CreditScope.PLAN),
    )
}


def dollars(
    name: str,
    balance: str,
    scope: CreditScope = CreditScope.MERCHANT,
    *,
    currency: str = "USD",
    expires_at: datetime | None = None,
    effective_at: datetime = EPOCH,
) -> CreditGrant:
    own = scope is not CreditScope.MERCHANT
    return replace(
        grant(name, balance=balance, scope=scope, expires_at=expires_at, effective_at=effective_at),
        application_type=CreditApplicationType.MONETARY,
        metric_id=None,
        currency=currency,
        subscription_id="sub_1" if own else None,
        definition_id=CreditDefinitionId(f"cdef_{scope}") if own else None,
        component_id=ComponentId("seats") if scope is CreditScope.COMPONENT else None,
    )


def charge(
    line_id: str,
    amount: str,
    *,
    component_id: str = "seats",
    begins_at: datetime = FEBRUARY,
    **other: str,
) -> Owed:
    where = {"subscription_id": "sub_1", "plan_id": "pro", "price_id": "monthly", **other}
    return Owed(
        line_id=line_id,
        amount=D(amount),
        component_id=component_id,
        begins_at=begins_at,
        **where,
    )


def off(
    grants: list[CreditGrant], owed: list[Owed], currency: str = "USD"
) -> list[tuple[str, str, str]]:
    taken = money_off(grants, DEFINITIONS, owed, currency=currency, made_at=FEBRUARY)
    return [(one.grant_id, one.line_id, format_decimal(one.amount)) for one in taken]


@pytest.mark.spec("CRD-8", "CRD-2")
def test_waterfall__goes_from_the_component_to_the_merchant() -> None:
    grants = [
        dollars("merchant", "100"),
        dollars("plan", "10", CreditScope.PLAN),
        dollars("price", "20", CreditScope.PRICE),
        dollars("component", "5", CreditScope.COMPONENT),
    ]
    owed = [charge("calls", "12", component_id="calls"), charge("seats", "30")]

    # 42 are owed. The component's 5: seats 25. The price's 20: calls 12, seats 8 (17 left). The plan's 10: seats 10
    # (7 left). The merchant's 100: the last 7.
    assert off(grants, owed) == [
        ("component", "seats", "5"),
        ("price", "calls", "12"),
        ("price", "seats", "8"),
        ("plan", "seats", "10"),
        ("merchant", "seats", "7"),
    ]


@pytest.mark.spec("CRD-2", "CRD-1")
def test_other_subscription_price_or_currency__is_paid_by_the_merchants_credit_alone() -> None:
    grants = [
        dollars("component", "5", CreditScope.COMPONENT),
        dollars("price", "5", CreditScope.PRICE),
        dollars("plan", "5", CreditScope.PLAN),
        dollars("merchant", "100"),
        dollars("euros", "100", currency="EUR"),
    ]

    assert off(grants, [charge("a", "9", subscription_id="sub_2")]) == [("merchant", "a", "9")]
    assert off(grants, [charge("b", "9", price_id="yearly", component_id="x")]) == [
        ("plan", "b", "5"),
        ("merchant", "b", "4"),
    ]
    assert off(grants, [charge("c", "9")], currency="EUR") == [("euros", "c", "9")]


@pytest.mark.spec("CRD-8", "CRD-5")
def test_credit_of_a_period_that_is_over__pays_for_that_period_and_not_for_the_next() -> None:
    grants = [
        dollars("february", "60", CreditScope.PLAN, effective_at=FEBRUARY),
        dollars("january", "11", CreditScope.PLAN, effective_at=JANUARY, expires_at=FEBRUARY),
        dollars("march", "60", CreditScope.PLAN, effective_at=day(2026, 3, 1)),
    ]
    owed = [
        charge("february's fee", "49"),
        charge("january's calls", "30", component_id="calls", begins_at=JANUARY),
    ]

    # January's 11 are for January's calls alone, 19 are left; February's 60 pay the fee of 49 and 11 of the calls
    assert off(grants, owed) == [
        ("january", "january's calls", "11"),
        ("february", "february's fee", "49"),
        ("february", "january's calls", "11"),
    ]


@pytest.mark.spec("CRD-8", "INV-8")
def test_parts_of_a_minor_unit__stay_in_the_grant() -> None:
    assert off([dollars("odd", "10.009")], [charge("seats", "30")]) == [("odd", "seats", "10")]
    assert off([dollars("yen", "10.9", currency="JPY")], [charge("seats", "30")], "JPY") == [
        ("yen", "seats", "10")
    ]


CENTS = st.integers(0, 20_000).map(lambda cents: D(cents) / 100)


@pytest.mark.spec("CRD-8", "CRD-4")
@given(
    st.lists(
        st.builds(
            lambda number, scope, cents, days: dollars(
                f"{number}",
                str(cents),
                scope,
                expires_at=None if days is None else EPOCH + timedelta(days=days),
            ),
            st.uuids().map(str),
            st.sampled_from(CreditScope),
            CENTS,
            st.none() | st.integers(1, 100_000),
        ),
        max_size=6,
    ),
    st.lists(
        st.builds(
            lambda number, cents, component: replace(
                charge(f"{number}", "0", component_id=component), amount=cents
            ),
            st.uuids().map(str),
            CENTS,
            st.sampled_from(["seats", "calls"]),
        ),
        max_size=5,
    ),
    st.randoms(),
)
def test_money_off__never_exceeds_a_grant_or_a_charge_and_ignores_the_order_of_reading(
    grants: list[CreditGrant], owed: list[Owed], chance: object
) -> None:
    got = money_off(grants, DEFINITIONS, owed, currency="USD", made_at=FEBRUARY)
    shuffled = list(grants)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]

    def total(taken: list[MoneyOff]) -> Decimal:
        return sum((one.amount for one in taken), D(0))

    assert all(one.amount > 0 for one in got)
    for paying in grants:
        assert total([one for one in got if one.grant_id == paying.id]) <= paying.balance
    for paid in owed:
        assert total([one for one in got if one.line_id == paid.line_id]) <= paid.amount
    general = [
        one for one in grants if one.scope is CreditScope.MERCHANT and one.expires_at is None
    ]
    least = min(
        sum((one.amount for one in owed), D(0)), sum((one.balance for one in general), D(0))
    )
    assert total(got) >= least
    assert money_off(shuffled, DEFINITIONS, owed, currency="USD", made_at=FEBRUARY) == got
