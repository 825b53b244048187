"""Shops whose plans stand in pricing tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from candela import Client
from candela.catalog.v1 import (
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
    pricing_table_pb2,
    pricing_table_service_pb2,
)
from candela.type.v1 import money_pb2

from tests.helpers.servers import LiveServer, create_merchant_by_command

SALES = "https://example.com/sales"


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant of one test."""

    candela: Client
    secret_key: str
    publishable_key: str

    def plan(
        self, slug: str, *, publicly_visible: bool = True, is_enterprise_plan: bool = False
    ) -> plan_pb2.Plan:
        """A plan at $5 a month, public unless said otherwise; an enterprise plan has no price."""
        charge = price_terms_pb2.FlatCharge(unit_price=money_pb2.Money(currency="USD", amount="5"))
        monthly = price_pb2.PriceComponent(
            name="Fee",
            kind=price_pb2.COMPONENT_KIND_FIXED,
            recurrence_rule="FREQ=MONTHLY",
            charge=price_terms_pb2.ChargeModel(flat=charge),
        )
        prices = [plan_pb2.NewPrice(currency="USD", components=[monthly])]
        request = plan_service_pb2.CreatePlanRequest(
            slug=slug,
            name=slug,
            prices=[] if is_enterprise_plan else prices,
            publicly_visible=publicly_visible,
            is_enterprise_plan=is_enterprise_plan,
        )
        return self.candela.plans.CreatePlan(request).plan

    def table(self, slug: str, *plans: plan_pb2.Plan) -> pricing_table_pb2.PricingTable:
        """A table of these plans."""
        request = pricing_table_service_pb2.CreatePricingTableRequest(
            slug=slug, name=slug, rows=[row(plan.id) for plan in plans]
        )
        return self.candela.pricing_tables.CreatePricingTable(request).pricing_table


def row(plan_id: str, url: str = "", *, popular: bool = False) -> pricing_table_pb2.PricingTableRow:
    """A row of a table; the address is where an enterprise plan sends whoever asks."""
    return pricing_table_pb2.PricingTableRow(
        plan_id=plan_id, popular=popular, enterprise_redirect_url=url
    )


@contextmanager
def open_shop(live_server: LiveServer) -> Iterator[Shop]:
    """A new merchant on this server."""
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Shop")
    with Client(live_server.address, merchant["secret_key"]) as candela:
        yield Shop(candela, merchant["secret_key"], merchant["publishable_key"])
