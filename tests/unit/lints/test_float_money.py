"""The check that money and quantities are never binary floats."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lints import float_money
from scripts.lints.findings import Source


def lines(text: str) -> list[int]:
    return [one.line for one in float_money.check(Source.parse(text, Path("money.py")))]


@pytest.mark.parametrize(
    "text",
    ["amount: float = 0", "share = float(part) / whole", "rate = 0.2", "many = 1e3"],
)
def test_a_float__is_found(text: str) -> None:
    assert lines(text) == [1]


@pytest.mark.parametrize(
    "text",
    [
        'amount = Decimal("0.2")',
        "many = 1000",
        "refused = isinstance(value, float | bool)",
        '"""1000 times 0.1 as a float is not 100."""',
        "ratio = 0.5  # float: a pause between tries, not an amount",
    ],
)
def test_decimals_refusals_and_reasons__are_left_alone(text: str) -> None:
    assert lines(text) == []


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("kernel/money.py", True),
        ("billing/model.py", True),
        ("billing/rules/rating/volume.py", True),
        ("billing/store.py", False),
        ("edge/door.py", False),
    ],
)
def test_the_rule__holds_where_amounts_are_decided(path: str, want: bool) -> None:
    assert float_money.applies(Path(path)) is want
