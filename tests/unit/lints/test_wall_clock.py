"""The check that only kernel/clock.py reads the machine's clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lints import wall_clock
from scripts.lints.findings import Source


def lines(text: str) -> list[int]:
    return [one.line for one in wall_clock.check(Source.parse(text, Path("store.py")))]


@pytest.mark.parametrize(
    "text",
    [
        "at = datetime.now(UTC)",
        "at = datetime.datetime.now(UTC)",
        "day = date.today()",
        "seconds = time.time()",
        "default = field(default_factory=datetime.utcnow)",
        'tx.execute("UPDATE invoice SET paid_at = now() WHERE id = $1")',
        'tx.execute("INSERT INTO invoice (paid_at) VALUES (CURRENT_TIMESTAMP)")',
    ],
)
def test_reading_the_machines_clock__is_found(text: str) -> None:
    assert lines(text) == [1]


@pytest.mark.parametrize(
    "text",
    [
        "at = self._clock.now()",
        "began = time.monotonic()",
        'tx.execute("CREATE TABLE migration (applied_at timestamptz DEFAULT now())")',
        'print("it is now()")',
        "at = datetime.now(UTC)  # wall-clock: an id is made when it is made",
    ],
)
def test_a_clock_a_duration_and_a_reason__are_left_alone(text: str) -> None:
    assert lines(text) == []
