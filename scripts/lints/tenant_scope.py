"""An SQL text that names a tenant's table also names merchant_id.

Row-level security would hide foreign rows anyway, but a forgotten filter then reads as "nothing found" or takes a slow
plan; and the events table has no such wall. A statement that looks across merchants on purpose says why in a comment
`# tenant-scope: <reason>` (or `-- tenant-scope: <reason>` inside the SQL).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Set
from pathlib import Path

from scripts.lints.findings import SERVER, Finding, Source, check_files, texts

_MIGRATIONS = SERVER / "storage" / "migrations"
_CREATE_TABLE = re.compile(
    r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)^\)", re.DOTALL | re.MULTILINE
)
_TABLE_USE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|USING)\s+(?:ONLY\s+)?(\w+)")
_STATEMENT = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|MERGE INTO)\b")


def tenant_tables(migrations: Iterable[str]) -> frozenset[str]:
    """The tables that these SQL texts create with a merchant_id."""
    return frozenset(
        name
        for text in migrations
        for name, body in _CREATE_TABLE.findall(text)
        if re.search(r"\bmerchant_id\b", body)
    )


def check(source: Source, tables: Set[str]) -> Iterator[Finding]:
    """The statements of a file that name one of `tables` and not its merchant."""
    for node, text in texts(source.tree):
        if not _STATEMENT.search(text) or re.search(r"\bmerchant_id\b", text):
            continue
        named = sorted(set(_TABLE_USE.findall(text)) & tables)
        if named and not source.escapes("tenant-scope", node):
            yield Finding(
                path=source.path,
                line=node.lineno,
                message=f"the SQL names {', '.join(named)} and not merchant_id",
            )


def main() -> int:
    """Checks the server."""
    tables = tenant_tables(path.read_text() for path in sorted(Path(_MIGRATIONS).rglob("*.sql")))
    return check_files(SERVER, lambda source: check(source, tables))


if __name__ == "__main__":
    sys.exit(main())
