"""Reads a usage file row by row, CSV or JSON lines, from any byte on; never more than a row in memory."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import BinaryIO, Final

from .model import ImportFileError, ImportOptions, Row, RowError
from .rules.row_event import check_columns, field_of, read_json

MAX_LINE_BYTES: Final = 65_536
"""Longer than any line that could be an event: properties have at most 8 kB."""

_MAX_CELL: Final = 16_384
"""Characters of one cell; behind a quote that is never closed, reading ends here and not at the end of the file."""

_BOM: Final = b"\xef\xbb\xbf"


class _TooLongError(Exception):
    """A line is longer than any event."""


class _Lines:
    """The lines of a file from where it stands, and how far they have been read."""

    def __init__(self, file: BinaryIO, line: int) -> None:
        self._file = file
        self.offset = file.tell()
        self.line = line
        self.read: list[bytes] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        return self.next_line().decode()

    def next_line(self) -> bytes:
        """The next line as it is. Raises StopIteration at the end, _TooLongError after having passed a long line."""
        line = self._file.readline(MAX_LINE_BYTES)
        if not line:
            raise StopIteration
        length = len(line)
        self.line += 1
        self.read.append(line)
        if length == MAX_LINE_BYTES and not line.endswith(b"\n"):
            while rest := self._file.readline(MAX_LINE_BYTES):
                length += len(rest)
                if rest.endswith(b"\n"):
                    break
            self.offset += length
            raise _TooLongError
        self.offset += length
        return line.removeprefix(_BOM) if self.offset == length else line

    def back_to(self, offset: int, line: int) -> None:
        """Reads on from an earlier place."""
        self._file.seek(offset)
        self.offset, self.line = offset, line


def read_rows(file: BinaryIO, options: ImportOptions, *, offset: int, line: int) -> Iterator[Row]:
    """The rows after the byte `offset`, which ends the line `line`; 0 and 0 for all of them.

    Raises ImportFileError when the file as a whole cannot be read; a bad row is one with a problem.
    """
    ending = options.path.suffix.lower()
    if ending == ".csv":
        fields = _read_header(file, options)
        if offset:
            file.seek(offset)
        return _csv_rows(_Lines(file, line or 1), fields, options)
    if ending == ".jsonl":
        file.seek(offset)
        return _json_rows(_Lines(file, line), options)
    raise ImportFileError(f"{options.path.name} ends neither with .csv nor with .jsonl")


def _read_header(file: BinaryIO, options: ImportOptions) -> list[str]:
    lines = _Lines(file, 0)
    try:
        header = next(csv.reader(lines, delimiter=options.delimiter, strict=True))
    except StopIteration:
        raise ImportFileError(
            f"{options.path.name} is empty; the first line names the columns"
        ) from None
    except UnicodeDecodeError:
        raise ImportFileError(f"{options.path.name} is not UTF-8") from None
    except (csv.Error, _TooLongError) as error:
        raise ImportFileError(
            f"line 1 of {options.path.name} is no header: {error or 'too long'}"
        ) from None
    if lines.line != 1:
        raise ImportFileError(f"the header of {options.path.name} is longer than one line")
    return check_columns([column.strip() for column in header], options)


def _csv_rows(lines: _Lines, fields: list[str], options: ImportOptions) -> Iterator[Row]:
    csv.field_size_limit(_MAX_CELL)
    reader = csv.reader(lines, delimiter=options.delimiter, strict=True)
    while True:
        start, first_line = lines.offset, lines.line + 1
        lines.read.clear()
        problem = ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, UnicodeDecodeError, _TooLongError) as error:
            problem = _problem_of(error)
            if len(lines.read) > 1:
                # A quote without its pair has swallowed what follows: only the line it stands in is bad.
                lines.back_to(start + len(lines.read[0]), first_line)
                del lines.read[1:]
            reader = csv.reader(lines, delimiter=options.delimiter, strict=True)
        if not problem and not cells:
            continue
        if not problem and len(cells) != len(fields):
            problem = f"the row has {len(cells)} columns and the header {len(fields)}"
        yield Row(
            line=first_line,
            end=lines.offset,
            content=b"".join(lines.read).rstrip(b"\r\n"),
            values=None
            if problem
            else {field: cell for field, cell in zip(fields, cells, strict=True) if field},
            problem=problem,
        )


def _json_rows(lines: _Lines, options: ImportOptions) -> Iterator[Row]:
    while True:
        lines.read.clear()
        problem = ""
        values: dict[str, object] = {}
        try:
            line = lines.next_line()
            if not line.strip():
                continue
            document = read_json(line.decode())
            if not isinstance(document, dict):
                problem = "not a JSON object"
            else:
                fields = {column: field_of(column, options) for column in document}
                values = {
                    fields[column]: value for column, value in document.items() if fields[column]
                }
        except StopIteration:
            return
        except (ValueError, _TooLongError) as error:
            problem = _problem_of(error)
        yield Row(
            line=lines.line,
            end=lines.offset,
            content=lines.read[0].rstrip(b"\r\n"),
            values=None if problem else values,
            problem=problem,
        )


def _problem_of(error: Exception) -> str:
    match error:
        case _TooLongError():
            return f"the line is longer than {MAX_LINE_BYTES} bytes"
        case UnicodeDecodeError():
            return "the line is not UTF-8"
        case ImportFileError() | RowError():
            return str(error)
        case csv.Error():
            return f"not CSV: {error}"
        case _:
            return f"not JSON: {error}"
