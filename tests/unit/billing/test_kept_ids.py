"""Lines that are made again are the lines that they were (INV-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from candela_server.billing.model import LineKind
from candela_server.billing.rules.kept_ids import with_kept_ids

from tests.helpers.invoices import line


@pytest.mark.spec("INV-3")
def test_line_of_the_same_period__keeps_its_id_and_what_names_it_follows() -> None:
    usage = replace(line("old", "30"), kind=LineKind.USAGE)
    paid = replace(line("old_credit", "-10", source="old"), kind=LineKind.USAGE_CREDIT)
    again = replace(usage, id=line("new", "0").id, quantity=usage.quantity + 1)
    paid_again = replace(line("new_credit", "-12", source="new"), kind=LineKind.USAGE_CREDIT)

    made = with_kept_ids([usage, paid], [again, paid_again])

    assert [one.id for one in made] == [usage.id, paid.id]
    assert made[0].quantity == again.quantity
    assert made[1].source_line_id == usage.id
    assert made[1].amount == paid_again.amount


@pytest.mark.spec("INV-3")
def test_difference_or_new_line__stays_what_it_is() -> None:
    usage = replace(line("old", "30"), kind=LineKind.USAGE)
    change = replace(line("change", "-5", source="elsewhere"), kind=LineKind.PRORATION)
    fresh = replace(line("fresh", "9"), kind=LineKind.TRUE_UP, component_id=None)

    assert with_kept_ids([usage, change], [change, fresh]) == [change, fresh]
