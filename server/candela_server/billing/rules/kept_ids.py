"""Lets a line that is made again be the line that it was (INV-3).

A draft is rated again when it is finalized. Meanwhile other invoices may have been made whose lines name its lines, as
what they correct: these must be the lines that charged in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from candela_server.billing.model import InvoiceLine, LineKind

_MADE_AGAIN: Final = frozenset(
    {LineKind.RECURRING, LineKind.USAGE, LineKind.USAGE_CREDIT, LineKind.TRUE_UP}
)
"""What a draft has once of each period; differences to other lines stay as they were made."""


def with_kept_ids(before: Sequence[InvoiceLine], made: Sequence[InvoiceLine]) -> list[InvoiceLine]:
    """The lines that were made, those that bill what a line before them billed by the id of that one."""
    ids = {_billed_by(line): line.id for line in before if line.kind in _MADE_AGAIN}
    kept = {
        line.id: ids[_billed_by(line)]
        for line in made
        if line.kind in _MADE_AGAIN and _billed_by(line) in ids
    }
    return [
        replace(
            line,
            id=kept.get(line.id, line.id),
            source_line_id=line.source_line_id
            and kept.get(line.source_line_id, line.source_line_id),
        )
        for line in made
    ]


def _billed_by(line: InvoiceLine) -> tuple[object, ...]:
    return line.kind, line.component_id, line.price_id, line.period
