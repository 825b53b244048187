"""The check that every SQL text names its merchant."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.lints import tenant_scope
from scripts.lints.findings import Source

TABLES = frozenset({"customer", "event"})


def lines(text: str) -> list[int]:
    return [one.line for one in tenant_scope.check(Source.parse(text, Path("store.py")), TABLES)]


def test_migrations__tables_with_a_merchant_are_found() -> None:
    got = tenant_scope.tenant_tables(
        [
            "CREATE TABLE customer (\n    merchant_id text NOT NULL,\n    id text\n);\n"
            "CREATE TABLE currency (\n    code text\n);",
        ]
    )

    assert got == {"customer"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT id FROM customer WHERE id = $1",
        "SELECT id FROM plan JOIN customer ON true",
        "UPDATE customer SET name = $1",
        "DELETE FROM event WHERE name = $1",
    ],
)
def test_sql_without_its_merchant__is_found(statement: str) -> None:
    assert lines(f'async def read(tx):\n    await tx.fetch("{statement}")\n') == [2]


@pytest.mark.parametrize(
    "text",
    [
        'tx.fetch("SELECT id FROM customer WHERE merchant_id = $1")',
        'tx.fetch("SELECT code FROM currency")',
        'raise ValueError("no customer of that id: choose one FROM customer")',
        'def read():\n    """SELECT id FROM customer, says the docstring."""',
    ],
)
def test_other_texts__are_left_alone(text: str) -> None:
    assert lines(text) == []


def test_f_string_without_its_merchant__is_found() -> None:
    assert lines('tx.fetch(f"SELECT {columns} FROM customer WHERE id = $1")') == [1]


def test_comment_with_a_reason__allows_it() -> None:
    text = (
        "async def read(tx):\n"
        "    # tenant-scope: old answers are forgotten whosever they are\n"
        "    await tx.execute(\n"
        '        "DELETE FROM event WHERE name = $1",\n'
        "    )\n"
    )

    assert lines(text) == []


def test_comment_without_a_reason__allows_nothing() -> None:
    text = '# tenant-scope: ok\ntx.execute("DELETE FROM event WHERE name = $1")\n'

    assert lines(text) == [2]
