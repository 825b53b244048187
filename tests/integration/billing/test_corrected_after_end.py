"""Usage that is taken back after its subscription has ended is given back by credit note, once (EVT-9, INV-6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_terms_pb2

from candela_server.billing.create_credit_note import create_credit_note
from candela_server.billing.credit_note import CreditNoteReason, Purpose
from candela_server.billing.draw_up_credit_note import CreateCreditNote
from candela_server.billing.model import InvoiceStatus, InvoiceTransitionRefusedError, LineKind
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.billing.update_tax_settings import UpdateTaxSettings, update_tax_settings
from candela_server.customer.model import CustomerById
from candela_server.customer.read import get_customer
from candela_server.kernel.money import Money
from candela_server.subscription.change import Cancellation, Reactivation
from candela_server.subscription.model import Subscription

from tests.helpers.changing import NOW, Desk
from tests.helpers.market import Market, calls, fee, flat, money
from tests.helpers.taxes import settings
from tests.helpers.thresholds import look as look_ahead
from tests.integration.billing.test_late_corrections import grant_calls
from tests.integration.billing.test_late_usage_after_end import ENDS, USED, look
from tests.integration.billing.test_voided_ends import notes, pay, void

D = Decimal
BILLED = ENDS + timedelta(hours=2)
"""When the last invoice is finalized."""
_COMMITMENT = price_terms_pb2.MinimumCommitment(amount=money("280"), recurrence_rule="FREQ=MONTHLY")


async def end(
    desk: Desk, *used: str, credit: str = "0", business_name: str | None = None
) -> tuple[Subscription, list[str]]:
    """A subscription that used so much and has ended, and the keys of its events; its last invoice is finalized."""
    market = desk.market
    customer = await market.sign_up(business_name=business_name)
    if D(credit):
        await grant_calls(market, customer, credit)
    held = await desk.take("plan", customer=customer)
    market.clock.advance(USED)
    keys = [await market.use(customer, one, USED) for one in used]
    market.clock.advance(ENDS)
    await desk.change(held, Cancellation(), NOW)
    await market.bill(BILLED)
    return held, keys


async def tax(desk: Desk, percent: str) -> None:
    async with desk.market.db.writing(desk.market.merchant_id) as tx:
        await update_tax_settings(
            tx,
            UpdateTaxSettings(
                settings=settings("default_rate", percent=percent), expected_version=None
            ),
        )


async def later(desk: Desk, days: int = 1) -> int:
    """What looks find, again and again, some days after the end."""
    found = [
        await look(desk.market, ENDS + timedelta(days=days, minutes=minutes))
        for minutes in (30, 60)
    ]
    assert found[1] == 0
    return found[0]


@pytest.mark.spec("EVT-9", "INV-6")
@pytest.mark.parametrize("days", [1, 20, 34, 100])
async def test_usage_voided_days_after_the_end__lowers_what_is_due_of_its_invoice_once(
    market: Market, days: int
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    _, [_, key] = await end(desk, "3", "4")
    market.clock.advance(ENDS + timedelta(days=days))
    await market.take_back(key)

    assert await later(desk, days) == 1
    [note], [invoice] = await notes(desk), await desk.invoices()
    assert (note.invoice_id, note.total, note.purpose) == (invoice.id, D(4), Purpose.REDUCE_DUE)
    assert [line.invoice_line_id for line in note.lines] == [invoice.lines[0].id]
    assert note.reason is CreditNoteReason.OTHER
    assert note.memo == "Usage taken back: Calls × -4, 31 Jan – 10 Feb 2026"
    assert (invoice.status, invoice.amount_due) == (InvoiceStatus.FINALIZED, D(3))


@pytest.mark.spec("EVT-9", "INV-6")
async def test_usage_of_a_paid_invoice_voided_after_the_end__goes_to_the_account(
    market: Market,
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    _, [first, second] = await end(desk, "3", "4")
    await pay(desk, 0)
    await market.take_back(first)
    assert await later(desk) == 1
    await market.take_back(second)
    assert await later(desk, 2) == 1

    assert [(note.total, note.purpose) for note in await notes(desk)] == [
        (D(3), Purpose.CREDIT_BALANCE),
        (D(4), Purpose.CREDIT_BALANCE),
    ]
    assert sorted(await market.balances()) == [D(3), D(4)]


@pytest.mark.spec("EVT-9", "INV-6", "TAX-2")
async def test_usage_given_back_after_the_rate_has_changed__takes_its_own_tax_with_it(
    market: Market,
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    await tax(desk, "10")
    _, [_, key] = await end(desk, "30", "40", business_name="Acme Ltd")
    await tax(desk, "25")
    await market.take_back(key)
    await later(desk)

    [note], [invoice] = await notes(desk), await desk.invoices()
    assert (note.subtotal, note.tax_amount, note.total) == (D(40), D(4), D(44))
    assert (invoice.total, invoice.amount_due) == (D(77), D(33))


@pytest.mark.spec("EVT-9", "INV-6")
async def test_usage_that_comes_and_goes_after_the_end__comes_to_what_was_used(
    market: Market,
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    held, [_, key] = await end(desk, "30", "40")
    await market.take_back(key)
    await later(desk)
    async with market.db.reading(market.merchant_id) as tx:
        customer = await get_customer(tx, CustomerById(held.customer_id))
    key = await market.use(customer, "50", USED)
    assert await later(desk, 2) == 1
    await market.bill(ENDS + timedelta(days=2, hours=3))
    await market.take_back(key)
    assert await later(desk, 3) == 1

    # 70 − 40 + 50 − 50: the last note is on the invoice that billed the late usage
    assert await desk.totals() == [D(70), D(50)]
    first, second = await desk.invoices()
    assert [(note.invoice_id, note.total) for note in await notes(desk)] == [
        (first.id, D(40)),
        (second.id, D(50)),
    ]


@pytest.mark.spec("EVT-9", "SUB-6")
async def test_usage_that_days_given_back_had_paid_for__comes_back_on_the_invoice_of_the_days(
    market: Market,
) -> None:
    """1200.00 × 355 ÷ 365 = 1167.12 comes back for days; 500.00 of it had paid for the usage."""
    desk = Desk(market)
    await market.sell(fee("1200", rule="FREQ=YEARLY"), calls(flat("1")))
    market.clock.advance(datetime(2026, 1, 31, 15, tzinfo=UTC))
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    await market.bill(datetime(2026, 1, 31, 15, tzinfo=UTC))
    await pay(desk, 0)
    market.clock.advance(USED)
    key = await market.use(customer, "500", USED)
    market.clock.advance(ENDS)
    await desk.change(held, Cancellation(), NOW)
    await market.bill(BILLED)
    await market.take_back(key)
    await later(desk)

    first, last = await desk.invoices()
    assert [line.amount for line in last.lines] == [D(500), D(-500)]
    assert [(note.invoice_id, note.total) for note in await notes(desk)] == [
        (first.id, D("1167.12") - 500),
        (first.id, D(500)),
    ]


@pytest.mark.spec("EVT-9", "CRD-5", "CRD-7")
async def test_usage_that_credits_paid_for__goes_back_to_them(market: Market) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    _, keys = await end(desk, "70", "60", credit="100")
    assert await market.balances() == [D(0)]
    await market.take_back(keys[1])
    await later(desk)

    # 130 calls cost 30.00, and 70 nothing; of the 100 credits 30 are there again
    assert [note.total for note in await notes(desk)] == [D(30)]
    assert await market.balances() == [D(30)]
    invoices = await desk.invoices()
    assert [(one.total, one.status) for one in invoices[1:]] == [(D(0), InvoiceStatus.PAID)]
    assert [line.kind for line in invoices[1].lines] == [LineKind.ADJUSTMENT]
    assert await reconcile_credits(market.db, market.merchant_id) == []


@pytest.mark.spec("EVT-9", "DSL-10")
async def test_usage_below_the_commitment__does_not_come_back(market: Market) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")), commitment=_COMMITMENT)
    _, keys = await end(desk, "70", "60")
    [billed] = await desk.invoices()
    await market.take_back(keys[0])
    await later(desk)
    await market.take_back(keys[1])
    await later(desk, 2)

    # 10 of 28 days at 280.00 are 100.00 at least
    assert billed.total == D(130)
    assert [note.total for note in await notes(desk)] == [D(30)]


@pytest.mark.spec("EVT-9", "INV-6")
async def test_usage_credited_by_hand__comes_back_no_more_than_was_charged(market: Market) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    _, [first, second] = await end(desk, "3", "4")
    [invoice] = await desk.invoices()
    async with market.db.writing(market.merchant_id) as tx:
        await create_credit_note(
            tx,
            market.clock,
            CreateCreditNote(
                invoice_id=invoice.id,
                lines={invoice.lines[0].id: Money(currency="USD", amount=D(5))},
                purpose=Purpose.REDUCE_DUE,
                reason=CreditNoteReason.OTHER,
                memo="",
            ),
        )
    await market.take_back(first)
    await market.take_back(second)
    await later(desk)

    assert [note.total for note in await notes(desk)] == [D(5), D(2)]


@pytest.mark.spec("EVT-9", "INV-6", "SUB-7")
async def test_usage_given_back_and_the_subscription_taken_up_again__is_on_no_later_invoice(
    market: Market,
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    held, [_, key] = await end(desk, "3", "4")
    await market.take_back(key)
    await later(desk)
    await desk.change(held, Reactivation(price_id=None), NOW)
    await market.bill(ENDS + timedelta(days=60))
    await market.bill(ENDS + timedelta(days=61))

    assert len(await notes(desk)) == 1
    lines = [line for one in (await desk.invoices())[1:] for line in one.lines]
    assert {line.kind for line in lines} == {LineKind.USAGE}
    assert sum(line.amount for line in lines) == D(0)


@pytest.mark.spec("EVT-9", "INV-8")
async def test_threshold_invoice_of_usage_voided_after_the_end__bears_what_it_billed(
    market: Market,
) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")), threshold=money("50"))
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    market.clock.advance(USED)
    key = await market.use(customer, "60", USED)
    await look_ahead(market, USED)
    market.clock.advance(ENDS)
    await market.use(customer, "5", ENDS - timedelta(hours=1))
    await desk.change(held, Cancellation(), NOW)
    await market.bill(BILLED)
    await market.take_back(key)
    await later(desk)

    ahead, last = await desk.invoices()
    assert (ahead.total, last.total) == (D(60), D(5))
    assert [(note.invoice_id, note.total) for note in await notes(desk)] == [
        (last.id, D(5)),
        (ahead.id, D(55)),
    ]


@pytest.mark.spec("INV-6", "EVT-9")
async def test_invoice_with_usage_given_back__is_not_voided(market: Market) -> None:
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    _, [_, key] = await end(desk, "3", "4")
    await market.take_back(key)
    await later(desk)

    with pytest.raises(InvoiceTransitionRefusedError, match="a credit note corrects it"):
        await void(desk, 0)


@pytest.mark.spec("EVT-9", "INV-6")
async def test_last_invoice_that_gave_usage_back_voided_long_after__gives_it_back_by_note(
    market: Market,
) -> None:
    """February's calls were corrected in March, and the invoice of March's part, which said so, is void in June."""
    desk = Desk(market)
    await market.sell(calls(flat("1")))
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    market.clock.advance(USED)
    key, _ = [await market.use(customer, one, USED) for one in ("40", "60")]
    await market.bill(datetime(2026, 2, 28, 15, tzinfo=UTC))
    await market.bill(datetime(2026, 2, 28, 17, tzinfo=UTC))
    march = datetime(2026, 3, 10, 15, tzinfo=UTC)
    market.clock.advance(march)
    await market.take_back(key)
    await market.use(customer, "70", march - timedelta(hours=1))
    await desk.change(held, Cancellation(), NOW)
    await market.bill(march + timedelta(hours=2))
    before = await desk.totals()
    market.clock.advance(march + timedelta(days=100))
    await void(desk, 1)
    found = [
        await look(market, march + timedelta(days=100, minutes=minutes)) for minutes in (30, 60)
    ]

    assert before == [D(100), D(30)]
    assert found == [1, 0]
    [note], [first, _] = await notes(desk), await desk.invoices()
    assert (note.invoice_id, note.total) == (first.id, D(40))
