"""What exists here: rows of a file, and how far an import has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class ImportFileError(ValueError):
    """The file or its header cannot be imported at all; the message says what to do."""


class RowError(ValueError):
    """One row cannot be an event; `field` says which part of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is read: which column means what, what its rows share, and how its cells are apart."""

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    source: str = ""
    delimiter: str = ","


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One record of the file. `values` is what it says by column, or None when `problem` says why it cannot be read.

    `line` is where it begins, counted from 1, `end` the byte after it, and `content` its bytes without the line's end.
    """

    line: int
    end: int
    content: bytes
    values: Mapping[str, Any] | None
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedEvent:
    """An event as the contract has it, made of one row; empty texts are absent, but for `value`, where None is."""

    idempotency_key: str
    name: str
    customer_id: str = ""
    external_customer_id: str = ""
    user_id: str = ""
    external_user_id: str = ""
    value: str | None = None
    timestamp_us: int | None = None
    properties_json: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A row that does not count, and why."""

    line: int
    reason: str
    field: str
    message: str
    content: bytes


@dataclass(slots=True, kw_only=True)
class Progress:
    """Everything before the byte `offset` is decided; `line` is the last line of it."""

    offset: int = 0
    line: int = 0
    accepted: int = 0
    deduplicated: int = 0
    held: int = 0
    rejected: int = 0

    @property
    def rows(self) -> int:
        """How many rows are decided."""
        return self.accepted + self.deduplicated + self.held + self.rejected
