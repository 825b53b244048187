"""Packs of credits: usable once paid, whatever plans renew; bought by themselves within guard rails (CRD-9)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.type.v1 import money_pb2

from candela_server.billing.auto_top_up import (
    UpdateAutoTopUp,
    buy_below_thresholds,
    get_auto_top_up,
    update_auto_top_up,
)
from candela_server.billing.buy_top_up import TopUpCredits, top_up_credits
from candela_server.billing.credit_note import Purpose
from candela_server.billing.model import (
    Invoice,
    InvoiceStatus,
    InvoiceTransitionRefusedError,
    LineKind,
)
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.billing.render_pdf import render_pdf
from candela_server.billing.run_changes import settle
from candela_server.billing.top_up import TopUpPendingError
from candela_server.billing.wire import invoice_to_proto
from candela_server.billing.write_off_invoice import write_off_invoice
from candela_server.catalog.create_plan import create_plan
from candela_server.catalog.refs import BySlug
from candela_server.catalog.wire import create_plan_from_proto
from candela_server.credit.model import CreditGrant, GrantInsufficientError
from candela_server.credit.wire import grant_to_proto
from candela_server.customer.model import Customer, CustomerById
from candela_server.kernel.clock import FixedClock
from candela_server.kernel.money import Money
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.subscription.change import ChangeSubscription, PlanChange
from candela_server.subscription.change_subscription import change_subscription

from demo.team_plan import team_plan
from tests.conftest import TestMerchant
from tests.helpers.acting import acting_as
from tests.helpers.billing import Books
from tests.helpers.crediting import PREMIUM, adjust, grant_now, grants_of, history_of
from tests.helpers.selling import Shop

D = Decimal
JANUARY_31 = datetime(2026, 1, 31, 15, tzinfo=UTC)
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)


async def order(
    books: Books, holder: Customer, amount: str, price: str, *, feature: str | None = PREMIUM
) -> tuple[CreditGrant, Invoice]:
    """A pack of premium messages, or of dollars."""
    command = TopUpCredits(
        customer=CustomerById(holder.id),
        feature=BySlug(feature) if feature else None,
        amount=D(amount),
        price=Money(currency="USD", amount=D(price)),
        expires_at=None,
    )
    with acting_as(books.shop.merchant_id):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            return await top_up_credits(tx, books.shop.clock, command)


async def buy_by_itself(
    books: Books, holder: Customer, *, threshold: str = "20", cap: int = 2, enabled: bool = True
) -> None:
    """100 premium messages for $15 whenever fewer than the threshold are left."""
    command = UpdateAutoTopUp(
        customer=CustomerById(holder.id),
        feature=BySlug(PREMIUM),
        enabled=enabled,
        threshold=D(threshold),
        amount=D(100),
        price=Money(currency="USD", amount=D(15)),
        monthly_cap_count=cap,
    )
    with acting_as(books.shop.merchant_id):
        async with books.shop.db.writing(books.shop.merchant_id) as tx:
            await update_auto_top_up(tx, books.shop.clock, command)


async def stopped_reason(books: Books, holder: Customer) -> str:
    async with books.shop.db.reading(books.shop.merchant_id) as tx:
        found = await get_auto_top_up(tx, CustomerById(holder.id), BySlug(PREMIUM))
    assert found is not None
    return found.stopped_reason


async def look(books: Books) -> int:
    """What the worker does every minute."""
    shop = books.shop
    return await buy_below_thresholds(shop.db, books.events, shop.clock, shop.merchant_id)


async def packs(books: Books) -> list[Invoice]:
    return [one for one in await books.invoices() if one.lines[0].kind is LineKind.TOP_UP]


def costs_of(invoice: Invoice) -> list[str | None]:
    """What the credits that pay on an invoice were sold for."""
    return [
        one.cost_basis.amount if one.HasField("cost_basis") else None
        for line in invoice_to_proto(invoice).lines
        for one in line.credit_applications
    ]


@pytest.mark.spec("CRD-9", "CRD-4")
async def test_pack__holds_nothing_until_its_invoice_is_paid_and_survives_the_plans_renewal(
    books: Books,
) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    await books.bill()

    grant, invoice = await order(books, holder, "500", "75")
    unpaid = await grant_now(shop, grant.id)
    with pytest.raises(TopUpPendingError, match=invoice.id):
        await order(books, holder, "500", "75")
    await books.pay(invoice)
    paid = await grant_now(shop, grant.id)
    await books.use(holder, "150")
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()

    [*_, usage] = await books.invoices()
    assert (invoice.status, invoice.total, invoice.subscription_id) == (
        InvoiceStatus.FINALIZED,
        75,
        None,
    )
    assert [line.description for line in invoice.lines] == ["Premium messages: 500 prepaid"]
    assert (unpaid.balance, paid.balance) == (0, 500)
    assert render_pdf(invoice).startswith(b"%PDF-")
    assert [(one.kind.value, one.amount) for one in await history_of(shop, holder, grant.id)] == [
        ("grant", 500),
        ("draw", -50),
    ]
    # 500 were sold for $75: the 50 for $7.50. Those of the plan were not sold by themselves.
    assert grant_to_proto(paid).cost_basis == money_pb2.Money(currency="USD", amount="75")
    assert costs_of(usage) == [None, "7.5"]
    # 150 used; 100 came with the plan, 50 are of the pack; the plan's are renewed and the pack's rest is still there
    assert usage.total == 30
    assert (await grant_now(shop, grant.id)).balance == 450


@pytest.mark.spec("CRD-9", "CRD-8")
async def test_pack_of_money__is_drawn_by_the_next_invoice_once_paid(books: Books) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    _, invoice = await order(books, holder, "50", "40", feature=None)
    await shop.subscribe(holder, 1)
    await books.bill()
    await books.pay(invoice)

    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()

    [_, first, second] = await books.invoices()
    # $30 of seats in advance: unpaid money pays nothing of January's, and $30 of February's
    assert (first.total, second.total) == (30, 0)
    [pack] = [one for one in await grants_of(shop, holder) if one.currency]
    assert pack.balance == 20
    # $30 of the $50 that were sold for $40
    assert costs_of(second) == ["24"]


@pytest.mark.spec("CRD-9", "INV-6")
async def test_pack_whose_invoice_is_void_or_credited__never_counts(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    voided, first = await order(books, holder, "500", "75")
    await books.void(first)
    with pytest.raises(InvoiceTransitionRefusedError, match="sells a pack"):
        await books.reissue(first)
    credited, second = await order(books, holder, "500", "75")
    await books.credit(second, Purpose.REDUCE_DUE)

    assert (await books.invoice(second.id)).status is InvoiceStatus.PAID
    assert [(await grant_now(books.shop, one.id)).balance for one in (voided, credited)] == [0, 0]


@pytest.mark.spec("CRD-9")
async def test_less_left_than_the_threshold__buys_one_pack_and_no_other_until_it_is_paid(
    books: Books,
) -> None:
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    await buy_by_itself(books, holder, threshold="20", cap=2)
    # 100 are there
    counts = [await look(books)]
    await books.use(holder, "80")  # 20 are left, which is not below 20
    counts.append(await look(books))
    await books.use(holder, "1")
    counts += await asyncio.gather(*(look(books) for _ in range(5)))
    counts.append(await look(books))

    [invoice] = await packs(books)
    assert sum(counts) == 1
    assert (invoice.status, invoice.total) == (InvoiceStatus.FINALIZED, 15)


@pytest.mark.spec("CRD-9", "ENT-4")
async def test_what_a_draft_will_draw__is_left_no_more(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    _, invoice = await order(books, holder, "100", "15.00")
    await books.pay(invoice)
    await books.use(holder, "150")
    await books.bill_at(FEBRUARY_28)
    # 100 of the plan for March, and 50 of the pack: the draft takes the other 50 only when it is final.
    await buy_by_itself(books, holder, threshold="150", cap=2)
    enough = await look(books)
    await buy_by_itself(books, holder, threshold="151", cap=2)

    assert (enough, await look(books)) == (0, 1)


@pytest.mark.spec("CRD-9")
async def test_monthly_cap__ends_buying_until_the_next_month(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    await buy_by_itself(books, holder, threshold="1000", cap=2)
    bought = []
    for _ in range(4):
        bought.append(await look(books))
        for invoice in await packs(books):
            if invoice.status is InvoiceStatus.FINALIZED:
                await books.pay(invoice)

    books.shop.clock.advance(datetime(2026, 2, 1, 4, 59, tzinfo=UTC))  # still January in New York
    bought.append(await look(books))
    books.shop.clock.advance(datetime(2026, 2, 1, 5, 1, tzinfo=UTC))
    bought.append(await look(books))

    assert bought == [1, 1, 0, 0, 0, 1]


@pytest.mark.spec("CRD-9", "INV-7")
@pytest.mark.parametrize("ending", ["void", "write off"])
async def test_pack_that_is_never_paid__stops_buying_until_a_person_sets_it_again(
    books: Books, ending: str
) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    await buy_by_itself(books, holder, threshold="1000", cap=100)
    await look(books)
    [invoice] = await packs(books)

    if ending == "void":
        await books.void(invoice)
    else:
        async with shop.db.writing(shop.merchant_id) as tx:
            await write_off_invoice(tx, shop.clock, invoice.id, reason="gone")
    reason = await stopped_reason(books, holder)
    shop.clock.advance(JANUARY_31 + timedelta(days=40))
    stopped = await look(books)
    await buy_by_itself(books, holder, threshold="1000", cap=100)
    again = await look(books)

    assert reason.startswith(f"invoice {invoice.number} was ")
    assert (stopped, again) == (0, 1)
    assert await stopped_reason(books, holder) == ""
    assert (await books.audited(holder.id)).count("auto_top_up.updated") == 2


@pytest.mark.spec("CRD-9")
async def test_setting_that_is_off__buys_nothing(books: Books) -> None:
    holder = await books.shop.sign_up("acme")
    await books.shop.subscribe(holder, 1)
    await buy_by_itself(books, holder, threshold="1000", enabled=False)

    assert await look(books) == 0


@pytest.mark.spec("CRD-9", "INV-6")
async def test_pack_paid_back__is_taken_back_as_far_as_it_is_unspent(books: Books) -> None:
    shop = books.shop
    holder = await shop.sign_up("acme")
    grant, invoice = await order(books, holder, "500", "75")
    await books.pay(invoice)
    paid = await books.invoice(invoice.id)
    [line] = paid.lines

    # $15 of $75 are a fifth: 100 of 500
    await books.credit(paid, Purpose.REFUND, {line.id: "15"})
    after = await grant_now(shop, grant.id)
    await adjust(shop, grant.id, "-1")
    with pytest.raises(GrantInsufficientError, match="has 399 left"):
        await books.credit(paid, Purpose.CREDIT_BALANCE, {line.id: "60"})

    assert after.balance == 400
    assert len(await books.notes()) == 1


@pytest.mark.spec("CRD-9", "CRD-8", "ENT-4")
async def test_pack_for_usage_that_costs_nothing__is_used_up_by_what_exceeds_the_plans_credit(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    books = Books(shop, events)
    request = team_plan("team")
    del request.prices[0].components[1:]
    async with db.writing(merchant.id) as tx:
        await create_plan(tx, clock, create_plan_from_proto(request))
    holder = await shop.sign_up("acme")
    await shop.subscribe(holder, 1)
    await shop.subscribe(holder, 1, allow_duplicate=True)
    await books.bill()
    grant, invoice = await order(books, holder, "500", "75")
    await books.pay(invoice)
    await books.use(holder, "250")

    await books.bill_at(FEBRUARY_28)
    await books.bill()

    # 250 used; 100 came with each of the two subscriptions, but usage is drawn once, by the older one: its 100, then
    # 150 of the pack
    assert (await grant_now(shop, grant.id)).balance == 350
    assert sum(one.balance for one in await grants_of(shop, holder) if one.amount == 100) == 200
    assert await reconcile_credits(db, merchant.id) == []


@pytest.mark.spec("CRD-9", "CRD-8", "SUB-6")
async def test_pack_of_a_subscriber_whose_new_plan_prices_no_usage__pays_for_each_part_once(
    db: Postgres, events: EventStore, clock: FixedClock, merchant: TestMerchant
) -> None:
    shop = Shop(db, clock, merchant.id)
    books = Books(shop, events)
    await shop.sell_team_plan()
    priceless = team_plan("priceless")
    del priceless.metrics[:], priceless.credit_definitions[:], priceless.prices[0].components[1:]
    for granted in priceless.features:
        granted.existing.slug = granted.new_feature.slug
    async with db.writing(merchant.id) as tx:
        await create_plan(tx, clock, create_plan_from_proto(priceless))
    holder = await shop.sign_up("acme")
    held = await shop.subscribe(holder, 1)
    await books.bill()
    grant, invoice = await order(books, holder, "500", "75")
    await books.pay(invoice)
    await books.use(holder, "130")
    clock.advance(datetime(2026, 2, 14, 15, tzinfo=UTC))

    change = PlanChange(plan=BySlug("priceless"), price_id=None, quantities={})
    command = ChangeSubscription(subscription_id=held.id, change=change, reason="tests")
    async with db.writing(merchant.id) as tx:
        await settle(tx, events, await change_subscription(tx, clock, command))
    clock.advance(datetime(2026, 2, 20, 15, tzinfo=UTC))
    await books.use(holder, "50")
    await books.bill_at(FEBRUARY_28)
    await books.pass_grace()
    await books.bill()

    # 130 while usage had a price, of which 100 came with the plan: 30 of the pack. Then 50 that cost nothing, all of
    # the pack: 500 − 30 − 50.
    assert (await grant_now(shop, grant.id)).balance == 420
    assert await reconcile_credits(db, merchant.id) == []
