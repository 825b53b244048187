"""What holds for every price that the catalog accepts, whatever is used (DSL-3, DSL-4, DSL-10, INV-8, EVT-9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.rules.commitment import counted_charges, periods_ending
from candela_server.billing.rules.invoice_lines import BilledPeriod
from candela_server.billing.rules.late_true_up import true_up_adjustments
from candela_server.billing.rules.late_usage import LatePeriod, adjustment_of, within_total
from candela_server.billing.rules.rate_invoice import InvoiceToRate, TrueUp, rate
from candela_server.catalog.price import (
    Charge,
    Component,
    ComponentKind,
    FlatCharge,
    GraduatedCharge,
    MinimumCommitment,
    Price,
    Tier,
)
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, exact
from candela_server.kernel.time_zone import civil_days, local_date, start_of_day

from tests.helpers.builders import EPOCH, component, grant, offer
from tests.helpers.builders import price as price_of
from tests.helpers.prices import prices

D = Decimal
CURRENCIES = st.sampled_from(["JPY", "USD", "KWD"])
QUANTITIES = st.decimals(min_value=0, max_value=10**6, places=3)
UNIT = {"JPY": D(1), "USD": D("0.01"), "KWD": D("0.001")}
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu"])


def billed(
    price: Price, one: Component, number: int, quantity: Decimal, covered: Decimal
) -> BilledPeriod:
    usage = one.kind is ComponentKind.USAGE
    rule = one.recurrence_in("UTC")
    return BilledPeriod(
        offer=offer(price),
        component=one,
        number=number,
        period=rule.period(EPOCH, number),
        time_zone="UTC",
        held=quantity,
        used=quantity if usage else D(0),
        event_count=D(7) if usage else D(0),
        usage_seen_at=None,
        grants=(grant(f"g{one.id}", balance=str(covered)),) if usage and covered else (),
        line_id=LineId(f"line_{one.id}"),
        credit_line_id=LineId(f"credit_{one.id}"),
        whole=rule.whole_period(EPOCH, number),
    )


def to_rate(price: Price, number: int, quantity: Decimal, covered: Decimal) -> InvoiceToRate:
    return InvoiceToRate(
        offer=offer(price),
        anchor_at=EPOCH,
        time_zone="UTC",
        periods=[billed(price, one, number, quantity, covered) for one in price.components],
    )


def total(lines: Sequence[InvoiceLine]) -> Decimal:
    return sum((line.amount for line in lines), D(0))


@pytest.mark.spec("INV-8", "DSL-3", "DSL-4")
@given(prices(), CURRENCIES, st.integers(0, 40), QUANTITIES, QUANTITIES)
def test_lines_of_any_price__show_whole_minor_units_that_add_up_and_are_never_negative_in_sum(
    price: Price, currency: str, number: int, quantity: Decimal, covered: Decimal
) -> None:
    lines = rate(to_rate(replace(price, currency=currency), number, quantity, covered))

    assert total(lines) >= 0
    for line in lines:
        assert line.amount % UNIT[currency] == 0
        assert all(one.amount >= 0 and one.amount % UNIT[currency] == 0 for one in line.discounts)
        with exact():
            gross = line.amount + sum((one.amount for one in line.discounts), D(0))
        rounded = Money(currency=currency, amount=line.rated_amount).rounded().amount
        if line.kind is LineKind.USAGE_CREDIT:
            # It takes the cent that rounding it and the usage apart would add or lose (CRD-7).
            assert abs(gross - rounded) <= UNIT[currency]
            assert line.amount <= 0
            continue
        if line.used_during is None:
            assert gross == rounded
        if not line.draws and all(one.source_line_id != line.id for one in lines):
            assert line.amount >= 0


@pytest.mark.spec("DSL-3")
@given(prices(), st.integers(0, 40), QUANTITIES)
def test_parts_of_a_line__come_to_what_its_model_charges(
    price: Price, number: int, quantity: Decimal
) -> None:
    for line in rate(to_rate(price, number, quantity, D(0))):
        if line.parts:
            assert line.calculation is not None
            with exact():
                parts = sum((part.amount for part in line.parts), D(0))
            assert parts == line.calculation.model_amount
            if line.calculation.bound is None and line.used_during is None:
                assert parts == line.rated_amount


@pytest.mark.spec("DSL-4")
@given(prices(), st.integers(0, 40), QUANTITIES)
def test_rating_twice__gives_the_same_lines(price: Price, number: int, quantity: Decimal) -> None:
    invoice = to_rate(price, number, quantity, D(5))

    assert rate(invoice) == rate(invoice)


def days() -> st.SearchStrategy[tuple[str, Interval, list[date]]]:
    """A period of 1 to 400 days in some zone, and days of it in order."""

    def build(
        zone: str, first: date, length: int, cuts: set[int]
    ) -> tuple[str, Interval, list[date]]:
        period = Interval(
            start_of_day(first, zone), start_of_day(first + timedelta(days=length), zone)
        )
        inside = sorted(cut % (length + 1) for cut in cuts)
        return zone, period, [first + timedelta(days=cut) for cut in inside]

    return st.builds(
        build,
        ZONES,
        st.dates(date(2023, 1, 1), date(2032, 1, 1)),
        st.integers(1, 400),
        st.sets(st.integers(0, 400), min_size=1, max_size=6),
    )


@pytest.mark.spec("SEAT-1", "INV-8")
@given(days(), CURRENCIES, QUANTITIES)
def test_period_split_at_any_days__costs_the_whole_but_for_one_rounding_of_each_part(
    split: tuple[str, Interval, list[date]], currency: str, quantity: Decimal
) -> None:
    zone, period, cuts = split
    amount = Money(currency=currency, amount=quantity)
    whole_days = civil_days(period, zone)

    # Parts of a split are shares of their own days: from one cut to the next.
    end_day = local_date(period.end_at, zone)
    borders = [whole_days, *((end_day - cut).days for cut in cuts), 0]
    parts = [amount.share(before - after, whole_days).amount for before, after in pairwise(borders)]

    assert abs(sum(parts, D(0)) - quantity) <= UNIT[currency] / 2 * len(parts)


def late_total(price: Price, amounts: Sequence[Decimal]) -> Decimal:
    """What one period costs in all when it is billed with the first amount and then adjusted to each of the others."""
    one = price.components[0]
    own: list[InvoiceLine] = []
    for index, used in enumerate(amounts):
        invoice = InvoiceToRate(
            offer=offer(price),
            anchor_at=EPOCH,
            time_zone="UTC",
            periods=[billed(price, one, 0, used, D(10))],
        )
        if not own:
            own += rate(invoice)
            continue
        line = adjustment_of(
            LatePeriod(line_id=LineId(f"late_{index}"), invoice=invoice, billed=own)
        )
        own += [line] if line else []
    return total(own)


TIERED = GraduatedCharge(
    tiers=(
        Tier(up_to=D(100), unit_price=D("0.333"), flat_fee=D(1)),
        Tier(up_to=None, unit_price=D("0.1")),
    )
)


@pytest.mark.spec("EVT-9", "INV-8")
@given(st.lists(QUANTITIES, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_events_that_come_in_any_order_and_however_late__cost_the_same_in_all(
    amounts: list[Decimal], random: object
) -> None:
    price = price_of(component(ComponentKind.USAGE, TIERED))
    shuffled = list(amounts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def in_steps(parts: Sequence[Decimal]) -> list[Decimal]:
        return [sum(parts[: index + 1], D(0)) for index in range(len(parts))]

    at_once = late_total(price, [sum(amounts, D(0))])
    assert late_total(price, in_steps(amounts)) == at_once
    assert late_total(price, in_steps(shuffled)) == at_once


@pytest.mark.spec("EVT-9")
@given(st.lists(QUANTITIES, min_size=1, max_size=5), QUANTITIES)
def test_corrections_up_and_down__end_at_what_the_last_state_costs(
    states: list[Decimal], last: Decimal
) -> None:
    price = price_of(component(ComponentKind.USAGE, TIERED))

    assert late_total(price, [*states, last]) == late_total(price, [last])


@pytest.mark.spec("EVT-9", "INV-8")
@given(
    st.lists(st.decimals(min_value=0, max_value=1000, places=2), max_size=3),
    st.lists(st.decimals(min_value=-1000, max_value=1000, places=2), max_size=4),
)
def test_adjustments_on_an_invoice__never_make_its_total_negative(
    charges: list[Decimal], differences: list[Decimal]
) -> None:
    price = price_of(component(ComponentKind.FIXED, "1"))
    [line] = rate(to_rate(price, 0, D(0), D(0)))
    lines = [replace(line, amount=amount) for amount in charges]
    wanted = [
        replace(line, kind=LineKind.ADJUSTMENT, amount=amount, quantity=D(0))
        for amount in differences
    ]

    kept = within_total(lines, wanted)

    assert total([*lines, *kept]) == max(total([*lines, *wanted]), D(0))


@pytest.mark.spec("DSL-10")
@given(QUANTITIES, QUANTITIES)
def test_lines_of_a_committed_period__count_once_and_credits_do_not(
    used: Decimal, covered: Decimal
) -> None:
    price = price_of(
        component(ComponentKind.USAGE, Charge(model=FlatCharge(unit_price=D(1))).model)
    )
    lines = rate(to_rate(price, 0, used, covered))
    period = lines[0].period

    assert (
        counted_charges([price], period, lines)
        == Money(currency="USD", amount=used).rounded().amount
    )


@pytest.mark.spec("DSL-10", "EVT-9")
def test_true_up_of_a_draft__is_left_to_the_draft_and_a_final_one_is_adjusted() -> None:
    price = replace(
        price_of(component(ComponentKind.USAGE, "1")),
        minimum_commitment=MinimumCommitment(amount=D(100), recurrence_rule="FREQ=MONTHLY"),
    )
    invoice = to_rate(price, 0, D(80), D(0))
    [committed] = periods_ending(price, EPOCH, "UTC", invoice.periods[0].period.end_at)
    billed_lines = rate(
        replace(invoice, true_ups=[TrueUp(line_id=LineId("line_up"), committed=committed)])
    )
    late = replace(billed_lines[0], id=LineId("late"), kind=LineKind.ADJUSTMENT, amount=D(50))

    def adjusted(final: set[LineId]) -> list[Decimal]:
        return [
            line.amount
            for line in true_up_adjustments(
                offers=[offer(price)],
                anchor_of=lambda _: EPOCH,
                time_zone="UTC",
                before=billed_lines,
                final=final,
                made=[late],
                line_id=lambda: LineId("new"),
            )
        ]

    assert [line.amount for line in billed_lines] == [D(80), D(20)]
    assert adjusted(set()) == []
    assert adjusted({LineId("line_up")}) == [D(-20)]
