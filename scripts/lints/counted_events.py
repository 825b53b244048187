"""Usage is read from counted_event, the view that knows corrections and backfills, and never from the table itself.

A statement that wants the stored events, voided ones too, says why in a comment `# stored-events: <reason>` (or
`-- stored-events: <reason>` inside the SQL).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from scripts.lints.findings import SERVER, Finding, Source, check_files, texts

_STORED = re.compile(r"\b(?:FROM|JOIN|USING)\s+(?:ONLY\s+)?event\b")
_STATEMENT = re.compile(r"\b(?:SELECT|DELETE FROM|MERGE INTO|UPDATE)\b")


def check(source: Source) -> Iterator[Finding]:
    """The statements of a file that read the table of events."""
    for node, text in texts(source.tree):
        if (
            _STATEMENT.search(text)
            and _STORED.search(text)
            and not source.escapes("stored-events", node)
        ):
            yield Finding(
                path=source.path,
                line=node.lineno,
                message="the SQL reads event, where voided events lie as well; read counted_event",
            )


def main() -> int:
    """Checks the server."""
    return check_files(SERVER, check)


if __name__ == "__main__":
    sys.exit(main())
