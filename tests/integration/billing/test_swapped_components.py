"""One component of a subscription's price is replaced by another, with the arithmetic written out (SUB-6, SUB-8)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from candela.catalog.v1 import credit_definition_pb2, plan_service_pb2, price_pb2, price_terms_pb2

from candela_server.billing.model import LineKind
from candela_server.catalog import read as catalog
from candela_server.catalog.refs import BySlug
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.subscription.change import Cancellation, ScheduledStatus
from candela_server.subscription.change_plan import OtherCurrencyError
from candela_server.subscription.model import Proration, TransitionRefusedError

from tests.helpers.changing import NOW, PERIOD_END, Desk, quantity, swap, to_plan, to_price
from tests.helpers.market import USAGE, Market, calls, fee, flat, graduated, money
from tests.integration.billing.test_changed_subscriptions import seats

D = Decimal
INVOICE_NOW = Proration.INVOICE_NOW


def day(month: int, of_month: int, hour: int = 15) -> datetime:
    return datetime(2026, month, of_month, hour, tzinfo=UTC)


@pytest.fixture
async def desk(market: Market) -> Desk:
    """It is 1 April 2026, 15:00; "basic" is 20.00 a month."""
    market.clock.advance(day(4, 1))
    made = Desk(market)
    await made.sell("basic", fee("20", name="Basic"))
    return made


@pytest.mark.spec("SUB-6", "SUB-3")
async def test_usage_component_that_is_swapped__is_billed_up_to_the_swap_and_the_new_one_from_it(
    desk: Desk,
) -> None:
    await desk.market.sell(fee("10"), calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await desk.market.use(customer, "3", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    going = await desk.component(held, 1)

    changed = await desk.change(held, swap(going, calls(flat("2"))))
    await desk.market.use(customer, "7", day(4, 16))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))
    await desk.market.bill(day(6, 1))
    await desk.market.bill(day(6, 1, 17))

    # 3 × 1.00 before and 7 × 2.00 after the swap; the fee is 10.00 for each month, and no day of it is cut
    assert await desk.market.lines() == [
        [("recurring", "10.00")],
        [("usage", "3.00"), ("usage", "14.00"), ("recurring", "10.00")],
        [("usage", "0.00"), ("recurring", "10.00")],
    ]
    before, after = await desk.history(held)
    assert before.version.price_id != after.version.price_id
    assert changed.subscription.version == after.version
    assert (await desk.now(held, as_of=day(4, 10))).version.price_id == before.version.price_id


@pytest.mark.spec("SUB-6", "DSL-3")
async def test_swap_of_a_fee__leaves_the_tiers_of_usage_where_they_were(desk: Desk) -> None:
    await desk.market.sell(fee("10"), calls(graduated()))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await desk.market.use(customer, "800", day(4, 1))
    desk.market.clock.advance(day(4, 11))

    await desk.change(held, swap(await desk.component(held), fee("40", name="Support")))
    await desk.market.use(customer, "400", day(4, 11))
    await desk.market.bill(day(5, 1))

    # 1000 × 0.10 + 200 × 0.05 = 110.00 in one line; 20 of 30 days: −6.67 and +26.67; May costs 40.00
    last = (await desk.invoices())[-1]
    assert sorted((line.kind, line.amount) for line in last.lines) == [
        (LineKind.PRORATION, D("-6.67")),
        (LineKind.PRORATION, D("26.67")),
        (LineKind.RECURRING, D("40.00")),
        (LineKind.USAGE, D("110.00")),
    ]


@pytest.mark.spec("SUB-6", "INV-5")
async def test_preview_of_a_swap_billed_at_once__is_what_it_bills(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    wanted = swap(await desk.component(held), fee("50", name="Plus"))

    preview = await desk.preview(held, wanted, proration=INVOICE_NOW)
    assert len(await desk.history(held)) == 1
    await desk.change(held, wanted, proration=INVOICE_NOW)

    # 20 of 30 days: 20.00 × 20 ÷ 30 = 13.33 back, 50.00 × 20 ÷ 30 = 33.33 due
    assert [one.total for one in preview.invoices] == [D("20.00")]
    assert preview.next_invoice is not None
    assert preview.next_invoice.total == D("50.00")
    assert await desk.totals() == [D("20.00"), D("20.00")]
    assert (await desk.texts())[1] == [
        "Basic, 1 Apr – 1 May 2026: 10 of 30 days at 20.00; 20.00 billed before",
        "Plus, 1 Apr – 1 May 2026: 20 of 30 days at 50.00",
    ]


@pytest.mark.spec("SUB-6", "SUB-4")
async def test_swap_and_the_way_back_on_one_day__cost_nothing(desk: Desk) -> None:
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, swap(await desk.component(held), fee("50", name="Plus")))
    await desk.change(held, to_price(held.version.price_id))
    await desk.market.bill(day(5, 1))

    assert await desk.market.lines() == [[("recurring", "20.00")], [("recurring", "20.00")]]


@pytest.mark.spec("SUB-6")
async def test_swap_by_the_same_component__changes_nothing(desk: Desk) -> None:
    held = await desk.take("basic")

    changed = await desk.change(held, swap(await desk.component(held), fee("20", name="Basic")))

    assert changed.at is None
    assert len(await desk.history(held)) == 1


@pytest.mark.spec("SUB-6", "SEAT-1")
async def test_seats_that_are_swapped__are_held_of_the_component_that_comes(desk: Desk) -> None:
    await desk.sell("team", fee("5", name="Base"), seats("10"), fee("1", name="Extra"))
    held = await desk.take("team", seats=3)
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 16))
    coming = seats("20")
    coming.name = "Power seat"

    await desk.change(held, swap(await desk.component(held, 1), coming), proration=INVOICE_NOW)
    now = await desk.now(held)
    component = await desk.component(held, 1)
    await desk.change(held, quantity(component, 4), proration=INVOICE_NOW)

    # 15 of 30 days: 3 × (20.00 − 10.00) ÷ 2 = 15.00; then one more, 20.00 ÷ 2 = 10.00
    assert now.version.quantities == {component: D(3)}
    assert await desk.totals() == [D("36.00"), D("15.00"), D("10.00")]


@pytest.mark.spec("SUB-6", "SUB-5")
async def test_swap_at_the_periods_end__waits_and_is_made_to_the_terms_of_then(desk: Desk) -> None:
    await desk.sell("two", fee("10", name="One"), fee("20", name="Two"))
    held = await desk.take("two")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    one, two = await desk.component(held), await desk.component(held, 1)

    changed = await desk.change(held, swap(one, fee("15", name="New one")), PERIOD_END)
    await desk.change(held, swap(two, fee("25", name="New two")), proration=INVOICE_NOW)
    assert changed.scheduled is not None
    assert changed.scheduled.change == swap(one, fee("15", name="New one"))
    await desk.market.bill(day(5, 1))

    # 20 of 30 days of 25.00 − 20.00 = 3.33 (16.67 − 13.34); May costs 15.00 + 25.00
    assert await desk.totals() == [D("30.00"), D("3.34"), D("40.00")]
    assert [one.status for one in await desk.planned(held)] == [ScheduledStatus.APPLIED]
    assert await desk.component(held, 0) != one
    assert len(await desk.history(held)) == 3


@pytest.mark.spec("SUB-8", "CAT-5")
async def test_swapped_component__is_on_no_other_subscription_and_not_on_sale(desk: Desk) -> None:
    customer = await desk.market.sign_up()
    held = await desk.take("basic", customer=customer)
    other = await desk.take("basic", customer=customer)
    await desk.change(held, swap(await desk.component(held), fee("50", name="Plus")))

    third = await desk.take("basic", customer=customer)
    assert (await desk.now(other)).version.price_id == other.version.price_id
    assert third.version.price_id == other.version.price_id
    async with desk.market.db.reading(desk.market.merchant_id) as tx:
        plan = await catalog.get_plan(tx, BySlug("basic"))
        on_sale = await catalog.list_prices_on_sale(tx, plan.id)
        own = await catalog.get_price(tx, (await desk.now(held)).version.price_id)
    assert [price.id for price in on_sale] == [other.version.price_id]
    assert own.private_customer_id == customer.id
    assert own.sold_as == other.version.price_id


@pytest.mark.spec("SUB-6", "DSL-4")
async def test_amount_off_the_price_after_a_swap__is_taken_once_a_period(desk: Desk) -> None:
    off = price_terms_pb2.Discount(
        amount_off=money("6"), duration=price_terms_pb2.DISCOUNT_DURATION_FOREVER
    )
    await desk.market.sell(fee("10"), calls(flat("1")), discounts=(off,))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await desk.market.use(customer, "5", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, swap(await desk.component(held, 1), calls(flat("2"))))
    await desk.market.use(customer, "5", day(4, 16))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))

    # April's 6.00 were taken off the fee; its usage costs 5.00 + 10.00, and May's fee 4.00
    assert await desk.totals() == [D("4.00"), D("19.00")]


@pytest.mark.spec("SUB-6", "DSL-7", "CRD-7")
async def test_included_credits__pay_for_the_component_that_charges_the_same_metric(
    desk: Desk,
) -> None:
    request = plan_service_pb2.CreatePlanRequest()
    request.credit_definitions.append(
        credit_definition_pb2.NewCreditDefinition(
            name="included",
            scope=credit_definition_pb2.CREDIT_SCOPE_COMPONENT,
            application_type=credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
            feature="calls",
            default_amount="10",
            renew_on_billing=True,
            billing_visible=True,
        )
    )
    await desk.market.sell(fee("10"), calls(flat("1")), request=request)
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.bill(day(4, 1))
    await desk.market.use(customer, "4", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, swap(await desk.component(held, 1), calls(flat("2"))))
    await desk.market.use(customer, "8", day(4, 16))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))
    await desk.market.use(customer, "11", day(5, 1, 17))
    await desk.market.bill(day(6, 1))
    await desk.market.bill(day(6, 1, 17))

    # April: 4 are covered before; 8 × 2.00 less 6 × 2.00 after. May: 11 × 2.00 less 10 × 2.00
    assert [sorted(lines) for lines in await desk.market.lines()] == [
        [("recurring", "10.00")],
        [
            ("recurring", "10.00"),
            ("usage", "16.00"),
            ("usage", "4.00"),
            ("usage_credit", "-12.00"),
            ("usage_credit", "-4.00"),
        ],
        [("recurring", "10.00"), ("usage", "22.00"), ("usage_credit", "-20.00")],
    ]


@pytest.mark.spec("SUB-6", "CRD-6")
async def test_usage_swapped_for_a_fee__is_billed_to_the_swap_and_nothing_after(desk: Desk) -> None:
    await desk.market.sell(calls(flat("1")))
    customer = await desk.market.sign_up()
    held = await desk.take("plan", customer=customer)
    await desk.market.use(customer, "4", day(4, 1))
    desk.market.clock.advance(day(4, 16))
    await desk.change(held, swap(await desk.component(held), fee("30", name="Flat")))
    await desk.market.use(customer, "8", day(4, 16))
    await desk.market.bill(day(5, 1))
    await desk.market.bill(day(5, 1, 17))

    # 4 × 1.00; 15 of 30 days of 30.00; May's 30.00
    assert [sorted(lines) for lines in await desk.market.lines()] == [
        [("proration", "15.00"), ("recurring", "30.00"), ("usage", "4.00")]
    ]


@pytest.mark.spec("SUB-6")
async def test_swap_that_cannot_be__is_refused_with_the_field(desk: Desk) -> None:
    held = await desk.take("basic")
    component = await desk.component(held)
    euros = fee("20", name="Euro")
    euros.charge.flat.unit_price.currency = "EUR"
    unknown = price_pb2.PriceComponent(
        name="Calls", kind=USAGE, recurrence_rule="FREQ=MONTHLY", metric="none", charge=flat("1")
    )

    with pytest.raises(OtherCurrencyError) as currency:
        await desk.change(held, swap(component, euros))
    assert [one.field for one in currency.value.violations] == ["component"]
    with pytest.raises(InvalidInput) as metric:
        await desk.change(held, swap(component, unknown))
    assert [(one.field, one.reason) for one in metric.value.violations] == [
        ("component.metric", Reason.METRIC_NOT_FOUND)
    ]
    other = await desk.take("basic")
    await desk.change(held, swap(component, fee("1", name="One")))
    with pytest.raises(InvalidInput) as gone:
        await desk.change(held, swap(component, fee("2", name="Two")))
    assert [one.field for one in gone.value.violations] == ["price_component_id"]
    await desk.change(other, Cancellation(), NOW)
    with pytest.raises(TransitionRefusedError):
        await desk.change(other, swap(component, fee("2", name="Two")))


@pytest.mark.spec("SUB-6", "SUB-3")
async def test_move_to_another_plan_after_a_swap__leaves_the_swapped_component(desk: Desk) -> None:
    await desk.sell("pro", fee("50", name="Pro"))
    held = await desk.take("basic")
    await desk.market.bill(day(4, 1))
    desk.market.clock.advance(day(4, 11))
    await desk.change(held, swap(await desk.component(held), fee("30", name="Plus")))
    desk.market.clock.advance(day(4, 21))
    await desk.change(held, to_plan("pro"), proration=INVOICE_NOW)

    # 10 of 30 days each of 20.00, 30.00 and 50.00: 6.67 − 20.00 + 10.00 + 16.67
    assert await desk.totals() == [D("20.00"), D("13.34")]
