"""Prices over real gRPC: added, negotiated, refused by field, and billed with what they take off."""

from __future__ import annotations

from decimal import Decimal

import grpc
import pytest
from candela import Client
from candela.billing.v1 import invoice_pb2, invoice_service_pb2
from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_service_pb2
from candela.catalog.v1 import price_terms_pb2 as terms
from candela.customer.v1 import customer_pb2
from candela.subscription.v1 import subscription_service_pb2

from demo.team_plan import sign_up
from tests.helpers.catalog import fee, usd
from tests.helpers.names import fresh
from tests.helpers.refusing import refused
from tests.helpers.waiting import until


@pytest.fixture
def slug(candela: Client) -> str:
    """A plan that is sold at one public price."""
    made = fresh("pro")
    candela.plans.CreatePlan(
        plan_service_pb2.CreatePlanRequest(slug=made, name="Pro", prices=[fee("49")])
    )
    return made


def customer(candela: Client) -> customer_pb2.Customer:
    return sign_up(candela, fresh("x"), {})


def adding(slug: str, new: plan_pb2.NewPrice) -> price_service_pb2.CreatePriceRequest:
    return price_service_pb2.CreatePriceRequest(plan=plan_pb2.PlanRef(slug=slug), price=new)


def taking(
    who: customer_pb2.Customer, slug: str, price_id: str | None = None
) -> subscription_service_pb2.CreateSubscriptionRequest:
    return subscription_service_pb2.CreateSubscriptionRequest(
        customer=customer_pb2.CustomerRef(id=who.id),
        plan=plan_pb2.PlanRef(slug=slug),
        price_id=price_id,
    )


@pytest.mark.spec("CAT-2", "CAT-7")
def test_negotiated_price__is_sold_to_its_customer_and_not_found_by_another(
    candela: Client, slug: str
) -> None:
    acme, other = customer(candela), customer(candela)
    made = candela.prices.CreatePrice(adding(slug, fee("39", customer_id=acme.id))).price
    got = refused(candela.subscriptions.CreateSubscription, taking(other, slug, made.id))
    held = candela.subscriptions.CreateSubscription(taking(acme, slug, made.id)).subscription

    assert got.code is grpc.StatusCode.NOT_FOUND
    assert got.reason == "ERROR_REASON_PRICE_NOT_FOUND"
    assert held.price_id == made.id


@pytest.mark.spec("CAT-5")
def test_archived_price__is_not_sold(candela: Client, slug: str) -> None:
    made = candela.prices.CreatePrice(adding(slug, fee("59"))).price
    candela.prices.ArchivePrice(price_service_pb2.ArchivePriceRequest(price_id=made.id))
    got = refused(
        candela.subscriptions.CreateSubscription, taking(customer(candela), slug, made.id)
    )

    assert got.code is grpc.StatusCode.FAILED_PRECONDITION
    assert got.reason == "ERROR_REASON_PLAN_NOT_SOLD"


@pytest.mark.spec("DSL-4", "DSL-10")
def test_terms_that_cannot_be__are_refused_by_path(candela: Client, slug: str) -> None:
    new = fee("49")
    new.discounts.add(percent="110", duration=terms.DISCOUNT_DURATION_FOREVER)
    new.components[0].time_rules.add(after_period_count=3, stop=True)
    new.components[0].time_rules.add(after_period_count=3, start=True)
    new.minimum_commitment.amount.CopyFrom(usd("-1"))
    new.minimum_commitment.recurrence_rule = "FREQ=YEARLY"
    got = refused(candela.prices.CreatePrice, adding(slug, new))

    assert got.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {one.field for one in got.fields} == {
        "price.discounts[0].percent",
        "price.components[0].time_rules[1]",
        "price.components[0].time_rules[1].start",
        "price.components[0].time_rules[1].after_period_count",
        "price.minimum_commitment.amount",
    }


@pytest.mark.spec("DSL-4", "INV-1")
def test_discount_of_a_price__is_on_the_first_invoice(candela: Client, slug: str) -> None:
    new = fee("49", rule="FREQ=YEARLY")
    new.discounts.add(percent="10", duration=terms.DISCOUNT_DURATION_ONCE, name="Launch")
    made = candela.prices.CreatePrice(adding(slug, new)).price
    buyer = customer(candela)
    candela.subscriptions.CreateSubscription(taking(buyer, slug, made.id))

    def invoices() -> list[invoice_pb2.Invoice]:
        request = invoice_service_pb2.ListInvoicesRequest(
            customer=customer_pb2.CustomerRef(id=buyer.id)
        )
        return list(candela.invoices.ListInvoices(request).invoices)

    until(lambda: bool(invoices()))
    [line] = invoices()[0].lines
    [discount] = line.discounts
    assert Decimal(line.amount.amount) == Decimal("44.10")  # 49.00 − 10 %
    assert (discount.name, discount.percent, discount.of_price) == ("Launch", "10", True)
    assert Decimal(discount.amount.amount) == Decimal("4.90")
