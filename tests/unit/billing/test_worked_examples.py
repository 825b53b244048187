"""The worked examples of tests/worked_examples, one test for each (DSL-3 to DSL-10, INV-8, SEAT-1, EVT-9)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from candela_server.billing.rules.changed_periods import (
    State,
    cost_of_days,
    days_of,
    difference,
)
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days, local_date, start_of_day

from tests.helpers.worked_examples import Ledger, period_of, shown

_FOLDER = Path(__file__).parents[2] / "worked_examples"
Example = Mapping[str, Any]


def examples(name: str) -> list[Any]:
    found: list[Example] = yaml.safe_load((_FOLDER / name).read_text())
    return [pytest.param(one, id=one["name"]) for one in found]


@pytest.mark.spec("DSL-2", "DSL-3", "DSL-4", "DSL-5", "DSL-6", "DSL-7", "DSL-10", "INV-8", "EVT-9")
@pytest.mark.parametrize("example", examples("rating.yaml"))
def test_invoices_of_an_example__say_what_it_says(example: Example) -> None:
    ledger = Ledger.of(example)

    for wanted in example["invoices"]:
        due_at, lines = ledger.invoice(wanted)

        if "at" in wanted:
            assert due_at == datetime.fromisoformat(str(wanted["at"])), example["because"]
        else:
            assert local_date(due_at, ledger.time_zone) == wanted["due"], example["because"]
        got = {
            shown(line, ledger.price): Money(
                currency=ledger.price.currency, amount=line.amount
            ).text
            for line in lines
        }
        assert got == wanted["lines"], example["because"]


@pytest.mark.spec("SEAT-1", "SUB-6", "INV-8")
@pytest.mark.parametrize("example", examples("proration.yaml"))
def test_days_that_are_left__cost_their_share(example: Example) -> None:
    zone, currency = str(example.get("zone", "UTC")), str(example.get("currency", "USD"))
    period = period_of(example)
    share = example.get("share", {"of": "1"})
    whole = Money(currency=currency, amount=Decimal(share["of"]))
    since = max(start_of_day(example["day"], zone), period.start_at)
    states = [State(since=since, held="it", cost=whole)]

    days = days_of(states, period, zone)

    left = sum(one.count for one in days if one.cost == whole) if since < period.end_at else 0
    assert [left, civil_days(period, zone)] == example["days"], example["because"]
    if "share" in example:
        got = cost_of_days(days, civil_days(period, zone), currency)
        assert got == Money(currency=currency, amount=Decimal(share["is"])), example["because"]


@pytest.mark.spec("SEAT-1", "SUB-6")
@pytest.mark.parametrize(
    "example", [one for one in examples("proration.yaml") if "change" in one.values[0]]
)
def test_days_of_a_changed_period__cost_what_the_change_does(example: Example) -> None:
    zone, currency = str(example.get("zone", "UTC")), str(example.get("currency", "USD"))
    period, change = period_of(example), example["change"]
    changed_at = max(start_of_day(example["day"], zone), period.start_at + timedelta(seconds=1))

    def due(before: str, after: str, billed: str, credited: str = "0") -> Money:
        old, new, paid, back = (
            Money(currency=currency, amount=Decimal(text))
            for text in (before, after, billed, credited)
        )
        return difference(
            [
                State(since=period.start_at, held="old", cost=old),
                State(since=changed_at, held="new", cost=new),
            ],
            period=period,
            time_zone=zone,
            billed=paid,
            credited=back,
        )

    charged, credited = change["charged"], change.get("credited", "0")
    assert due("0", change["after"], "0") == Money(
        currency=currency, amount=Decimal(change["charge"])
    )
    assert -due(charged, "0", charged, credited) == Money(
        currency=currency, amount=Decimal(change["credit"])
    ), example["because"]


@pytest.mark.spec("INV-8")
def test_examples__are_at_least_sixty_and_tell_their_arithmetic() -> None:
    every = [one.values[0] for name in ("rating.yaml", "proration.yaml") for one in examples(name)]

    assert len(every) >= 60
    assert all(len(one["because"]) > 10 for one in every)
    assert len({one["name"] for one in every}) == len(every)
