"""However usage changes after it was billed, a price comes to what it would have come to at once (DSL-4, EVT-4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.worked_examples import Ledger

counts = st.integers(min_value=0, max_value=60)
amounts_off = st.integers(min_value=1, max_value=80)


def price(fee: int, off: int) -> dict[str, Any]:
    return {
        "start": "2026-03-01",
        "discounts": [{"amount": str(off), "for": "once"}],
        "components": [
            {"name": "Fee", "kind": "fixed", "price": str(fee), "timing": "arrears"},
            {"name": "Calls", "kind": "usage", "price": "1"},
            {"name": "Mails", "kind": "usage", "price": "1"},
        ],
    }


def used(calls: int, mails: int) -> dict[str, Any]:
    return {"used": {"Calls": str(calls), "Mails": str(mails)}}


def late(component: str, amount: int) -> dict[str, Any]:
    return {"used": {}, "late": [{"component": component, "period": 0, "used": str(amount)}]}


def first_period(ledger: Ledger) -> Decimal:
    """What all invoices say of the first period."""
    first = min(line.period.start_at for line in ledger.billed)
    return sum((line.amount for line in ledger.billed if line.period.start_at == first), Decimal(0))


@pytest.mark.spec("DSL-4", "EVT-4", "EVT-9")
@given(
    fee=counts, off=amounts_off, before=st.tuples(counts, counts), after=st.tuples(counts, counts)
)
def test_usage_changed_after_it_was_billed__costs_what_it_would_have_cost_at_once(
    fee: int, off: int, before: tuple[int, int], after: tuple[int, int]
) -> None:
    ledger = Ledger.of(price(fee, off))
    ledger.invoice(used(*before))
    # One after the other, as an invoice says them.
    ledger.invoice(late("Calls", after[0]))
    ledger.invoice(late("Mails", after[1]))

    assert first_period(ledger) == max(fee + sum(after) - off, 0)
