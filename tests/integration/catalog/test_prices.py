"""Prices come and go: the latest is sold, private ones to one customer, old ones billed on (CAT-2, CAT-5, CAT-7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from candela.catalog.v1 import plan_pb2, plan_service_pb2, price_pb2, price_service_pb2
from candela.catalog.v1 import price_terms_pb2 as terms

from candela_server.catalog.errors import PlanNotFoundError, PlanNotSoldError, PriceNotFoundError
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.acting import acting_as
from tests.helpers.catalog import Counter, fee, flat, keyed, usd


@pytest.fixture
def counter(db: Postgres, clock: FixedClock, merchant: TestMerchant) -> Iterator[Counter]:
    with acting_as(merchant.id):
        yield Counter(db, clock)


def pro(*prices: plan_pb2.NewPrice, enterprise: bool = False) -> plan_service_pb2.CreatePlanRequest:
    return plan_service_pb2.CreatePlanRequest(
        slug="pro", name="Pro", prices=prices, is_enterprise_plan=enterprise
    )


async def add(
    counter: Counter, new: plan_pb2.NewPrice, slug: str = "pro"
) -> price_service_pb2.CreatePriceResponse:
    counter.clock.advance(counter.clock.now() + timedelta(hours=1))
    request = price_service_pb2.CreatePriceRequest(plan=plan_pb2.PlanRef(slug=slug), price=new)
    return await keyed(counter.prices.CreatePrice, request)


async def archive(counter: Counter, price_id: str) -> price_pb2.Price:
    counter.clock.advance(counter.clock.now() + timedelta(hours=1))
    request = price_service_pb2.ArchivePriceRequest(price_id=price_id)
    return (await keyed(counter.prices.ArchivePrice, request)).price


async def on_sale(counter: Counter) -> list[str]:
    return [price.id for price in (await counter.shown("pro")).prices]


@pytest.mark.spec("CAT-2", "CAT-4", "CAT-5")
async def test_price_added__is_sold_for_its_currency_and_cadence_and_who_has_another_keeps_it(
    counter: Counter,
) -> None:
    first, yearly = (await counter.sell(pro(fee("49"), fee("490", rule="FREQ=YEARLY")))).prices
    early = await counter.subscribe(await counter.sign_up("Early"), "pro", first.id)

    dearer = (await add(counter, fee("59"))).price
    euros = (await add(counter, fee("55", "EUR"))).price
    late = await counter.subscribe(await counter.sign_up("Late"), "pro", dearer.id)

    assert set(await on_sale(counter)) == {dearer.id, yearly.id, euros.id}
    assert (early.price_id, late.price_id) == (first.id, dearer.id)
    # The old one is there for those who hold it, and for nobody else.
    got = await counter.prices.GetPrice(price_service_pb2.GetPriceRequest(price_id=first.id), None)
    assert got.price == first
    with pytest.raises(PlanNotSoldError, match="newer price"):
        await counter.subscribe(await counter.sign_up("Later"), "pro", first.id)


@pytest.mark.spec("CAT-5")
async def test_price_archived__is_not_sold_and_the_one_before_it_is_again(counter: Counter) -> None:
    [first] = (await counter.sell(pro(fee("49")))).prices
    mistake = (await add(counter, fee("4.9"))).price
    held = await counter.subscribe(await counter.sign_up("Lucky"), "pro", mistake.id)

    archived = await archive(counter, mistake.id)
    again = await archive(counter, mistake.id)

    assert archived.HasField("archived_at")
    assert again == archived
    assert await on_sale(counter) == [first.id]
    assert held.price_id == mistake.id
    with pytest.raises(PlanNotSoldError, match="archived"):
        await counter.subscribe(await counter.sign_up("Late"), "pro", mistake.id)
    ref = plan_pb2.PlanRef(slug="pro")
    listed = {
        include: [
            price.id
            for price in (
                await counter.prices.ListPrices(
                    price_service_pb2.ListPricesRequest(plan=ref, include_archived=include), None
                )
            ).prices
        ]
        for include in (False, True)
    }
    assert listed == {False: [first.id], True: [first.id, mistake.id]}


@pytest.mark.spec("CAT-5")
async def test_last_price_archived__nothing_is_sold(counter: Counter) -> None:
    [only] = (await counter.sell(pro(fee("49")))).prices
    await archive(counter, only.id)

    with pytest.raises(PlanNotSoldError):
        await counter.subscribe(await counter.sign_up("Late"), "pro")
    assert not (await counter.shown("pro")).plan.free


@pytest.mark.spec("CAT-7")
async def test_private_price__is_sold_to_its_customer_and_for_others_does_not_exist(
    counter: Counter,
) -> None:
    await counter.sell(pro(fee("49")))
    acme, other = await counter.sign_up("Acme"), await counter.sign_up("Other")
    private = (await add(counter, fee("39", customer_id=acme.id))).price

    assert private.private_customer_id == acme.id
    assert private.id not in await on_sale(counter)
    with pytest.raises(PriceNotFoundError):
        await counter.subscribe(other, "pro", private.id)
    assert (await counter.subscribe(other, "pro")).price_id != private.id
    assert (await counter.subscribe(acme, "pro")).price_id == private.id


@pytest.mark.spec("CAT-7")
async def test_enterprise_plan__has_no_price_until_one_is_negotiated(counter: Counter) -> None:
    created = await counter.sell(pro(enterprise=True))
    acme, other = await counter.sign_up("Acme"), await counter.sign_up("Other")

    assert created.plan.is_enterprise_plan
    assert not created.plan.free
    with pytest.raises(PlanNotSoldError):
        await counter.subscribe(acme, "pro")
    with pytest.raises(InvalidInput) as caught:
        await add(counter, fee("1000"))
    assert [one.field for one in caught.value.violations] == ["price.private_customer_id"]

    negotiated = (await add(counter, fee("1000", customer_id=acme.id))).price
    assert (await counter.subscribe(acme, "pro")).price_id == negotiated.id
    with pytest.raises(PlanNotSoldError):
        await counter.subscribe(other, "pro")


@pytest.mark.spec("CAT-2", "CAT-7")
async def test_price_that_names_what_is_not_there__is_refused_by_path(counter: Counter) -> None:
    await counter.sell(pro(fee("49")))
    new = fee("10", customer_id="cus_00000000000000000000000000")
    new.components.add(
        name="Calls",
        kind=price_pb2.COMPONENT_KIND_USAGE,
        recurrence_rule="FREQ=MONTHLY",
        metric="no-such-metric",
        charge=flat("0.01"),
    )

    with pytest.raises(InvalidInput) as caught:
        await add(counter, new)
    with pytest.raises(PlanNotFoundError):
        await add(counter, fee("10"), "no-such-plan")

    assert [(one.field, one.reason) for one in caught.value.violations] == [
        ("price.components[1].metric", Reason.METRIC_NOT_FOUND),
        ("price.private_customer_id", Reason.CUSTOMER_NOT_FOUND),
    ]
    with pytest.raises(InvalidInput) as in_plan:
        await counter.sell(
            plan_service_pb2.CreatePlanRequest(slug="other", name="Other", prices=[new])
        )
    assert [one.field for one in in_plan.value.violations] == [
        "prices[0].components[1].metric",
        "prices[0].private_customer_id",
    ]


@pytest.mark.spec("CAT-2")
async def test_price_of_an_archived_plan__is_refused_by_path(counter: Counter) -> None:
    await counter.sell(pro(fee("49")))
    await keyed(
        counter.plans.ArchivePlan,
        plan_service_pb2.ArchivePlanRequest(plan=plan_pb2.PlanRef(slug="pro")),
    )

    with pytest.raises(InvalidInput) as caught:
        await add(counter, fee("10"))

    assert [(one.field, one.reason) for one in caught.value.violations] == [
        ("plan", Reason.PLAN_NOT_SOLD)
    ]


@pytest.mark.spec("CAT-5")
async def test_two_public_prices_of_which_one_could_never_be_sold__are_refused(
    counter: Counter,
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await counter.sell(pro(fee("49"), fee("490", rule="FREQ=YEARLY"), fee("59")))

    assert [one.field for one in caught.value.violations] == ["prices[2]"]


@pytest.mark.spec("CAT-5")
@pytest.mark.parametrize(
    "change",
    ["currency = 'EUR'", "discounts = '[1]'", "archived_at = NULL", "archived_at = now()"],
)
async def test_price__cannot_be_changed_by_sql(
    counter: Counter, merchant: TestMerchant, change: str
) -> None:
    [price] = (await counter.sell(pro(fee("49")))).prices
    await archive(counter, price.id)

    with pytest.raises(Exception, match="never changes"):
        async with counter.db.writing(merchant.id) as tx:
            await tx.execute(f"UPDATE price SET {change} WHERE merchant_id = $1", merchant.id)


@pytest.mark.spec("AUD-2", "AUD-1", "CAT-2")
async def test_same_call_twice__makes_one_price_and_one_trace(
    counter: Counter, merchant: TestMerchant
) -> None:
    await counter.sell(pro(fee("49")))
    request = price_service_pb2.CreatePriceRequest(
        idempotency_key="k", plan=plan_pb2.PlanRef(slug="pro"), price=fee("59")
    )
    copy = price_service_pb2.CreatePriceRequest()
    copy.CopyFrom(request)
    first = await counter.prices.CreatePrice(request, None)
    again = await counter.prices.CreatePrice(copy, None)
    await archive(counter, first.price.id)

    async with counter.db.reading(merchant.id) as tx:
        actions = await tx.fetch(
            """
            SELECT action FROM audit_entry WHERE merchant_id = $1 AND subject_id = $2 ORDER BY at
            """,
            merchant.id,
            first.price.id,
        )
    assert again == first
    assert [row["action"] for row in actions] == ["price.created", "price.archived"]


@pytest.mark.spec("DSL-3")
async def test_volume_table_whose_bill_falls__is_warned_of_in_both_answers(
    counter: Counter,
) -> None:
    new = fee("10")
    falling = terms.ChargeModel(
        volume=terms.VolumeCharge(
            tiers=[
                terms.Tier(up_to="1000", unit_price=usd("0.10")),
                terms.Tier(unit_price=usd("0.05")),
            ]
        )
    )
    new.components.add(
        name="Units",
        kind=price_pb2.COMPONENT_KIND_PER_UNIT,
        recurrence_rule="FREQ=MONTHLY",
        charge=falling,
    )

    with_plan = await counter.sell(pro(new))
    alone = await add(counter, new)

    assert list(with_plan.warnings) == list(alone.warnings)
    assert len(alone.warnings) == 1
    assert "1000 units cost 100.00 USD, 1001 only 50.05 USD" in alone.warnings[0]
