"""Events that are corrected after their period was invoiced for good: the difference is on the next invoice, once; and
what becomes of it when that invoice is previewed, voided or reissued (EVT-4, EVT-9, INV-5, INV-6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import credit_definition_pb2, plan_service_pb2

from candela_server.billing.model import (
    Invoice,
    InvoiceStatus,
    InvoiceTransitionRefusedError,
    LineKind,
)
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.billing.reissue_invoice import reissue_invoice
from candela_server.billing.void_invoice import void_invoice
from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, CreditScope
from candela_server.credit import ledger_store
from candela_server.credit import store as credit_store
from candela_server.credit.model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    Funding,
    GrantId,
    TransactionKind,
)
from candela_server.customer.model import Customer
from candela_server.kernel.ids import new_id

from tests.helpers.market import Market, calls, fee, flat

D = Decimal
JANUARY, FEBRUARY, MARCH, APRIL = (
    datetime(2026, month, day, 15, tzinfo=UTC)
    for month, day in ((1, 31), (2, 28), (3, 31), (4, 30))
)
GRACE = timedelta(hours=2)
IN_FEBRUARY = datetime(2026, 2, 10, 12, tzinfo=UTC)
IN_MARCH = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def grant_calls(market: Market, customer: Customer, amount: str) -> None:
    """Calls that are paid for, whenever they happen."""
    async with market.db.writing(market.merchant_id) as tx:
        [metric] = await catalog.list_metrics(tx)
        grant = CreditGrant(
            id=GrantId(new_id("grant")),
            customer_id=customer.id,
            subscription_id=None,
            definition_id=None,
            application_type=CreditApplicationType.USAGE,
            scope=CreditScope.MERCHANT,
            feature_id=None,
            metric_id=metric.id,
            component_id=None,
            currency=None,
            amount=D(amount),
            balance=D(amount),
            effective_at=JANUARY,
            expires_at=None,
            priority=0,
            funding=Funding.PROMOTION,
            billing_visible=True,
            reason="",
            created_at=JANUARY,
        )
        await credit_store.insert_grants(tx, [grant])
        await ledger_store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=grant.id,
                    kind=TransactionKind.GRANT,
                    amount=D(amount),
                    invoice_line_id=None,
                    reason="",
                    at=JANUARY,
                )
            ],
        )


async def february_with_a_mistake(market: Market, customer: Customer) -> str:
    """40 calls are billed for good, 10 of which are the mistake whose key is answered."""
    market.clock.advance(IN_FEBRUARY)
    await market.use(customer, "30", IN_FEBRUARY)
    mistake = await market.use(customer, "10", IN_FEBRUARY)
    await market.bill(FEBRUARY)
    await market.bill(FEBRUARY + GRACE)
    market.clock.advance(IN_MARCH)
    return mistake


async def march(market: Market) -> Invoice:
    """March's invoice, finalized."""
    await market.bill(MARCH)
    await market.bill(MARCH + GRACE)
    return (await market.invoices())[-1]


async def void(market: Market, invoice: Invoice) -> Invoice:
    async with market.db.writing(market.merchant_id) as tx:
        return await void_invoice(tx, market.clock, invoice.id, reason="a mistake")


async def reissue(market: Market, invoice: Invoice) -> Invoice:
    async with market.db.writing(market.merchant_id) as tx:
        _, draft = await reissue_invoice(
            tx, market.events, market.clock, invoice.id, reason="a mistake"
        )
    return draft


async def traces(market: Market) -> tuple[int, int]:
    """How many lines and changes of balances are stored."""
    async with market.db.reading(market.merchant_id) as tx:
        return (
            await tx.fetchval(
                "SELECT count(*) FROM invoice_line WHERE merchant_id = $1", market.merchant_id
            ),
            await tx.fetchval(
                "SELECT count(*) FROM credit_transaction WHERE merchant_id = $1", market.merchant_id
            ),
        )


@pytest.mark.spec("EVT-4", "EVT-9")
async def test_event_of_a_finalized_period_voided__is_one_adjustment_on_the_next_invoice_once(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await market.bill(JANUARY)
    mistake = await february_with_a_mistake(market, customer)

    await market.take_back(mistake)
    for now in (MARCH, MARCH + GRACE, APRIL, APRIL + GRACE):
        await market.bill(now)

    # Finalized with 40.00, of which 10.00 are given back; never again.
    assert (await market.lines())[1:] == [
        [("usage", "40.00"), ("recurring", "15.00")],
        [("usage", "0.00"), ("recurring", "15.00"), ("adjustment", "-10.00")],
        [("usage", "0.00"), ("recurring", "15.00")],
    ]
    [line] = [
        line
        for invoice in await market.invoices()
        for line in invoice.lines
        if line.kind is LineKind.ADJUSTMENT
    ]
    assert (line.quantity, line.period.start_at) == (D(-10), JANUARY)


@pytest.mark.spec("EVT-4", "EVT-9")
async def test_void_in_the_minutes_before_the_last_look__is_not_lost_and_not_given_back_twice(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await market.bill(JANUARY)
    market.clock.advance(IN_FEBRUARY)
    mistake = await market.use(customer, "10", IN_FEBRUARY)
    await market.bill(FEBRUARY)
    market.clock.advance(FEBRUARY + timedelta(minutes=59))

    await market.take_back(mistake)
    for now in (FEBRUARY + GRACE, MARCH, MARCH + GRACE):
        await market.bill(now)

    # The draft saw it; the look of March, which the note asks for, finds no difference.
    assert (await market.lines())[1:] == [
        [("usage", "0.00"), ("recurring", "15.00")],
        [("usage", "0.00"), ("recurring", "15.00")],
    ]


@pytest.mark.spec("INV-5", "EVT-4")
async def test_preview_after_a_correction__shows_the_adjustment_and_leaves_no_trace(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await grant_calls(market, customer, "5")
    await market.bill(JANUARY)
    await market.take_back(await february_with_a_mistake(market, customer))
    before = await traces(market)

    async with market.db.reading(market.merchant_id) as tx:
        held = (await market.invoices())[0].subscription_id
        shown = await preview_next_invoice(tx, market.events, market.clock, held)
    after = await traces(market)
    made = await march(market)

    assert shown is not None
    assert before == after
    assert [(line.kind, line.amount, line.draws) for line in shown.lines] == [
        (line.kind, line.amount, line.draws) for line in made.lines
    ]
    assert shown.total == made.total == D("5.00")  # 15.00 − 10.00


@pytest.mark.spec("INV-6", "EVT-4", "CRD-4")
async def test_invoice_that_gave_credits_back__takes_them_again_when_it_is_voided(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await grant_calls(market, customer, "100")
    await market.bill(JANUARY)
    mistake = await february_with_a_mistake(market, customer)
    drawn = await market.balances()
    await market.take_back(mistake)
    one = await march(market)
    given_back = await market.balances()

    await void(market, one)
    voided = await market.balances()
    for now in (APRIL, APRIL + GRACE):
        await market.bill(now)

    assert [(line.kind, line.quantity, line.amount) for line in one.lines][-1] == (
        LineKind.ADJUSTMENT,
        D(-10),
        D(0),
    )
    assert (drawn, given_back, voided) == ([D(60)], [D(70)], [D(60)])
    # It is owed still, so that the next invoice gives it back.
    assert [line.kind for line in (await market.invoices())[-1].lines][-1] is LineKind.ADJUSTMENT
    assert await market.balances() == [D(70)]


@pytest.mark.spec("INV-6", "EVT-9", "CRD-4")
async def test_invoice_whose_late_usage_drew_credits__returns_them_when_it_is_voided(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await grant_calls(market, customer, "100")
    await market.bill(JANUARY)
    await february_with_a_mistake(market, customer)
    await market.use(customer, "7", IN_FEBRUARY)
    one = await march(market)
    drawn = await market.balances()

    await void(market, one)

    assert (drawn, await market.balances()) == ([D(53)], [D(60)])


@pytest.mark.spec("INV-6", "CRD-4")
async def test_invoice_whose_returned_credits_are_spent__is_not_voided_and_says_why(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await grant_calls(market, customer, "40")
    await market.bill(JANUARY)
    await market.take_back(await february_with_a_mistake(market, customer))
    one = await march(market)
    await market.use(customer, "10", MARCH + GRACE)
    for now in (APRIL, APRIL + GRACE):
        await market.bill(now)

    with pytest.raises(InvoiceTransitionRefusedError, match="are spent; reduce it by a credit"):
        await void(market, one)

    assert await market.balances() == [D(0)]
    assert (await market.invoices())[2].status is InvoiceStatus.FINALIZED


@pytest.mark.spec("INV-6", "EVT-4")
async def test_invoice_with_an_adjustment_reissued__has_it_in_the_new_draft_once(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await grant_calls(market, customer, "5")
    await market.bill(JANUARY)
    await market.take_back(await february_with_a_mistake(market, customer))
    one = await march(market)

    draft = await reissue(market, one)
    for now in (MARCH + 2 * GRACE, APRIL, APRIL + GRACE):
        await market.bill(now)

    def said(invoice: Invoice) -> list[tuple[LineKind, Decimal]]:
        return [(line.kind, line.amount) for line in invoice.lines]

    made = {invoice.id: invoice for invoice in await market.invoices()}
    assert made[one.id].status is InvoiceStatus.VOID
    assert said(made[draft.id]) == said(one)
    assert said(one)[-1] == (LineKind.ADJUSTMENT, D("-10.00"))
    assert LineKind.ADJUSTMENT not in [kind for kind, _ in said((await market.invoices())[-1])]


@pytest.mark.spec("INV-6", "EVT-4", "EVT-9")
async def test_adjusted_period_reissued_itself__comes_to_what_is_owed_with_the_next_invoice(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")))
    customer = await market.subscribe()
    await market.bill(JANUARY)
    await market.take_back(await february_with_a_mistake(market, customer))
    await march(market)

    await reissue(market, (await market.invoices())[1])
    for now in (MARCH + 2 * GRACE, APRIL, APRIL + GRACE):
        await market.bill(now)

    usage = sum(
        line.amount
        for invoice in await market.invoices()
        if invoice.status is not InvoiceStatus.VOID
        for line in invoice.lines
        if line.metric_id is not None
    )
    assert usage == D("30.00")


@pytest.mark.spec("INV-6", "EVT-9", "CRD-5")
async def test_late_usage_paid_by_a_lapsed_grant__is_paid_by_it_again_after_its_invoice_is_void(
    market: Market,
) -> None:
    await market.sell(fee("15"), calls(flat("1")), request=with_included_calls())
    customer = await market.subscribe()
    await market.bill(JANUARY)
    await february_with_a_mistake(market, customer)
    await market.use(customer, "20", IN_FEBRUARY)
    one = await march(market)
    before = await market.balances()

    await void(market, one)
    voided = await market.balances()
    for now in (APRIL, APRIL + GRACE):
        await market.bill(now)
    again = (await market.invoices())[-1].lines[-1]

    # 40 of 50 were used, and 20 came late: 10 were left of the grant.
    assert (before[0], voided[0]) == (D(0), D(0))
    assert (again.kind, again.amount) == (LineKind.ADJUSTMENT, D("10.00"))
    assert [draw.amount for draw in again.draws] == [D(10)]
    assert (await market.balances())[0] == 0


def with_included_calls() -> plan_service_pb2.CreatePlanRequest:
    """50 calls a month."""
    return plan_service_pb2.CreatePlanRequest(
        credit_definitions=[
            credit_definition_pb2.NewCreditDefinition(
                name="Included calls",
                scope=credit_definition_pb2.CREDIT_SCOPE_PLAN,
                application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
                feature="calls",
                default_amount="50",
                refill_amount="50",
                renew_on_billing=True,
                billing_visible=True,
            )
        ]
    )
