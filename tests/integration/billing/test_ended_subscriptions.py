"""What was paid for days after a subscription's end comes back, whatever its last invoice bears (SUB-6, INV-6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_terms_pb2

from candela_server.billing import credit_note_store
from candela_server.billing.credit_note import CreditNote, CreditNoteReason, Purpose
from candela_server.billing.finalize_invoices import finalize_invoice
from candela_server.billing.mark_invoice_paid import MarkInvoicePaid, mark_invoice_paid
from candela_server.billing.model import Invoice, InvoiceStatus
from candela_server.billing.write_off_invoice import write_off_invoice
from candela_server.subscription.change import Cancellation, Reactivation
from candela_server.subscription.model import Proration

from tests.helpers.changing import AT, NOW, Desk, quantity, to_plan
from tests.helpers.market import Market, calls, fee, flat, money
from tests.integration.billing.test_changed_subscriptions import day, seats

D = Decimal
INVOICE_NOW, NEXT_INVOICE, NONE = Proration.INVOICE_NOW, Proration.NEXT_INVOICE, Proration.NONE


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; a "year" is 1,200.00; "basic" 20.00, "pro" 50.00 and a "team" seat 10.00 a month."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("year", fee("1200", name="Year", rule="FREQ=YEARLY"))
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("team", seats("10"))
    return made


async def pay(desk: Desk, *numbers: int) -> None:
    """Pays the invoices, all when none is named."""
    for index, one in enumerate(await desk.invoices()):
        if one.status is InvoiceStatus.FINALIZED and (index in numbers or not numbers):
            async with desk.market.db.writing(desk.market.merchant_id) as tx:
                await mark_invoice_paid(
                    tx,
                    desk.market.clock,
                    MarkInvoicePaid(invoice_id=one.id, paid_at=None, reference="wire"),
                )


async def notes(desk: Desk) -> list[CreditNote]:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        return await credit_note_store.page_credit_notes(tx, invoice_id=None, limit=99, after=None)


async def kept(desk: Desk) -> Decimal:
    """What was billed and not given back."""
    return sum(await desk.totals()) - sum((one.total for one in await notes(desk)), D(0))


@pytest.mark.spec("SUB-6", "INV-6")
@pytest.mark.parametrize("proration", [None, INVOICE_NOW, NEXT_INVOICE])
async def test_paid_year_that_ends_after_a_month__leaves_the_rest_on_the_account(
    desk: Desk, proration: Proration | None
) -> None:
    held = await desk.take("year")
    await desk.market.bill(day(4, 1))
    await pay(desk)
    desk.market.clock.advance(day(5, 1))

    seen = await desk.preview(held, Cancellation(), NOW, proration)
    assert await notes(desk) == []
    await desk.change(held, Cancellation(), NOW, proration)

    # 335 of 365 days of 1,200.00
    [note], [shown] = await notes(desk), seen.credit_notes
    assert (note.purpose, note.reason) == (
        Purpose.CREDIT_BALANCE,
        CreditNoteReason.ORDER_CANCELLATION,
    )
    assert note.total == shown.total == D("1101.37")
    assert (shown.id, shown.number) == ("", "")
    assert note.memo.endswith("30 of 365 days at 1200.00; 1200.00 billed before")
    assert await desk.market.balances() == [D("1101.37")]
    assert len(await desk.invoices()) == 1

    # It pays what the customer takes next.
    customer_id = held.customer_id
    await desk.change(held, Reactivation(price_id=None))
    await desk.market.bill(day(5, 1))
    [_, again] = await desk.invoices()
    assert (again.total, again.amount_due) == (D(1200), D("98.63"))
    assert again.customer_id == customer_id
    assert len(await notes(desk)) == 1


@pytest.mark.spec("SUB-6", "INV-6")
async def test_unpaid_month_that_ends_in_its_middle__is_due_for_its_half(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, Cancellation(), AT, effective_at=day(4, 16))
    await desk.market.bill(day(4, 16))
    await desk.market.bill(day(4, 17))

    [note], [invoice] = await notes(desk), await desk.invoices()
    assert (note.purpose, note.total) == (Purpose.REDUCE_DUE, D("10.00"))
    assert (invoice.total, invoice.amount_due) == (D("20.00"), D("10.00"))


@pytest.mark.spec("SUB-6")
async def test_end_without_proration__gives_nothing_back(desk: Desk) -> None:
    held = await desk.take("year")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(5, 1))
    await desk.change(held, Cancellation(), NOW, NONE)

    assert await notes(desk) == []


@pytest.mark.spec("SUB-6", "INV-6")
async def test_last_usage__bears_what_it_can_and_notes_the_rest(desk: Desk) -> None:
    await desk.market.sell(fee("10"), calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await pay(desk)
    await desk.market.use(customer, "4", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Cancellation(), NOW)
    # 15 of 30 days of 10.00: 4.00 on the draft, 1.00 beyond it
    assert [one.total for one in await notes(desk)] == [D("1.00")]
    await desk.market.use(customer, "2", day(4, 2))
    await desk.market.bill(day(4, 16, 17))
    await desk.market.bill(day(5, 1))

    assert await desk.totals() == [D("10.00"), D("2.00")]
    assert await kept(desk) == D("11.00")  # 5.00 and 6 calls


@pytest.mark.spec("SUB-6", "INV-6", "EVT-4")
async def test_last_usage_that_becomes_less__is_made_up_for_when_its_draft_is_final(
    desk: Desk,
) -> None:
    await desk.market.sell(fee("10"), calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await pay(desk)
    key = await desk.market.use(customer, "4", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Cancellation(), NOW)
    await desk.market.take_back(key)
    await desk.market.bill(day(4, 16, 17))

    assert [one.total for one in await notes(desk)] == [D("1.00"), D("4.00")]
    assert await desk.market.balances() == [D("1.00"), D("4.00")]
    assert await kept(desk) == D("5.00")


@pytest.mark.spec("SUB-6", "INV-6")
async def test_downgrade_and_then_the_end__give_back_both(desk: Desk) -> None:
    held = await desk.take("pro")
    await desk.market.bill(day(4, 1))
    await pay(desk)
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("basic"), NOW, INVOICE_NOW)
    assert await notes(desk) == []
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, Cancellation(), NOW)

    # 10 of 30 days of 50.00 and 10 of 20.00: 16.67 + 6.67
    assert await kept(desk) == D("23.34")
    assert [one.total for one in await notes(desk)] == [D("26.66")]


@pytest.mark.spec("SUB-6", "SEAT-1", "INV-6")
async def test_seats_billed_in_between__come_back_from_the_latest_invoice_first(
    desk: Desk,
) -> None:
    held = await desk.take("team", seats=3)
    await desk.market.bill(day(4, 1))
    await pay(desk)
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, quantity(await desk.component(held), 5), NOW, INVOICE_NOW)
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, Cancellation(), NOW)

    # 10 of 30 days of 50.00: 10.00 of the unpaid invoice, the other 6.67 of the paid one
    found = {one.purpose: one.total for one in await notes(desk)}
    assert found == {Purpose.REDUCE_DUE: D("10.00"), Purpose.CREDIT_BALANCE: D("6.67")}
    assert await kept(desk) == D("23.33")
    assert [one.amount_due for one in await desk.invoices()] == [D(0), D(0)]


@pytest.mark.spec("SUB-6", "INV-3", "INV-6")
async def test_period_that_is_on_a_draft_at_the_end__comes_back_when_that_is_final(
    desk: Desk,
) -> None:
    await desk.market.sell(fee("10"), calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await pay(desk)
    await desk.market.use(customer, "4", day(4, 1))
    await desk.market.bill(day(5, 1))
    desk.market.clock.advance(day(5, 1) + timedelta(minutes=30))
    await desk.change(held, Cancellation(), NOW)
    assert await notes(desk) == []
    await desk.market.bill(day(5, 1, 17))
    await desk.market.bill(day(6, 1))

    # 10.00 for April and 4 calls; nothing for May
    assert await kept(desk) == D("14.00")


@pytest.mark.spec("INV-6", "INV-2")
async def test_drafts_finalized_at_once__give_back_once(desk: Desk) -> None:
    await desk.market.sell(fee("10"), calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await desk.market.use(customer, "4", day(4, 1))
    await desk.market.bill(day(5, 1))
    desk.market.clock.advance(day(5, 2))
    await desk.market.use(customer, "3", day(5, 2, 0))
    await desk.change(held, Cancellation(), NOW)
    drafts = [one for one in await desk.invoices() if one.status is InvoiceStatus.DRAFT]
    assert len(drafts) == 2

    async def finalize(one: Invoice) -> None:
        async with desk.market.db.writing(desk.market.merchant_id) as tx:
            await finalize_invoice(tx, desk.market.events, one.id, now=day(5, 3))

    await asyncio.gather(*(finalize(one) for one in drafts))
    await desk.market.bill(day(6, 1))

    # 10.00, 4 calls and 3 calls, and one of 31 days of May
    assert await kept(desk) == D("17.00") + D("0.32")


@pytest.mark.spec("SUB-6", "INV-6", "DSL-4")
async def test_line_that_was_credited_before__gives_back_no_more_than_is_left(desk: Desk) -> None:
    off = price_terms_pb2.Discount(
        amount_off=money("6"), duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
    )
    await desk.sell("less", fee("20", name="Less"), discounts=(off,))
    held = await desk.take("less")
    await desk.market.bill(day(4, 1))
    await pay(desk)
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Cancellation(), NOW)

    # half of what was paid, not of the list price
    assert [one.total for one in await notes(desk)] == [D("7.00")]


@pytest.mark.spec("SUB-6", "INV-6", "INV-7")
async def test_days_that_nobody_paid_for__do_not_come_back_from_what_was_paid(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await pay(desk)
    await desk.market.bill(day(5, 1))
    [_, second] = await desk.invoices()
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await write_off_invoice(tx, desk.market.clock, second.id, reason="gone")
    desk.market.clock.advance(day(5, 16))
    await desk.change(held, Cancellation(), NOW)

    assert await notes(desk) == []


@pytest.mark.spec("SUB-6", "INV-6")
async def test_days_that_an_earlier_plan_paid_for__come_back_from_that_plans_invoice(
    desk: Desk,
) -> None:
    held = await desk.take("year")
    await desk.market.bill(day(4, 1))
    await pay(desk)
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, to_plan("basic"), NOW)
    await desk.market.bill(day(5, 1))
    [_, second] = await desk.invoices()
    # 13.33 for April and 20.00 for May, all of it out of what the year gives back
    assert (second.total, second.amount_due) == (D(0), D(0))
    desk.market.clock.advance(day(5, 11))
    await desk.change(held, Cancellation(), NOW)

    # 10 of 365 days of 1,200.00, 20 of 30 and 10 of 31 days of 20.00
    assert await kept(desk) == D("32.88") + D("13.33") + D("6.45")
    year = (await desk.invoices())[0]
    assert {one.invoice_id for one in await notes(desk)} == {year.id}
    assert sum(await desk.market.balances()) == D(1200) - await kept(desk)


@pytest.mark.spec("SUB-6", "DSL-10", "INV-6")
@pytest.mark.parametrize(
    ("fixed", "want"),
    [
        # 15 of 30 days: the fee comes to 30.00, the commitment to 50.00
        ("60", "50.00"),
        # 100.00 is more than its half of the commitment
        ("200", "100.00"),
    ],
)
async def test_end_within_a_commitment__keeps_its_part_for_the_days(
    desk: Desk, fixed: str, want: str
) -> None:
    await desk.market.sell(
        fee(fixed),
        commitment=price_terms_pb2.MinimumCommitment(
            amount=money("100"), recurrence_rule="FREQ=MONTHLY"
        ),
    )
    held = await desk.take("plan")
    await desk.market.bill(day(4, 1))
    await pay(desk)
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, Cancellation(), NOW)
    await desk.market.bill(day(5, 2))

    assert await kept(desk) == D(want)
