"""The worked examples of invoices before a period ends (INV-1, INV-2, INV-8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.rules.threshold import (
    BilledAhead,
    charges_so_far,
    reaches,
    taken_off,
)

from tests.helpers.worked_examples import Ledger, shown

_FOLDER = Path(__file__).parents[2] / "worked_examples"
Example = Mapping[str, Any]


def examples() -> list[Any]:
    found: list[Example] = yaml.safe_load((_FOLDER / "thresholds.yaml").read_text())
    return [pytest.param(one, id=one["name"]) for one in found]


def texts(lines: list[InvoiceLine], ledger: Ledger) -> dict[str, str]:
    return {
        "billed already"
        if line.description.startswith("Billed already")
        else ("credit for " if line.kind is LineKind.THRESHOLD and line.amount < 0 else "")
        + shown(line, ledger.price): f"{line.amount:.2f}"
        for line in lines
    }


def off(ahead: list[BilledAhead], lines: list[InvoiceLine], ledger: Ledger) -> list[InvoiceLine]:
    ids = count()
    return taken_off(
        ahead,
        lines,
        names=lambda _: "Calls",
        time_zone=ledger.time_zone,
        line_id=lambda: LineId(f"off_{next(ids)}"),
    )


def add(ahead: list[BilledAhead], lines: list[InvoiceLine]) -> list[BilledAhead]:
    """What is billed ahead once an invoice with these lines is made too; the examples have one usage component."""
    own = [line for line in lines if line.kind is LineKind.THRESHOLD]
    amount = sum((line.amount for line in own), Decimal(0))
    if ahead:
        return [replace(ahead[0], amount=ahead[0].amount + amount)]
    first = own[0]
    assert first.component_id
    assert first.price_id
    assert first.plan_version_id
    assert first.metric_id
    return [
        BilledAhead(
            component_id=first.component_id,
            price_id=first.price_id,
            plan_version_id=first.plan_version_id,
            metric_id=first.metric_id,
            number=first.period_number,
            period=first.period,
            first_line_id=first.id,
            amount=amount,
        )
    ]


@pytest.mark.spec("INV-1", "INV-2", "INV-8")
@pytest.mark.parametrize("example", examples())
def test_looks_of_an_example__make_what_it_says(example: Example) -> None:
    ledger = Ledger.of(example)
    ahead: list[BilledAhead] = []
    for look in example["looks"]:
        rated = ledger.so_far(look)
        charges = charges_so_far(rated, rated[0].period.end_at)
        is_reached = reaches(Decimal(example["threshold"]), charges, ahead)
        assert is_reached == ("lines" in look), example["because"]
        if is_reached:
            lines = [*charges, *off(ahead, charges, ledger)]
            ahead = add(ahead, lines)
            assert texts(lines, ledger) == look["lines"], example["because"]
            assert sum(line.amount for line in lines) == Decimal(look["total"]), example["because"]
            assert not any(line.draws for line in lines)
    _, rated = ledger.invoice(example["end"])
    while not any(line.kind is LineKind.USAGE for line in rated):
        _, rated = ledger.invoice(example["end"])
    lines = [*rated, *off(ahead, rated, ledger)]
    assert texts(lines, ledger) == example["end"]["lines"], example["because"]
    assert sum(line.amount for line in lines) == Decimal(example["end"]["total"])
    left = add(ahead, lines)[0].amount
    assert left == Decimal(example["end"].get("left", "0")), example["because"]
