"""What commitments come to that were in force for a part of their period: examples and laws (DSL-10, SUB-6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.model import InvoiceLine
from candela_server.billing.rules.commitment import counted_charges
from candela_server.billing.rules.cut_commitment import Terms, is_true_up_of
from candela_server.billing.rules.find_cut_commitments import cut_commitments
from candela_server.billing.rules.settle_cut_commitment import least_of, settlement
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days, instant_of

from tests.helpers.committed import billed_as, charge, offer_at_least, settle, terms
from tests.unit.billing.test_worked_examples import examples

D = Decimal
ZONES = st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu"])
AMOUNTS = st.decimals(min_value=1, max_value=10_000, places=2)
UNIT = {"JPY": D(1), "USD": D("0.01"), "KWD": D("0.001")}
START = datetime(2026, 1, 1)  # noqa: DTZ001 - of any zone
MONTHS = 4


def in_zone(local: object, zone: str) -> datetime:
    if isinstance(local, date) and not isinstance(local, datetime):
        local = datetime.combine(local, time.min)
    assert isinstance(local, datetime)
    return instant_of(local.replace(tzinfo=None), ZoneInfo(zone))


@pytest.mark.spec("DSL-10", "SUB-6")
@pytest.mark.parametrize("example", examples("commitments.yaml"))
def test_commitment_of_an_example__misses_what_it_says(example: Mapping[str, Any]) -> None:
    zone, currency = str(example.get("zone", "UTC")), str(example.get("currency", "USD"))
    offers = {
        name: offer_at_least(
            name,
            written.get("amount"),
            rule=written.get("every", "FREQ=MONTHLY"),
            currency=currency,
            varies=written.get("varies"),
        )
        for name, written in example["prices"].items()
    }
    anchor_at = in_zone(example["held"][0]["since"], zone)
    history = [
        terms(
            in_zone(one["since"], zone),
            offers[one["price"]] if one["price"] else None,
            anchor_at,
            prorated=one.get("prorated", True),
        )
        for one in example["held"]
    ]
    lines = [
        charge(
            offers[one["price"]],
            D(one["amount"]),
            Interval(in_zone(one["from"], zone), in_zone(one["to"], zone)),
        )
        for one in example.get("charges", ())
    ]

    got = {
        f"{name} {number}": (Money(currency=currency, amount=found.amount).text, found.text)
        for (name, number), found in settle(history, lines, zone).items()
    }

    wanted = example["missing"]
    assert {key: amount for key, (amount, _) in got.items()} == {
        key: one["amount"] for key, one in wanted.items()
    }, example["because"]
    for key, one in wanted.items():
        assert f" for {one['days']} days at " in got[key][1]


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[Terms], str, str]:
    """Up to six changes within four months among three prices, pauses and ends; in a zone and a currency."""
    zone, currency = draw(ZONES), draw(st.sampled_from(sorted(UNIT)))
    rule = draw(st.sampled_from(["FREQ=MONTHLY", "FREQ=MONTHLY;INTERVAL=3", "FREQ=WEEKLY"]))
    offers = [
        offer_at_least("price_a", "90", rule=rule, currency=currency),
        offer_at_least("price_b", "310.5", currency=currency),
        offer_at_least("price_c", None, currency=currency),
        None,
    ]
    anchor_at = in_zone(START, zone)
    steps = sorted(draw(st.lists(st.integers(0, 24 * 31 * MONTHS), max_size=6)))
    history = [terms(anchor_at, offers[0], anchor_at)]
    for hours in steps:
        history.append(
            terms(
                anchor_at + timedelta(hours=hours),
                draw(st.sampled_from(offers)),
                anchor_at,
                prorated=draw(st.booleans()) if draw(st.booleans()) else True,
            )
        )
    return history, zone, currency


@pytest.mark.spec("DSL-10", "SUB-6")
@given(lives(), st.data())
def test_any_life_and_any_looks_at_it__bill_the_least_for_the_days_or_what_was_used(
    life: tuple[list[Terms], str, str], data: st.DataObject
) -> None:
    history, zone, currency = life
    cut = cut_commitments(history, zone)
    lines: list[InvoiceLine] = []
    for step in range(3):
        for one in cut:
            amount = data.draw(st.integers(-50, 200)) * UNIT[currency]
            of = data.draw(st.sampled_from(list(one.offers)))
            lines.append(charge(of, amount, one.committed.period, name=f"{step}"))
            found = settlement(one, history, lines, time_zone=zone)
            if found is not None:
                assert found.amount % UNIT[currency] == 0
                lines.append(billed_as(one, found, step))
    for one in cut:
        charges = counted_charges(one.prices, one.committed.period, lines)
        billed = sum((line.amount for line in lines if is_true_up_of(line, one)), D(0))
        least, days = least_of(one, history, zone)

        assert settlement(one, history, lines[::-1], time_zone=zone) is None
        assert charges + billed == max(least.amount, charges)
        assert 0 <= days <= civil_days(one.committed.whole, zone)


@pytest.mark.spec("DSL-10", "SUB-6")
@given(AMOUNTS, ZONES, st.integers(1, 31 * 24 - 1), st.sampled_from(sorted(UNIT)))
def test_parts_of_two_prices_with_the_same_commitment__add_up_to_the_whole(
    amount: Decimal, zone: str, hours: int, currency: str
) -> None:
    amount = Money(currency=currency, amount=amount).rounded().amount
    anchor_at = in_zone(START, zone)
    old, new = (
        offer_at_least(name, str(amount), currency=currency) for name in ("price_a", "price_b")
    )
    history = [
        terms(anchor_at, old, anchor_at),
        terms(anchor_at + timedelta(hours=hours), new, anchor_at),
    ]

    parts = [least_of(one, history, zone) for one in cut_commitments(history, zone)]

    assert sum(days for _, days in parts) == 31
    assert abs(sum((least.amount for least, _ in parts), D(0)) - amount) <= UNIT[currency]


@pytest.mark.spec("DSL-10", "SUB-6")
@given(st.integers(0, 30), st.integers(0, 22), st.integers(0, 22), ZONES)
def test_change_and_its_undo_on_one_day__leave_the_whole_commitment(
    day: int, first: int, second: int, zone: str
) -> None:
    anchor_at = in_zone(START, zone)
    old, new = offer_at_least("price_a", "90"), offer_at_least("price_b", "300")
    there, back = (anchor_at + timedelta(days=day, hours=hour) for hour in sorted((first, second)))
    history = [
        terms(anchor_at, old, anchor_at),
        terms(there, new, anchor_at),
        terms(back, old, anchor_at),
    ]

    got = {
        one.offer.price.id: least_of(one, history, zone)[0].amount
        for one in cut_commitments(history, zone)
        if one.committed.period.contains(there)
    }

    assert got.pop(old.price.id, D(90)) == 90
    assert all(amount == 0 for amount in got.values())


@pytest.mark.spec("DSL-10")
def test_life_without_changes_of_what_is_held__cuts_nothing() -> None:
    anchor_at = in_zone(START, "UTC")
    held = offer_at_least("price_a", "90")

    assert cut_commitments([terms(anchor_at, held, anchor_at)], "UTC") == []
    again = terms(anchor_at + timedelta(days=10), held, anchor_at)
    assert cut_commitments([terms(anchor_at, held, anchor_at), again], "UTC") == []


@pytest.mark.spec("DSL-10", "SUB-6")
def test_price_taken_and_left_as_a_period_begins__asks_for_nothing() -> None:
    """It was never in force, so the period before its instant is none of its own."""
    anchor_at, boundary = in_zone(START, "UTC"), in_zone(datetime(2026, 2, 1), "UTC")  # noqa: DTZ001
    first, second = offer_at_least("price_a", "90"), offer_at_least("price_b", "310.5")
    history = [
        terms(anchor_at, first, anchor_at),
        terms(boundary, second, anchor_at),
        terms(boundary, None, anchor_at),
    ]

    found = cut_commitments(history, "UTC")

    assert [one.offer.price.id for one in found] == [first.price.id]
