"""Arithmetic keeps every digit that a caller may send, wherever it is done (INV-8)."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal

import pytest

from candela_server.kernel.precision import DIGITS

HELD = Decimal("99999999999999999999999999.999999999999")
USED = Decimal("77777777777777777777777777.000000000001")
LEFT = Decimal("22222222222222222222222222.999999999998")
"""What the longest quantities leave: 38 digits, of which Python by itself would keep 28."""


@pytest.mark.spec("INV-8")
def test_difference_of_long_quantities__is_exact() -> None:
    assert HELD - USED == LEFT
    assert sum([HELD, HELD, -HELD, -USED], Decimal(0)) == LEFT


@pytest.mark.spec("INV-8")
def test_difference_in_another_thread__is_exact() -> None:
    found: list[Decimal] = []

    thread = threading.Thread(target=lambda: found.append(HELD - USED))
    thread.start()
    thread.join()

    assert found == [LEFT]


@pytest.mark.spec("INV-8")
async def test_difference_in_a_task__is_exact() -> None:
    async def left() -> Decimal:
        return HELD - USED

    assert await asyncio.create_task(left()) == LEFT


@pytest.mark.spec("INV-8")
def test_product_of_three_of_the_longest_numbers__fits() -> None:
    longest = Decimal("9" * 38)

    product = longest * longest * longest

    assert len(product.as_tuple().digits) <= DIGITS
    assert int(product) == int(longest) ** 3
