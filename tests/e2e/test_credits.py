"""Credits as a merchant gives, sees and takes them, over real gRPC (CRD-4, CRD-10)."""

from __future__ import annotations

import grpc
import pytest
from candela import Client, failure_of
from candela.billing.v1 import invoice_line_pb2, invoice_service_pb2
from candela.catalog.v1 import credit_definition_pb2, feature_pb2
from candela.credit.v1 import credit_pb2, credit_service_pb2
from candela.customer.v1 import customer_pb2
from candela.entitlement.v1 import entitlement_service_pb2
from candela.type.v1 import error_reason_pb2, money_pb2

from demo.team_plan import sign_up, subscribe
from tests.helpers.fresh_plan import fresh_plan
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer, create_merchant_by_command

USAGE = credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE
MONETARY = credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY


@pytest.fixture
def holder(candela: Client) -> customer_pb2.CustomerRef:
    """A customer with 2 seats: 200 premium messages and 2,000 cheap ones."""
    plan = fresh_plan()
    candela.plans.CreatePlan(plan)
    customer = sign_up(candela, fresh("acme"), {})
    subscribe(candela, customer.id, plan.slug, 2)
    return customer_pb2.CustomerRef(id=customer.id)


def balances(candela: Client, holder: customer_pb2.CustomerRef) -> dict[str, tuple[str, str]]:
    got = candela.credits.GetBalance(credit_service_pb2.GetBalanceRequest(customer=holder))
    return {
        one.feature_slug.partition("-")[0]: (one.granted, one.balance)
        for one in got.feature_balances
    }


def premium_of(
    candela: Client, holder: customer_pb2.CustomerRef
) -> tuple[str, credit_pb2.CreditGrant]:
    """The slug of the premium messages, and the grant that came with the plan."""
    got = candela.credits.GetBalance(credit_service_pb2.GetBalanceRequest(customer=holder))
    slug = next(
        one.feature_slug for one in got.feature_balances if one.feature_slug.startswith("premium")
    )
    grants = candela.credits.ListGrants(
        credit_service_pb2.ListGrantsRequest(customer=holder)
    ).grants
    return slug, next(grant for grant in grants if grant.amount == "200")


def remaining(candela: Client, holder: customer_pb2.CustomerRef, slug: str) -> str:
    answer = candela.entitlements.Check(
        entitlement_service_pb2.CheckRequest(customer_id=holder.id, feature=slug)
    )
    return answer.entitlement.credit_info.remaining


@pytest.mark.spec("CRD-10", "CRD-4", "AUD-2")
def test_given_by_hand_and_taken_back__the_next_check_knows_each_time(
    candela: Client, holder: customer_pb2.CustomerRef
) -> None:
    slug, of_plan = premium_of(candela, holder)
    gift = credit_service_pb2.GrantCreditsRequest(
        idempotency_key=fresh("gift"),
        customer=holder,
        application_type=USAGE,
        feature=feature_pb2.FeatureRef(slug=slug),
        amount="50",
        reason="for the outage",
    )
    seen = [remaining(candela, holder, slug)]

    given = candela.credits.GrantCredits(gift).grant
    again = candela.credits.GrantCredits(gift).grant
    seen.append(remaining(candela, holder, slug))
    candela.credits.AdjustGrant(
        credit_service_pb2.AdjustGrantRequest(grant_id=given.id, amount="-20", reason="too much")
    )
    seen.append(remaining(candela, holder, slug))
    candela.credits.RevokeGrant(
        credit_service_pb2.RevokeGrantRequest(grant_id=of_plan.id, reason="given by mistake")
    )
    seen.append(remaining(candela, holder, slug))

    assert given == again
    assert seen == ["200", "250", "230", "30"]
    assert balances(candela, holder)["premium"] == ("250", "30")
    history = candela.credits.ListCreditTransactions(
        credit_service_pb2.ListCreditTransactionsRequest(customer=holder, grant_id=of_plan.id)
    ).credit_transactions
    assert [(one.kind, one.amount, one.reason) for one in history] == [
        (credit_pb2.CREDIT_TRANSACTION_KIND_GRANT, "200", ""),
        (credit_pb2.CREDIT_TRANSACTION_KIND_REVOKE, "-200", "given by mistake"),
    ]


@pytest.mark.spec("CRD-10", "CRD-1")
def test_money_by_hand__is_in_the_balance_and_more_than_is_left_is_refused(
    candela: Client, holder: customer_pb2.CustomerRef
) -> None:
    given = candela.credits.GrantCredits(
        credit_service_pb2.GrantCreditsRequest(
            customer=holder,
            application_type=MONETARY,
            currency="USD",
            amount="12.50",
            funding=credit_pb2.CREDIT_FUNDING_PROMOTION,
            reason="spring",
        )
    ).grant

    with pytest.raises(grpc.RpcError) as caught:
        candela.credits.AdjustGrant(
            credit_service_pb2.AdjustGrantRequest(grant_id=given.id, amount="-13", reason="no")
        )

    got = candela.credits.GetBalance(credit_service_pb2.GetBalanceRequest(customer=holder))
    assert [(one.currency, one.amount) for one in got.monetary_balances] == [("USD", "12.5")]
    failure = failure_of(caught.value)
    assert failure.code is grpc.StatusCode.FAILED_PRECONDITION
    assert failure.reason == error_reason_pb2.ErrorReason.Name(
        error_reason_pb2.ERROR_REASON_GRANT_INSUFFICIENT
    )


@pytest.mark.spec("CRD-9", "AUD-2")
def test_pack_ordered_and_paid__is_there_for_the_next_check(
    candela: Client, holder: customer_pb2.CustomerRef
) -> None:
    slug, _ = premium_of(candela, holder)
    order = credit_service_pb2.TopUpCreditsRequest(
        idempotency_key=fresh("pack"),
        customer=holder,
        feature=feature_pb2.FeatureRef(slug=slug),
        amount="500",
        price=money_pb2.Money(currency="USD", amount="75"),
    )
    bought = candela.credits.TopUpCredits(order)
    again = candela.credits.TopUpCredits(order)
    order.idempotency_key += "-2"
    with pytest.raises(grpc.RpcError) as caught:
        candela.credits.TopUpCredits(order)
    seen = [remaining(candela, holder, slug)]

    candela.invoices.MarkInvoicePaid(
        invoice_service_pb2.MarkInvoicePaidRequest(invoice_id=bought.invoice_id)
    )
    seen.append(remaining(candela, holder, slug))
    invoice = candela.invoices.GetInvoice(
        invoice_service_pb2.GetInvoiceRequest(invoice_id=bought.invoice_id)
    ).invoice

    failure = failure_of(caught.value)
    assert bought == again
    assert invoice.subscription_id == ""
    assert [(line.kind, line.quantity, line.amount.amount) for line in invoice.lines] == [
        (invoice_line_pb2.LINE_KIND_TOP_UP, "500", "75")
    ]
    assert failure.code is grpc.StatusCode.FAILED_PRECONDITION
    assert failure.metadata["invoice_id"] == bought.invoice_id
    assert (bought.grant.balance, seen) == ("0", ["200", "700"])


@pytest.mark.spec("CRD-9")
def test_auto_top_up__is_set_shown_and_refused_with_every_wrong_field(
    candela: Client, holder: customer_pb2.CustomerRef
) -> None:
    slug, _ = premium_of(candela, holder)
    feature = feature_pb2.FeatureRef(slug=slug)
    asked = credit_service_pb2.GetAutoTopUpRequest(customer=holder, feature=feature)
    before = candela.credits.GetAutoTopUp(asked)
    setting = credit_service_pb2.AutoTopUp(
        enabled=True,
        feature=feature,
        threshold="20",
        amount="100",
        price=money_pb2.Money(currency="USD", amount="15"),
        monthly_cap_count=3,
    )
    made = candela.credits.UpdateAutoTopUp(
        credit_service_pb2.UpdateAutoTopUpRequest(customer=holder, auto_top_up=setting)
    ).auto_top_up
    wrong = credit_service_pb2.AutoTopUp(
        threshold="-1",
        amount="0",
        price=money_pb2.Money(currency="USD", amount="0.001"),
        monthly_cap_count=101,
    )
    with pytest.raises(grpc.RpcError) as caught:
        candela.credits.UpdateAutoTopUp(
            credit_service_pb2.UpdateAutoTopUpRequest(customer=holder, auto_top_up=wrong)
        )

    assert not before.HasField("auto_top_up")
    assert (made.enabled, made.threshold, made.amount, made.monthly_cap_count) == (
        True,
        "20",
        "100",
        3,
    )
    assert candela.credits.GetAutoTopUp(asked).auto_top_up == made
    assert {one.field for one in failure_of(caught.value).fields} == {
        f"auto_top_up.{name}" for name in ("threshold", "amount", "price", "monthly_cap_count")
    }


@pytest.mark.spec("CRD-10", "KEY-2")
def test_another_merchants_grant__is_not_found(
    live_server: LiveServer, candela: Client, holder: customer_pb2.CustomerRef
) -> None:
    _, grant = premium_of(candela, holder)
    other = create_merchant_by_command(dict(live_server.server.environment), "Other")

    with (
        Client(live_server.address, other["secret_key"]) as stranger,
        pytest.raises(grpc.RpcError) as caught,
    ):
        stranger.credits.GetGrant(credit_service_pb2.GetGrantRequest(grant_id=grant.id))

    assert failure_of(caught.value).code is grpc.StatusCode.NOT_FOUND
    assert (
        candela.credits.GetGrant(credit_service_pb2.GetGrantRequest(grant_id=grant.id)).grant
        == grant
    )


@pytest.mark.spec("CRD-10")
def test_wrong_requests__name_every_field(candela: Client) -> None:
    wanted = {
        "RevokeGrant": ({"grant_id", "reason"}, credit_service_pb2.RevokeGrantRequest()),
        "AdjustGrant": (
            {"grant_id", "amount", "reason"},
            credit_service_pb2.AdjustGrantRequest(amount="1e3"),
        ),
        "GrantCredits": (
            {"customer", "amount", "currency", "reason", "funding", "feature"},
            credit_service_pb2.GrantCreditsRequest(
                application_type=MONETARY,
                currency="XXX",
                feature=feature_pb2.FeatureRef(slug="x"),
                funding=credit_pb2.CREDIT_FUNDING_PAID,
                amount="-1",
            ),
        ),
    }
    for method, (fields, request) in wanted.items():
        with pytest.raises(grpc.RpcError) as caught:
            getattr(candela.credits, method)(request)

        got = failure_of(caught.value)
        assert got.code is grpc.StatusCode.INVALID_ARGUMENT
        assert {one.field for one in got.fields} == fields
