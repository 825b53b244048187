"""What a pricing table may list, and what it says of prices, credits and addresses (PUB-1, CAT-5, CAT-7)."""

from __future__ import annotations

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
    Plan,
    PlanId,
    PlanVersionId,
)
from candela_server.catalog.price import ComponentKind, Price, PriceId
from candela_server.catalog.pricing_table import CreditAllowance, PricingTableRow
from candela_server.catalog.rules.credit_allowance import credit_allowance
from candela_server.catalog.rules.current_price import current_prices
from candela_server.catalog.rules.redirect_url import https_url
from candela_server.catalog.rules.table_rows import check_rows
from candela_server.kernel.errors import InvalidInput, Reason

from tests.helpers.builders import EPOCH, component, price

D = Decimal
API = FeatureId("feat_api")
MONTHLY, YEARLY = PriceId("price_monthly"), PriceId("price_yearly")


def plan(name: str, *, enterprise: bool = False, public: bool = True) -> Plan:
    return Plan(
        id=PlanId(name),
        slug=name,
        name=name,
        description="",
        current_version_id=PlanVersionId("plv_1"),
        is_enterprise_plan=enterprise,
        publicly_visible=public,
        created_at=EPOCH,
    )


def row(name: str, url: str = "") -> PricingTableRow:
    return PricingTableRow(plan_id=PlanId(name), popular=False, enterprise_redirect_url=url)


def definition(
    refill: str,
    *,
    default: str = "7",
    basis: CreditBasis = CreditBasis.CUSTOMER,
    price_id: PriceId | None = None,
    renew_on_billing: bool = True,
    feature_id: FeatureId = API,
) -> CreditDefinition:
    return CreditDefinition(
        id=CreditDefinitionId("cdef_1"),
        name="Included",
        scope=CreditScope.PLAN,
        application_type=CreditApplicationType.USAGE,
        plan_id=PlanId("plan_1"),
        plan_version_id=PlanVersionId("plv_1"),
        price_id=price_id,
        component_id=None,
        feature_id=feature_id,
        metric_id=None,
        default_amount=D(default),
        refill_amount=D(refill),
        currency=None,
        renew_on_billing=renew_on_billing,
        renewal_rule=None,
        billing_visible=True,
        basis=basis,
        expires_after=None,
        rollover_cap=D(0),
        priority=0,
        created_at=EPOCH,
    )


@pytest.mark.spec("PUB-1", "CAT-1", "CAT-7")
def test_rows_that_cannot_be_shown__are_all_named_by_path() -> None:
    plans = {
        one.id: one
        for one in (
            plan("free"),
            plan("enterprise", enterprise=True),
            plan("hidden", public=False),
            replace(plan("old"), archived_at=EPOCH),
        )
    }
    sales = "https://example.com/sales"
    rows = [
        row("free"),
        row("enterprise", sales),
        row("nobody"),
        row("hidden"),
        row("old"),
        row("free", sales),
    ]
    with pytest.raises(InvalidInput) as caught:
        check_rows("rows", rows, plans)

    assert [(one.field, one.reason) for one in caught.value.violations] == [
        ("rows[2].plan_id", Reason.PLAN_NOT_FOUND),
        ("rows[3].plan_id", None),
        ("rows[4].plan_id", None),
        ("rows[5].plan_id", None),
        ("rows[5].enterprise_redirect_url", None),
    ]
    assert "rows[0]" in caught.value.violations[3].description
    check_rows("rows", rows[:2], plans)


@pytest.mark.spec("PUB-1")
def test_only_unknown_plans__fail_with_plan_not_found() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_rows("rows.values", [row("nobody")], {})

    assert caught.value.reason is Reason.PLAN_NOT_FOUND
    assert [one.field for one in caught.value.violations] == ["rows.values[0].plan_id"]


@pytest.mark.spec("PUB-1")
@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/contact?plan=enterprise#form",
        "https://example.com:8443/",
        "https://[2001:db8::1]/sales",
    ],
)
def test_https_address__is_taken_as_it_is(url: str) -> None:
    assert https_url(url) == url


@pytest.mark.spec("PUB-1")
@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "javascript:alert(1)",
        "HTTPS://example.com",
        "https:example.com",
        "https://",
        "https:///sales",
        "//example.com",
        "https://user:secret@example.com/",
        "https://example.com\\@evil.example",
        "https://example.com/a b",
        "https://example.com/\n",
        "https://exämple.com/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/" + "a" * 2000,
    ],
)
def test_other_address__is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        https_url(url)


def sold(name: str, amount: str, *, rule: str = "FREQ=MONTHLY", currency: str = "USD") -> Price:
    made = price(component(ComponentKind.FIXED, amount, rule=rule), currency=currency)
    return replace(made, id=PriceId(name))


@pytest.mark.spec("CAT-5", "CAT-7")
def test_current_prices__are_the_latest_public_ones_per_currency_and_interval() -> None:
    day = timedelta(days=1)
    old, new = sold("old", "40"), replace(sold("new", "49"), created_at=EPOCH + day)
    yearly, euro = sold("yearly", "490", rule="FREQ=YEARLY"), sold("euro", "45", currency="EUR")
    private = replace(sold("private", "1"), created_at=EPOCH + 2 * day, private_customer_id="cus_1")
    archived = replace(sold("gone", "2"), created_at=EPOCH + 3 * day, archived_at=EPOCH + 4 * day)

    got = current_prices([private, new, archived, euro, yearly, old])

    assert {one.id for one in got} == {"new", "yearly", "euro"}


@pytest.mark.spec("CAT-5")
@given(st.permutations([sold(f"p{n}", str(n)) for n in range(5)]))
def test_current_prices__do_not_depend_on_the_order_of_reading(prices: list[Price]) -> None:
    assert [one.id for one in current_prices(prices)] == ["p4"]


@pytest.mark.spec("PUB-1", "CRD-3")
def test_allowance__is_what_comes_anew_with_each_period() -> None:
    other = definition("5", feature_id=FeatureId("feat_other"))
    once = definition("300", renew_on_billing=False)

    got = credit_allowance([definition("100"), definition("20"), once, other], API, [])

    assert got == CreditAllowance(amount=D(120), per_seat=False)
    assert credit_allowance([once, other, definition("0")], API, []) is None


@pytest.mark.spec("PUB-1", "CRD-3")
def test_allowance_per_seat__says_so_and_yields_to_one_per_customer() -> None:
    seats = definition("100", basis=CreditBasis.SEAT)

    assert credit_allowance([seats], API, []) == CreditAllowance(amount=D(100), per_seat=True)
    assert credit_allowance([seats, definition("50")], API, []) == CreditAllowance(
        amount=D(50), per_seat=False
    )


@pytest.mark.spec("PUB-1", "CRD-3")
def test_allowance_of_one_price__is_shown_when_that_price_is_on_sale() -> None:
    monthly, yearly = (
        definition("10000", price_id=MONTHLY),
        definition("120000", price_id=YEARLY),
    )

    assert credit_allowance([yearly, monthly], API, [MONTHLY, YEARLY]) == CreditAllowance(
        amount=D(10000), per_seat=False
    )
    assert credit_allowance([yearly], API, [MONTHLY, YEARLY]) == CreditAllowance(
        amount=D(120000), per_seat=False
    )
    assert credit_allowance([yearly], API, [MONTHLY]) is None
