"""Usage that is taken back after it was billed, while the subscription goes on: its next invoice gives it back, and
credit notes give what that cannot bear (EVT-4, INV-6).

See docs/giving-back.md. Calls cost 1.00; 8 of February are billed, and voided in March.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from candela.catalog.v1 import price_pb2

from candela_server.billing.credit_note import CreditNote, Purpose
from candela_server.billing.preview_given_back import preview_given_back
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.billing.settle_taken_back import settle_taken_back
from candela_server.customer.model import CustomerById
from candela_server.customer.read import get_customer
from candela_server.subscription.change import Cancellation
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import Subscription

from tests.helpers.changing import AT, NOW, PERIOD_END, Desk
from tests.helpers.included_calls import bringing
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_late_usage_after_end import look as look_at_ended
from tests.integration.billing.test_voided_ends import notes, pay

D = Decimal
GRACE = timedelta(hours=2)


def day(month: int, of_month: int) -> datetime:
    return datetime(2026, month, of_month, 15, tzinfo=UTC)


ENDS = {2: day(2, 28), 3: day(3, 31), 4: day(4, 30)}
"""When the periods end, which begin on 31 January."""


async def close(desk: Desk, month: int) -> None:
    """Its period is billed, and that is final."""
    await desk.market.bill(ENDS[month])
    await desk.market.bill(ENDS[month] + GRACE)


async def look(desk: Desk) -> int:
    """What the worker does each hour, twice: the second time nothing is left."""
    market, now = desk.market, desk.market.clock.now()
    first, second = [
        await settle_taken_back(market.db, market.events, market.merchant_id, now=now)
        for _ in range(2)
    ]
    assert second == 0
    return first


async def bill_and_take_back(
    desk: Desk, *components: price_pb2.PriceComponent, is_paid: bool = True, included: str = "0"
) -> Subscription:
    """It is 10 March; what February's invoice charged for calls is owed no more."""
    market = desk.market
    request = bringing(included, existing=False) if D(included) else None
    await market.sell(calls(flat("1")), *components, request=request)
    customer = await market.sign_up()
    held = await desk.take("plan", customer=customer)
    await market.bill(market.clock.now())
    market.clock.advance(day(2, 10))
    key = await market.use(customer, "8", day(2, 10))
    await close(desk, 2)
    if is_paid:
        for number in range(len(await desk.invoices())):
            await pay(desk, number)
    market.clock.advance(day(3, 10))
    await market.take_back(key)
    return held


async def use(desk: Desk, held: Subscription, amount: str, at: datetime) -> None:
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        customer = await get_customer(tx, CustomerById(held.customer_id))
    desk.market.clock.advance(at)
    await desk.market.use(customer, amount, at)


def told(some: list[CreditNote]) -> list[tuple[Decimal, Purpose, str]]:
    """What notes say."""
    return [(one.total, one.purpose, one.memo) for one in some]


@pytest.mark.spec("EVT-4", "INV-6")
@pytest.mark.parametrize(
    ("is_paid", "purpose"), [(True, Purpose.CREDIT_BALANCE), (False, Purpose.REDUCE_DUE)]
)
async def test_usage_taken_back_and_nothing_charged_after_it__comes_back_by_note_once(
    market: Market, is_paid: bool, purpose: Purpose
) -> None:
    desk = Desk(market)
    await bill_and_take_back(desk, is_paid=is_paid)
    before = await look(desk)
    await close(desk, 3)
    found = await look(desk)
    await close(desk, 4)

    assert (before, found, await look(desk)) == (0, 1, 0)
    [note], [first, *later] = await notes(desk), await desk.invoices()
    assert (note.invoice_id, note.total, note.purpose) == (first.id, D(8), purpose)
    assert [one.total for one in later] == [D(0), D(0)]
    assert first.amount_due == D(0)
    assert await market.balances() == ([D(8)] if is_paid else [])


@pytest.mark.spec("EVT-4", "INV-6")
async def test_next_invoice_that_charges_less__bears_what_it_can_and_a_note_the_rest(
    market: Market,
) -> None:
    desk = Desk(market)
    held = await bill_and_take_back(desk)
    await use(desk, held, "3", day(3, 20))
    await close(desk, 3)
    found = await look(desk)
    await use(desk, held, "4", day(4, 20))
    await close(desk, 4)

    assert (found, await look(desk)) == (1, 0)
    [note] = await notes(desk)
    assert (note.total, note.memo) == (
        D(5),
        "Usage taken back: Calls, 31 Jan – 28 Feb 2026",
    )
    assert await market.lines() == [
        [("usage", "8.00")],
        [("usage", "3.00"), ("adjustment", "-3.00")],
        [("usage", "4.00")],
    ]


@pytest.mark.spec("EVT-4", "INV-6")
async def test_next_invoice_that_charges_enough__bears_all(market: Market) -> None:
    desk = Desk(market)
    await bill_and_take_back(desk, fee("20"))
    await close(desk, 3)

    assert await look(desk) == 0
    assert await notes(desk) == []
    assert (await desk.totals())[-1] == D(12)


@pytest.mark.spec("EVT-4", "INV-3")
async def test_draft__gives_nothing_back_by_note_until_it_is_final(market: Market) -> None:
    desk = Desk(market)
    held = await bill_and_take_back(desk)
    await market.bill(ENDS[3])
    on_draft = await look(desk)
    # It comes in time for the draft, which had borne nothing: the note gives all of it back.
    await use(desk, held, "3", ENDS[3] + timedelta(minutes=5))
    await market.bill(ENDS[3] + GRACE)

    assert (on_draft, await look(desk)) == (0, 1)
    assert [one.total for one in await notes(desk)] == [D(8)]


@pytest.mark.spec("EVT-4", "CRD-5")
async def test_usage_that_credits_had_paid_for__comes_back_by_note_as_far_as_it_cost(
    market: Market,
) -> None:
    desk = Desk(market)
    await bill_and_take_back(desk, included="5")
    await close(desk, 3)

    assert await look(desk) == 1
    assert [one.total for one in await notes(desk)] == [D(3)]


@pytest.mark.spec("EVT-4", "INV-5")
@pytest.mark.parametrize("used", ["0", "3", "9"])
async def test_preview_of_the_next_invoice__shows_the_notes_that_come_after_it(
    market: Market, used: str
) -> None:
    desk = Desk(market)
    held = await bill_and_take_back(desk)
    if D(used):
        await use(desk, held, used, day(3, 20))
    async with market.db.rehearsing(market.merchant_id) as tx:
        invoice = await preview_next_invoice(tx, market.events, market.clock, held.id)
        shown = await preview_given_back(tx, market.events, market.clock, held.id, invoice)
    kept = await notes(desk)
    await close(desk, 3)
    await look(desk)

    assert kept == []
    assert invoice is not None
    assert invoice.total == (await desk.totals())[-1]
    assert told(shown) == told(await notes(desk))
    assert [one.total for one in shown] == [D(8) - D(used)] * (D(used) < 8)


@pytest.mark.spec("EVT-4", "SUB-6")
@pytest.mark.parametrize("used", ["0", "3", "9"])
@pytest.mark.parametrize(
    ("timing", "effective_at"), [(NOW, None), (PERIOD_END, None), (AT, day(4, 10))]
)
async def test_preview_of_an_end__shows_the_notes_that_come_after_the_last_invoice(
    market: Market, timing: MoveTiming, effective_at: datetime | None, used: str
) -> None:
    desk = Desk(market)
    held = await bill_and_take_back(desk)
    if D(used):
        await use(desk, held, used, day(3, 19))
    market.clock.advance(day(3, 20))
    shown = await desk.preview(held, Cancellation(), timing, effective_at=effective_at)
    await desk.change(held, Cancellation(), timing, effective_at=effective_at)
    for month in (3, 4):
        await close(desk, month)
        await look(desk)
        await end_look(desk)

    assert told([*shown.credit_notes]) == told(await notes(desk))
    assert [one.total for one in shown.credit_notes] == [D(8) - D(used)] * (D(used) < 8)


async def end_look(desk: Desk) -> None:
    """What the worker does each hour for those that have ended."""
    market = desk.market
    await look_at_ended(market, market.clock.now())
