"""The worked examples of changes within a period, one test for each (SEAT-1, SUB-6, DSL-3, DSL-4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from candela_server.billing.model import InvoiceLine
from candela_server.kernel.interval import Interval
from candela_server.kernel.time_zone import instant_of, time_zone_named

from tests.helpers.cutting import CutPeriod, rate_part, total
from tests.helpers.worked_examples import price_of
from tests.unit.billing.test_worked_examples import examples

Example = Mapping[str, Any]
EVERY = examples("changes.yaml")


def at(written: object) -> datetime:
    local = datetime.fromisoformat(str(written))
    return instant_of(local, time_zone_named("UTC"))


def amount(written: str | None) -> Decimal | None:
    return None if written is None else Decimal(written)


def cut_period(example: Example) -> CutPeriod:
    sold = price_of({**example, "components": [example["component"]]})
    return CutPeriod(sold, at(example["start"]))


@pytest.mark.spec("SEAT-1", "SUB-6", "DSL-4")
@pytest.mark.parametrize("example", [one for one in EVERY if "changes" in one.values[0]])
def test_changes_of_an_example__bill_what_it_says(example: Example) -> None:
    cut = cut_period(example)

    assert cut.begin(Decimal(example["held"])) == Decimal(example["bills"]), example["because"]
    for change in example["changes"]:
        cut.hold(at(change["at"]), amount(change["held"]))
        if "bills" in change:
            assert cut.settle() == Decimal(change["bills"]), example["because"]


@pytest.mark.spec("DSL-3", "SUB-6")
@pytest.mark.parametrize("example", [one for one in EVERY if "usage" in one.values[0]])
def test_parts_of_usage_of_an_example__cost_what_it_says(example: Example) -> None:
    cut = cut_period(example)
    made: list[InvoiceLine] = []

    for part in example["usage"]:
        lines = rate_part(
            cut.price,
            cut.component,
            cut,
            Interval(at(part["from"]), at(part["to"])),
            used=Decimal(part["used"]),
            earlier=tuple(made),
        )
        made += lines
        assert total(lines) == Decimal(part["costs"]), example["because"]
