"""What is missing to a commitment bears what is given back, however small the steps in which the two climb (DSL-10)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.billing.rules.counted_on import ATTEMPTS, counted_next

CENTS = st.integers(min_value=0, max_value=1_000_000)


def settled(charged: int, owed_back: int, above_least: int) -> tuple[int, int]:
    """What an invoice gives back and asks for: it charges so much besides, and is so much above its commitment."""
    counted = [Decimal(0)]
    for attempt in range(ATTEMPTS):
        gives = min(owed_back, charged + int(counted[0]))
        asks = max(0, gives - above_least)
        before = counted
        counted = counted_next(attempt, counted, [Decimal(asks)], [Decimal(owed_back)])
        if counted == before:
            break
    return gives, asks


@pytest.mark.spec("DSL-10", "SUB-6")
@given(charged=CENTS, owed_back=CENTS, above_least=CENTS)
def test_invoice_that_gives_back_and_asks_for_more__never_comes_to_less_than_nothing(
    charged: int, owed_back: int, above_least: int
) -> None:
    gives, asks = settled(charged, owed_back, above_least)

    assert charged - gives + asks >= 0
    assert asks == max(0, gives - above_least)
    if above_least < charged:
        # Each unit more that is given back is missing: so all of it can be.
        assert gives == owed_back


@pytest.mark.spec("DSL-10", "SUB-6")
def test_step_of_a_cent__needs_no_more_makings_than_one_of_an_euro() -> None:
    assert settled(charged=1, owed_back=100_000, above_least=0) == (100_000, 100_000)


@pytest.mark.spec("DSL-10", "SUB-6")
def test_invoices_that_agree__are_not_made_otherwise_because_of_one_that_does_not() -> None:
    counted = [Decimal(5), Decimal(1)]
    for attempt in range(ATTEMPTS):
        agreed, climbing = counted
        counted = counted_next(
            attempt, counted, [Decimal(5), climbing + 1], [Decimal(0), Decimal(10)]
        )

        assert counted[0] == agreed == 5
    assert counted_next(ATTEMPTS - 2, [Decimal(0)], [Decimal(1)], [Decimal(0)]) == [0]
