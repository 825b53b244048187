"""What vanishes from a public table by itself, and what never comes into it (PUB-1, CAT-5, CAT-7)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from candela.catalog.v1 import (
    credit_definition_pb2,
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
)
from candela.type.v1 import money_pb2

from candela_server.catalog.archive_pricing_table import archive_pricing_table
from candela_server.catalog.create_plan import CreatedPlan, create_plan
from candela_server.catalog.create_price import create_price
from candela_server.catalog.create_pricing_table import CreatePricingTable, create_pricing_table
from candela_server.catalog.model import PlanId
from candela_server.catalog.price import Price
from candela_server.catalog.price_wire import price_from_proto
from candela_server.catalog.pricing_table import (
    PricingTable,
    PricingTableNotFoundError,
    PricingTableRow,
    PublicPricingTable,
)
from candela_server.catalog.public_pricing_table import public_pricing_table
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.kernel.clock import FixedClock
from candela_server.storage.postgres import Postgres

from demo.team_plan import team_plan
from tests.conftest import TestMerchant


class Seller:
    """Sells plans at a fixed time and looks at them as a page does."""

    def __init__(self, db: Postgres, clock: FixedClock, merchant_id: str) -> None:
        self.db, self.clock, self.merchant_id = db, clock, merchant_id

    async def sell(self, request: plan_service_pb2.CreatePlanRequest) -> CreatedPlan:
        request.publicly_visible = True
        async with self.db.writing(self.merchant_id) as tx:
            return await create_plan(tx, self.clock, create_plan_from_proto(request))

    async def list_in_table(self, *plans: CreatedPlan) -> PricingTable:
        rows = tuple(
            PricingTableRow(plan_id=made.plan.id, popular=False, enterprise_redirect_url="")
            for made in plans
        )
        async with self.db.writing(self.merchant_id) as tx:
            return await create_pricing_table(
                tx, self.clock, CreatePricingTable(slug="pricing", name="Pricing", rows=rows)
            )

    async def page(self) -> PublicPricingTable:
        async with self.db.reading(self.merchant_id) as tx:
            return await public_pricing_table(tx, "pricing")

    async def shown(self) -> list[str]:
        return [shown.plan.slug for shown in (await self.page()).plans]

    async def change(self, sql: str, *arguments: object) -> None:
        """What other acts of the room do to plans and prices."""
        async with self.db.writing(self.merchant_id) as tx:
            await tx.execute(sql, self.merchant_id, *arguments)

    async def add_price(self, plan_id: PlanId, price: plan_pb2.NewPrice) -> Price:
        async with self.db.writing(self.merchant_id) as tx:
            made, _ = await create_price(tx, self.clock, plan_id, price_from_proto(price), {})
            return made


@pytest.fixture
def seller(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Seller:
    return Seller(db, clock, merchant.id)


def monthly(amount: str) -> plan_pb2.NewPrice:
    charge = price_terms_pb2.FlatCharge(unit_price=money_pb2.Money(currency="USD", amount=amount))
    return plan_pb2.NewPrice(
        currency="USD",
        components=[
            price_pb2.PriceComponent(
                name="Fee",
                kind=price_pb2.COMPONENT_KIND_FIXED,
                recurrence_rule="FREQ=MONTHLY",
                charge=price_terms_pb2.ChargeModel(flat=charge),
            )
        ],
    )


def simple(slug: str, *, keep_draft: bool = False) -> plan_service_pb2.CreatePlanRequest:
    return plan_service_pb2.CreatePlanRequest(
        slug=slug, name=slug, prices=[monthly("5")], keep_draft=keep_draft
    )


@pytest.mark.spec("PUB-1")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE plan SET archived_at = now() WHERE merchant_id = $1 AND id = $2",
        "UPDATE plan SET publicly_visible = false WHERE merchant_id = $1 AND id = $2",
        "UPDATE price SET archived_at = now() WHERE merchant_id = $1 AND plan_id = $2",
        "UPDATE plan_version SET status = 'archived' WHERE merchant_id = $1 AND plan_id = $2",
    ],
    ids=["plan archived", "plan hidden", "last price archived", "version archived"],
)
async def test_plan_no_longer_on_public_sale__vanishes_from_the_page(
    seller: Seller, change: str
) -> None:
    one, two = await seller.sell(simple("one")), await seller.sell(simple("two"))
    await seller.list_in_table(two, one)
    before = await seller.shown()
    await seller.change(change, two.plan.id)

    assert before == ["two", "one"]
    assert await seller.shown() == ["one"]


@pytest.mark.spec("PUB-1", "CAT-3")
async def test_plan_that_is_a_draft__appears_once_it_is_published(seller: Seller) -> None:
    draft = await seller.sell(simple("draft", keep_draft=True))
    await seller.list_in_table(draft)
    before = await seller.shown()
    await seller.change(
        """
        UPDATE plan_version SET status = 'published', published_at = now()
        WHERE merchant_id = $1 AND id = $2
        """,
        draft.version.id,
    )

    assert before == []
    assert await seller.shown() == ["draft"]


@pytest.mark.spec("PUB-1")
async def test_archived_table__is_not_found_by_the_page(
    seller: Seller, db: Postgres, clock: FixedClock
) -> None:
    table = await seller.list_in_table(await seller.sell(simple("one")))
    async with db.writing(seller.merchant_id) as tx:
        await archive_pricing_table(tx, clock, table.id)

    with pytest.raises(PricingTableNotFoundError):
        await seller.page()


@pytest.mark.spec("CAT-5", "CAT-6", "PUB-1")
async def test_newer_price__replaces_the_old_one_on_the_page(
    seller: Seller, clock: FixedClock
) -> None:
    made = await seller.sell(simple("one"))
    await seller.list_in_table(made)
    clock.advance(clock.now() + timedelta(days=1))
    newer = await seller.add_price(made.plan.id, monthly("0"))
    [shown] = (await seller.page()).plans
    await seller.change(
        "UPDATE price SET archived_at = now() WHERE merchant_id = $1 AND id = $2", newer.id
    )
    [again] = (await seller.page()).plans

    assert ([price.id for price in shown.prices], shown.free) == ([newer.id], True)
    assert ([price.id for price in again.prices], again.free) == ([made.prices[0].id], False)


@pytest.mark.spec("PUB-1", "DSL-9", "CRD-3")
async def test_team_plan__shows_what_each_seat_brings(seller: Seller) -> None:
    made = await seller.sell(team_plan("team"))
    await seller.list_in_table(made)
    [shown] = (await seller.page()).plans
    got = {
        one.feature.slug: (str(one.allowance.amount), one.allowance.per_seat)
        for one in shown.features
        if one.allowance
    }

    assert got == {"premium-messages": ("100", True), "cheap-messages": ("1000", True)}
    assert shown.features[0].feature.slug == "advanced-analytics"
    assert {one.basis for one in team_plan("t").credit_definitions} == {
        credit_definition_pb2.CREDIT_BASIS_SEAT
    }


@pytest.mark.spec("PUB-1", "KEY-2")
async def test_table_of_another_merchant__is_not_found(
    seller: Seller, db: Postgres, clock: FixedClock
) -> None:
    await seller.list_in_table(await seller.sell(simple("one")))
    stranger = Seller(db, clock, "mer_nobody")

    with pytest.raises(PricingTableNotFoundError):
        await stranger.page()
