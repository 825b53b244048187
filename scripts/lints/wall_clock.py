"""Only kernel/clock.py asks the machine what time it is; everything else is given a Clock.

A customer on a test clock lives at another time than the machine (OPS-2): one forgotten datetime.now() would bill on
the wrong day. Column defaults in migrations may use now(). Anything else says why: `# wall-clock: <reason>`.
Measuring how long something takes (time.monotonic, time.perf_counter) is no business of this rule.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.lints.findings import SERVER, Finding, Source, check_files, texts

_ALLOWED = Path("kernel/clock.py")
_CALLS = frozenset(
    {
        ("datetime", "now"),
        ("datetime", "utcnow"),
        ("datetime", "today"),
        ("date", "today"),
        ("time", "time"),
        ("time", "time_ns"),
        ("time", "gmtime"),
        ("time", "localtime"),
    }
)
_SQL_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp)\(\)|\bCURRENT_(TIMESTAMP|DATE|TIME)\b"
)
_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|WHERE|VALUES)\b")
_DEFAULT = re.compile(r"DEFAULT now\(\)")


def check(source: Source) -> Iterator[Finding]:
    """The places of a file that read the machine's clock."""
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.Attribute)
            and (called := (_last_name(node.value), node.attr)) in _CALLS
            and not source.escapes("wall-clock", node)
        ):
            yield Finding(
                path=source.path, line=node.lineno, message=f"{called[0]}.{called[1]}: take a Clock"
            )
    for text_node, text in texts(source.tree):
        if (
            _SQL.search(text)
            and _SQL_CLOCK.search(_DEFAULT.sub("", text))
            and not source.escapes("wall-clock", text_node)
        ):
            yield Finding(
                path=source.path,
                line=text_node.lineno,
                message="the SQL reads the database's clock: pass an instant",
            )


def _last_name(node: ast.expr) -> str:
    """`datetime` of both `datetime` and `datetime.datetime`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def main() -> int:
    """Checks the server."""
    return check_files(
        SERVER, lambda source: () if source.path == SERVER / _ALLOWED else check(source)
    )


if __name__ == "__main__":
    sys.exit(main())
