"""Imports one usage file: sends it, shows how far it is, and leaves a note to go on from when it is interrupted."""

from __future__ import annotations

import functools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from candela import Client

from .model import ImportFileError, ImportOptions, Progress, Rejected
from .progress_file import ProgressFile, digest_of
from .read_rows import read_rows
from .rules.row_event import check_mapping
from .send_rows import ImportInterruptedError, Sender

_SAVE_EVERY_S: Final = 1.0
DEFAULT_PATIENCE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """How an import ended. `failure` says why it did before its end; then the same command goes on."""

    progress: Progress
    rejects_path: str
    failure: str = ""


def import_events(
    *,
    server: str,
    api_key: str,
    tls: bool | None,
    options: ImportOptions,
    say: Callable[[str], None],
    show: Callable[[Progress, int], None],
    patience_s: float = DEFAULT_PATIENCE_S,
) -> Imported:
    """Imports the file, from where an earlier run was interrupted. Raises ImportFileError and OSError.

    `say` is told sentences, `show` the progress and the file's size, about once a second.
    """
    if not options.path.is_file():
        raise ImportFileError(f"{options.path} is not a file")
    check_mapping(options.columns)
    with options.path.open("rb") as file:
        # Reads the header and nothing else: a file that cannot be imported is refused before anything is sent.
        read_rows(file, options, offset=0, line=0)
    size = options.path.stat().st_size
    with ProgressFile(options, server) as note, Client(server, api_key, tls=tls) as client:
        progress, sentence = note.load()
        if sentence:
            say(sentence)
        show(progress, size)
        saved_at = -math.inf  # what is decided first is noted at once

        def decided(now: Progress, rejected: list[Rejected]) -> None:
            nonlocal saved_at
            note.keep(rejected)
            if time.monotonic() - saved_at >= _SAVE_EVERY_S:
                note.save(now)
                show(now, size)
                saved_at = -math.inf  # what is decided first is noted at once

        digest = functools.cache(lambda: digest_of(options.path))
        sender = Sender(client, options, progress, digest, decided, patience_s=patience_s)
        failure = ""
        with stopping_on(sender.stop):
            try:
                sender.run()
            except ImportInterruptedError as error:
                failure = str(error)
        show(progress, size)
        if failure:
            note.save(progress)
        else:
            note.finish()
        return Imported(
            progress=progress,
            rejects_path=str(note.rejects_path) if progress.rejected else "",
            failure=failure,
        )


@contextmanager
def stopping_on(stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` on the first SIGINT or SIGTERM; a second one ends the process as ever."""
    before: dict[signal.Signals, Any] = {}

    def heard(number: int, _frame: object) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, heard)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
