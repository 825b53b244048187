"""The arguments of `candela events import`, and what its help says of files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .model import ImportOptions

IMPORT_TEXT = """\
Streams the rows of a CSV or JSON Lines file (UTF-8, by its ending .csv or .jsonl) to a running server as usage events.

The columns of a CSV header, and the keys of a JSON object, are an event's fields:

  name                  what happened; or --name for all rows
  customer_id, external_customer_id, user_id, external_user_id
                        whose usage it is: at least one column of these
  value                 a plain decimal; without this column, 1
  timestamp             RFC 3339 with a zone, or seconds since 1970; when absent, the moment it is received
  idempotency_key       the row's own key, which counts once however often it is imported
  properties            a flat JSON object
  properties.NAME       one property, a text; properties.NAME:number and properties.NAME:boolean are what they say

--map COLUMN=FIELD names a column otherwise, --map COLUMN= leaves it out. An empty cell is an absent field, except that
an empty value is refused.

A row without a key gets one of its line number and its content (and of the whole file's content if it has no
timestamp), so that importing a file again changes nothing and reports deduplicated rows. --source tells files apart
that hold equal rows with equal timestamps at equal lines and mean different things.

Rows that are refused go to FILE.rejects.jsonl with line, reason and content. An interrupted import (Ctrl-C, a server
that is away) leaves FILE.import.json; the same command goes on from there. Memory stays at some megabytes.

Exit code: 0 all rows count or are held; 1 rows were rejected, or the import stopped early; 2 a wrong file or option.
"""


def add_import_command(commands: Any, flags: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Adds `import` to the commands of `candela events`."""
    added: argparse.ArgumentParser = commands.add_parser(
        "import",
        help="stream a file of usage events to a server",
        description=IMPORT_TEXT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[flags],
    )
    added.add_argument("file", type=Path, metavar="FILE")
    added.add_argument(
        "--server", help="host:port (CANDELA_SERVER; else this machine's CANDELA_GRPC_ADDRESS)"
    )
    added.add_argument(
        "--api-key", help="a secret key (CANDELA_API_KEY, which other users cannot see)"
    )
    added.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="encrypt; as a rule everywhere but to this machine",
    )
    added.add_argument(
        "--map",
        action="append",
        default=[],
        type=_column,
        metavar="COLUMN=FIELD",
        help="repeatable",
    )
    added.add_argument("--name", default="", help="the event name of rows that have none")
    added.add_argument("--source", default="", help="goes into the keys that are made from rows")
    added.add_argument("--delimiter", default=",", type=_one_character, help="of a CSV file")
    added.add_argument("--quiet", action="store_true", help="no progress")
    added.add_argument("--json", action="store_true", help="print one JSON object")
    return added


def import_options(chosen: argparse.Namespace) -> ImportOptions:
    """How the file is read, as chosen."""
    return ImportOptions(
        path=chosen.file,
        columns=dict(chosen.map),
        name=chosen.name,
        source=chosen.source,
        delimiter=chosen.delimiter,
    )


def _column(text: str) -> tuple[str, str]:
    column, equals, field = text.rpartition("=")
    if not equals or not column:
        raise argparse.ArgumentTypeError(f"{text!r} is not COLUMN=FIELD")
    return column, field


def _one_character(text: str) -> str:
    text = "\t" if text == "\\t" else text
    if len(text) != 1 or text in '"\r\n':
        raise argparse.ArgumentTypeError("must be one character, such as ; or \\t")
    return text
