"""The check that usage is read from the events that count."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lints import counted_events
from scripts.lints.findings import Source


def lines(text: str) -> list[int]:
    return [one.line for one in counted_events.check(Source.parse(text, Path("store.py")))]


@pytest.mark.spec("EVT-4")
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT sum(value) FROM event WHERE merchant_id = $1",
        "SELECT 1 FROM part JOIN event ON true",
        "DELETE FROM event_key USING event WHERE true",
    ],
)
def test_a_statement_over_the_table__is_found(statement: str) -> None:
    assert lines(f'tx.fetch("{statement}")') == [1]


@pytest.mark.parametrize(
    "text",
    [
        'tx.fetch("SELECT 1 FROM counted_event AS event")',
        'tx.fetch("SELECT 1 FROM event_key")',
        'tx.execute("INSERT INTO event (name) SELECT $1")',
        "# stored-events: the list shows voided events as well\ntx.fetch('SELECT 1 FROM event')",
    ],
)
def test_others__are_left_alone(text: str) -> None:
    assert lines(text) == []
