"""Money off invoices: from plans and by hand, drawn once, given back when the invoice is void (CRD-1, CRD-8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import credit_definition_pb2, plan_service_pb2

from candela_server.billing.finalize_invoices import finalize_due
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice
from candela_server.credit.model import GrantId
from candela_server.subscription import store as subscriptions

from tests.helpers.crediting import give, grant_now, grants_of
from tests.helpers.market import Market, calls, fee, flat

JANUARY_31 = datetime(2026, 1, 31, 15, tzinfo=UTC)
FEBRUARY_28 = datetime(2026, 2, 28, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)


def dollars_each_month(amount: str) -> plan_service_pb2.CreatePlanRequest:
    """A plan that comes with money."""
    return plan_service_pb2.CreatePlanRequest(
        credit_definitions=[
            credit_definition_pb2.NewCreditDefinition(
                name="Included credit",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY,
                currency="USD",
                default_amount=amount,
                renew_on_billing=True,
            )
        ]
    )


def shown(invoice: Invoice) -> list[tuple[str, str, tuple[GrantId, ...]]]:
    return [
        (line.kind.value, f"{line.amount:.2f}", tuple(draw.grant_id for draw in line.draws))
        for line in invoice.lines
    ]


@pytest.mark.spec("CRD-1", "CRD-2", "CRD-8", "INV-8")
async def test_credit_of_the_plan_and_by_hand__are_lines_before_tax_and_drawn_once(
    market: Market,
) -> None:
    await market.sell(fee("49"), request=dollars_each_month("10"))
    holder = await market.subscribe()
    [of_plan] = await grants_of(market.shop, holder)
    gift = await give(market.shop, holder, "20", currency="USD")
    euros = await give(market.shop, holder, "20", currency="EUR")

    await market.bill(JANUARY_31)
    await market.bill(JANUARY_31)

    [invoice] = await market.invoices()
    # 49 − 10 − 20 = 19
    assert shown(invoice) == [
        ("recurring", "49.00", ()),
        ("monetary_credit", "-10.00", (of_plan.id,)),
        ("monetary_credit", "-20.00", (gift.id,)),
    ]
    assert (invoice.total, invoice.amount_due) == (19, 19)
    assert [line.description for line in invoice.lines[1:]] == ["Included credit", "Credit"]
    assert invoice.lines[1].source_line_id == invoice.lines[0].id
    balances = [(await grant_now(market.shop, one.id)).balance for one in (of_plan, gift, euros)]
    assert balances == [0, 0, 20]


@pytest.mark.spec("CRD-5", "CRD-8")
async def test_renewed_credit__pays_the_new_periods_fee_and_the_old_rest_the_old_usage(
    market: Market,
) -> None:
    await market.sell(fee("49"), calls(flat("1")), request=dollars_each_month("60"))
    holder = await market.subscribe()
    await market.bill(JANUARY_31)  # 49 of January's 60; 11 are left
    await market.use(holder, "30", JANUARY_31)
    await market.bill(FEBRUARY_28)
    await market.bill(FEBRUARY_28 + HOUR)

    [january, february] = await grants_of(market.shop, holder)
    [_, invoice] = await market.invoices()

    # calls 30 and the new fee 49 are 79; January's 11 pay calls, February's 60 the fee and 11 of the calls: 8 are due
    assert invoice.status is InvoiceStatus.FINALIZED
    assert sorted(shown(invoice)) == [
        ("monetary_credit", "-11.00", (january.id,)),
        ("monetary_credit", "-60.00", (february.id,)),
        ("recurring", "49.00", ()),
        ("usage", "30.00", ()),
    ]
    assert (invoice.total, january.balance, february.balance) == (8, 0, 0)


@pytest.mark.spec("INV-5", "CRD-8")
async def test_preview__shows_the_credit_that_will_be_there(market: Market) -> None:
    await market.sell(fee("49"), request=dollars_each_month("10"))
    holder = await market.subscribe()
    await give(market.shop, holder, "60", currency="USD")
    await market.bill(JANUARY_31)  # 49 − 10 − 39; 21 are left
    async with market.db.reading(market.merchant_id) as tx:
        [held] = await subscriptions.list_subscriptions_of_customers(tx, [holder.id])
        preview = await preview_next_invoice(tx, market.events, market.clock, held.id)

    await market.bill(FEBRUARY_28)

    [_, invoice] = await market.invoices()
    assert preview is not None
    # 49 − 10 − 21 = 18
    assert [line.amount for line in preview.lines] == [49, -10, -21]
    assert [line.amount for line in invoice.lines] == [49, -10, -21]
    assert preview.total == invoice.total == 18


@pytest.mark.spec("INV-6", "CRD-8")
async def test_void_invoice__gives_the_credit_back_and_its_reissue_draws_it_again(
    market: Market,
) -> None:
    await market.sell(fee("49"))
    holder = await market.subscribe()
    gift = await give(market.shop, holder, "20", currency="USD")
    await market.bill(JANUARY_31)
    [invoice] = await market.invoices()

    async with market.db.writing(market.merchant_id) as tx:
        await void_invoice(tx, market.clock, invoice.id, reason="a mistake")
    after_void = await grant_now(market.shop, gift.id)
    async with market.db.writing(market.merchant_id) as tx:
        await reissue_invoice(tx, market.events, market.clock, invoice.id, reason="again")
    now = JANUARY_31 + HOUR
    await finalize_due(market.db, market.events, market.merchant_id, now=now)

    [_, again] = await market.invoices()
    assert after_void.balance == 20
    assert [line.amount for line in again.lines] == [49, -20]
    assert again.status is InvoiceStatus.FINALIZED
    assert (await grant_now(market.shop, gift.id)).balance == 0


@pytest.mark.spec("CRD-8", "CRD-4", "INV-2")
async def test_two_subscriptions_in_one_run__share_a_credit_and_never_overdraw_it(
    market: Market,
) -> None:
    await market.sell(fee("49"))
    holder = await market.subscribe()
    await market.hold(holder)
    gift = await give(market.shop, holder, "70", currency="USD")

    await market.bill(JANUARY_31)

    # 49 + 49 = 98 of which 70 are paid
    invoices = await market.invoices()
    assert sorted(invoice.total for invoice in invoices) == [0, 28]
    assert {invoice.status for invoice in invoices} == {
        InvoiceStatus.PAID,
        InvoiceStatus.FINALIZED,
    }
    assert (await grant_now(market.shop, gift.id)).balance == Decimal(0)
