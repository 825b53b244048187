"""The disk is written a little every second, as docs/storage.md says that the kernel of a busy database should."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .harness import say

_EVERY_S = 1.0


@contextmanager
def early_writes() -> Iterator[None]:
    """Has what was written go to the disk meanwhile, without a change to the machine's settings.

    By itself a kernel keeps it for half a minute, and then commits wait a third of a second while all of it is written:
    twice a minute, which is one of a hundred acknowledgements by itself.
    """
    over = threading.Event()

    def write() -> None:
        while not over.wait(_EVERY_S):
            os.sync()

    say(f"with the disk written every {_EVERY_S:.0f} s, as docs/storage.md advises")
    writer = threading.Thread(target=write, name="early-writes")
    os.sync()
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()
