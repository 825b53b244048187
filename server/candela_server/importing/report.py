"""Runs an import for a person or a script: progress and troubles on stderr, the outcome on stdout."""

from __future__ import annotations

import json
import sys
import time

from .import_events import import_events
from .model import ImportFileError, ImportOptions, Progress


def run_import(
    *,
    server: str,
    api_key: str,
    tls: bool | None,
    options: ImportOptions,
    quiet: bool,
    as_json: bool,
) -> int:
    """Imports a usage file into a running server: 0 when every row is decided and none was rejected."""
    started = time.monotonic()
    before: list[int] = []

    def say(sentence: str) -> None:
        print(f"candela: {sentence}", file=sys.stderr)

    def show(progress: Progress, size: int) -> None:
        if not quiet:
            share = 100 * progress.offset / size if size else 100.0
            # The first call is before anything is sent: what an earlier run did is not this one's speed.
            before.append(progress.rows)
            rate = (progress.rows - before[0]) / max(time.monotonic() - started, 0.001)
            print(
                f"{progress.rows} rows, {share:.1f} %, {rate:.0f}/s: {progress.accepted} accepted, "
                f"{progress.deduplicated} deduplicated, {progress.held} held, {progress.rejected} rejected",
                file=sys.stderr,
            )

    try:
        done = import_events(
            server=server, api_key=api_key, tls=tls, options=options, say=say, show=show
        )
    except ImportFileError as error:
        say(str(error))
        return 2
    said = {
        "file": str(options.path),
        **{
            name: getattr(done.progress, name)
            for name in ("accepted", "deduplicated", "held", "rejected")
        },
        "rejects_file": done.rejects_path,
        "finished": not done.failure,
    }
    if as_json:
        print(json.dumps(said))
    else:
        print(
            f"{options.path}: {done.progress.rows} rows: {done.progress.accepted} accepted, "
            f"{done.progress.deduplicated} deduplicated, {done.progress.held} held, "
            f"{done.progress.rejected} rejected"
            + (f" (see {done.rejects_path})" if done.rejects_path else "")
        )
    if done.failure:
        say(
            f"{done.failure}; stopped behind line {done.progress.line}: the same command goes on from there"
        )
    return int(bool(done.failure or done.progress.rejected))
