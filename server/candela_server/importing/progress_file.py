"""Remembers beside the file how far its import has come, and keeps the rows that were rejected.

Both only spare work: the keys make a repetition harmless, so a lost or outdated note costs time and nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any, Final, Self

from .model import ImportOptions, Progress, Rejected

_FORMAT: Final = 1
_SAMPLE_BYTES: Final = 65_536
_READ_BYTES: Final = 1 << 20


class ProgressFile:
    """FILE.import.json while an import is unfinished, and FILE.rejects.jsonl with what was rejected."""

    def __init__(self, options: ImportOptions, server: str) -> None:
        self._options = options
        self._server = server
        self.path = options.path.with_name(options.path.name + ".import.json")
        self.rejects_path = options.path.with_name(options.path.name + ".rejects.jsonl")
        self._rejects: IO[bytes] | None = None

    def load(self) -> tuple[Progress, str]:
        """How far an earlier run came, and a sentence about it; from the beginning when nothing tells."""
        try:
            stored = json.loads(self.path.read_text())
            progress = Progress(**stored["progress"])
            rejects_size = int(stored["rejects_size"])
        except FileNotFoundError:
            self.rejects_path.unlink(missing_ok=True)
            return Progress(), ""
        except (ValueError, KeyError, TypeError):
            return Progress(), f"{self.path.name} cannot be read; starting from the beginning"
        if stored.get("import") != self._identity(progress.offset):
            self.rejects_path.unlink(missing_ok=True)
            return (
                Progress(),
                "the file, the server or the options changed since the last run; starting from the"
                " beginning, what counts already is deduplicated",
            )
        if self.rejects_path.exists():
            os.truncate(self.rejects_path, min(rejects_size, self.rejects_path.stat().st_size))
        return progress, f"continuing after line {progress.line}"

    def keep(self, rejected: Iterable[Rejected]) -> None:
        """Appends rejected rows, each with its line, the reason and its content."""
        for one in rejected:
            if self._rejects is None:
                self._rejects = self.rejects_path.open("ab")
            said = {
                "line": one.line,
                "reason": one.reason,
                "field": one.field,
                "message": one.message,
                "content": one.content.decode(errors="replace"),
            }
            self._rejects.write(
                json.dumps(said, ensure_ascii=False).encode(errors="replace") + b"\n"
            )

    def save(self, progress: Progress) -> None:
        """Notes how far the import has come, after what it rejected is in its file; whole or not at all."""
        rejects_size = 0
        if self._rejects is not None:
            self._rejects.flush()
            rejects_size = self._rejects.tell()
        elif self.rejects_path.exists():
            rejects_size = self.rejects_path.stat().st_size
        building = self.path.with_name(self.path.name + ".new")
        building.write_text(
            json.dumps(
                {
                    "import": self._identity(progress.offset),
                    "progress": asdict(progress),
                    "rejects_size": rejects_size,
                }
            )
        )
        building.replace(self.path)

    def finish(self) -> None:
        """Forgets the note: a further run is one from the beginning, which finds everything counted."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._rejects is not None:
            self._rejects.close()

    def _identity(self, offset: int) -> dict[str, Any]:
        """What must be the same for going on at `offset`: what was sent, whereto, and how it was read."""
        sample = blake2b(digest_size=16)
        with self._options.path.open("rb") as file:
            sample.update(file.read(min(_SAMPLE_BYTES, offset)))
            file.seek(max(0, offset - _SAMPLE_BYTES))
            sample.update(file.read(min(_SAMPLE_BYTES, offset)))
        return {
            "format": _FORMAT,
            "server": self._server,
            "columns": dict(sorted(self._options.columns.items())),
            "name": self._options.name,
            "source": self._options.source,
            "delimiter": self._options.delimiter,
            "content": sample.hexdigest(),
        }


def digest_of(path: Path) -> bytes:
    """A digest of the whole file."""
    hashed = blake2b(digest_size=16)
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            hashed.update(part)
    return hashed.digest()
