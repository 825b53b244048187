"""The next invoice is shown as it will come, with what is planned until then done, and without a trace (INV-5)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from candela_server.billing import credit_note_store
from candela_server.billing.model import Invoice
from candela_server.billing.preview_next_invoice import preview_next_invoice
from candela_server.subscription.change import (
    Cancellation,
    Change,
    Pause,
    Resume,
    ScheduledStatus,
)
from candela_server.subscription.migration import MoveTiming
from candela_server.subscription.model import Proration, Status, Subscription

from tests.helpers.changing import AT, NOW, PERIOD_END, Desk, quantity, to_plan
from tests.helpers.market import Market, calls, fee, flat
from tests.integration.billing.test_changed_subscriptions import seats
from tests.integration.billing.test_subscription_lives import bringing, day, sell_trial


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026: "basic" at 20.00, "pro" at 50.00, "team" at 10.00 a seat, all monthly and in advance; "plan"
    as "basic", and 1.00 a call beyond 100."""
    market.clock.advance(day(4, 1))
    await market.sell(fee("20"), calls(flat("1")), request=bringing("100", existing=False))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    await made.sell("pro", fee("50", name="Pro"))
    await made.sell("team", seats("10"))
    return made


async def shown_next(desk: Desk, held: Subscription) -> Invoice | None:
    async with desk.market.db.rehearsing(desk.market.merchant_id) as tx:
        return await preview_next_invoice(tx, desk.market.events, desk.market.clock, held.id)


def said(invoice: Invoice | None) -> list[tuple[str, str]]:
    """What its lines say and come to."""
    lines = invoice.lines if invoice else ()
    return [(line.description, f"{line.amount:.2f}") for line in lines]


async def billed_at(desk: Desk, month: int, of_month: int) -> list[tuple[str, str]]:
    """What the invoices say that are new when the worker has been there at that instant."""
    before = len(await desk.invoices())
    await desk.market.bill(day(month, of_month))
    return [line for one in (await desk.invoices())[before:] for line in said(one)]


@pytest.mark.spec("INV-5", "SUB-6")
async def test_end_at_the_period_s_end__leaves_no_next_invoice(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, Cancellation(), PERIOD_END)

    shown = await shown_next(desk, held)

    assert shown is None
    assert await billed_at(desk, 5, 1) == []


@pytest.mark.spec("INV-5", "SEAT-4")
async def test_seats_that_go_at_the_period_s_end__are_not_on_the_next_invoice(desk: Desk) -> None:
    held = await desk.take("team", seats=5)
    await desk.market.bill(day(4, 1))
    await desk.change(held, quantity(await desk.component(held), 2))

    shown = said(await shown_next(desk, held))

    assert [amount for _, amount in shown] == ["20.00"]
    assert await billed_at(desk, 5, 1) == shown


@pytest.mark.spec("INV-5", "SUB-5")
@pytest.mark.parametrize(
    ("plan", "change", "proration", "comes_on"),
    [
        ("basic", to_plan("pro"), Proration.NEXT_INVOICE, (5, 1)),
        # It is billed by itself, so that its own invoice is the next one.
        ("basic", to_plan("pro"), Proration.INVOICE_NOW, (4, 16)),
        ("basic", to_plan("pro"), Proration.NONE, (5, 1)),
        # Without what it would follow it is refused at its time, and bills nothing else.
        ("basic", Resume(), Proration.NEXT_INVOICE, (5, 1)),
        ("basic", Pause(resume_at=day(5, 11)), Proration.NEXT_INVOICE, (6, 1)),
        # Usage is cut off, and nothing else is due that it could wait for.
        ("plan", Pause(resume_at=day(5, 11)), Proration.NEXT_INVOICE, (4, 16)),
        ("plan", to_plan("pro"), Proration.NEXT_INVOICE, (5, 1)),
    ],
)
async def test_change_that_comes_before_it__is_on_the_next_invoice(
    desk: Desk, plan: str, change: Change, proration: Proration, comes_on: tuple[int, int]
) -> None:
    held = await desk.take(plan)
    await desk.market.bill(day(4, 1))
    await desk.change(held, change, AT, proration, effective_at=day(4, 16))

    shown = said(await shown_next(desk, held))

    assert shown != []
    for earlier in [(4, 16), (5, 1), (5, 11), (6, 1)]:
        if found := await billed_at(desk, *earlier):
            assert (earlier, found) == (comes_on, shown)
            return
    pytest.fail("nothing was billed")


@pytest.mark.spec("INV-5", "SUB-5")
async def test_change_that_comes_later__is_not_on_the_next_invoice(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, to_plan("pro"), AT, effective_at=day(5, 11))

    shown = said(await shown_next(desk, held))

    assert [amount for _, amount in shown] == ["20.00"]
    assert await billed_at(desk, 5, 1) == shown


@pytest.mark.spec("INV-5", "TRL-2")
async def test_next_invoice_of_a_trial__is_the_first_of_the_plan_that_it_leads_to(
    desk: Desk,
) -> None:
    await sell_trial(desk, "pro")
    held = await desk.take("trial")
    await desk.market.bill(day(4, 1))

    shown = said(await shown_next(desk, held))

    assert [amount for _, amount in shown] == ["50.00"]
    assert await billed_at(desk, 4, 15) == shown


@pytest.mark.spec("INV-5", "SUB-5")
async def test_look_at_what_comes__does_nothing_of_it(desk: Desk) -> None:
    held = await desk.take("team", seats=5)
    await desk.market.bill(day(4, 1))
    await desk.change(held, quantity(await desk.component(held), 2))

    first, second = await shown_next(desk, held), await shown_next(desk, held)

    assert said(first) == said(second)
    now = await desk.now(held)
    assert (now.version.status, now.version.number) == (Status.ACTIVE, 1)
    assert [one.status for one in await desk.planned(held)] == [ScheduledStatus.PENDING]


@pytest.mark.spec("SUB-6", "SUB-5")
@pytest.mark.parametrize("timing", [NOW, PERIOD_END])
async def test_next_invoice_of_a_previewed_change__knows_what_was_planned_before(
    desk: Desk, timing: MoveTiming
) -> None:
    held = await desk.take("team", seats=5)
    await desk.market.bill(day(4, 1))
    only = await desk.component(held)
    await desk.change(held, quantity(only, 2), PERIOD_END)

    preview = await desk.preview(held, quantity(only, 6), timing)
    await desk.change(held, quantity(only, 6), timing)

    assert said(preview.next_invoice) == said(await shown_next(desk, held))
    assert await billed_at(desk, 5, 1) == said(preview.next_invoice)


@pytest.mark.spec("SUB-6", "SUB-5")
@pytest.mark.parametrize("plan", ["basic", "plan"])
@pytest.mark.parametrize("proration", list(Proration))
@pytest.mark.parametrize("change", [Cancellation(), to_plan("pro"), Pause(resume_at=None)])
async def test_preview_of_a_change_after_the_next_invoice__is_what_it_bills_at_its_time(
    desk: Desk, change: Change, proration: Proration, plan: str
) -> None:
    held = await desk.take(plan)
    await desk.market.bill(day(4, 1))
    before = len(await desk.invoices())

    shown = await desk.preview(held, change, AT, proration, effective_at=day(5, 11))
    assert len(await desk.invoices()) == before
    await desk.change(held, change, AT, proration, effective_at=day(5, 11))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 16))
    regular = len(await desk.invoices())
    await desk.market.bill(day(5, 11))
    at_once = [said(one) for one in (await desk.invoices())[regular:]]
    await desk.market.bill(day(6, 1))
    later = [said(one) for one in (await desk.invoices())[regular + len(at_once) :]]

    told = [said(one) for one in shown.invoices]
    following = [said(shown.next_invoice)] if shown.next_invoice else []
    assert [*told, *following] == [*at_once, *later][: len(told) + len(following)]
    assert (following == []) is ([*at_once, *later][len(told) :] == [])
    assert [one.total for one in shown.credit_notes] == await given_back(desk)


@pytest.mark.spec("SUB-6", "SUB-5")
async def test_preview_of_a_change_after_the_end__shows_nothing(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    await desk.change(held, Cancellation(), PERIOD_END)

    shown = await desk.preview(held, to_plan("pro"), AT, effective_at=day(5, 11))

    assert (shown.invoices, shown.credit_notes, shown.next_invoice) == ([], [], None)


async def given_back(desk: Desk) -> list[Decimal]:
    """What the credit notes come to."""
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        notes = await credit_note_store.page_credit_notes(
            tx, invoice_id=None, limit=100, after=None
        )
    return [one.total for one in notes]
