"""A worker's minute of billing in a process of its own, forked from one that has imported everything.

Run as a program: `python -m tests.helpers.forked_biller`, with CANDELA_DATABASE_URL and CANDELA_REDIS_URL. Each line on
standard input is an instant; a child bills and finalizes all that is due then, as the worker does every minute. Answers
the child's process id when it begins and its exit code when it has ended, a line each.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

_REPOSITORY = Path(__file__).parent.parent.parent
_PR_SET_PDEATHSIG = 1


class ForkedBiller:
    """Bills in one process after the other; each may be killed."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Takes the addresses and where the processes' output goes."""
        with log.open("ab") as output:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.helpers.forked_biller"],
                cwd=_REPOSITORY,
                env=dict(environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                start_new_session=True,
            )

    def begin(self, now: datetime) -> int:
        """Starts a process that does what is due at an instant; answers its id."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{now.isoformat()}\n")
        self._parent.stdin.flush()
        process_id = self._answer()
        assert process_id > 1, process_id
        return process_id

    def wait(self) -> int:
        """The exit code of the process that was begun last; the signal's number, negative, when it was killed."""
        return self._answer()

    def end(self) -> None:
        """Ends it and what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._parent.pid, signal.SIGKILL)
        self._parent.wait()
        for stream in (self._parent.stdin, self._parent.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()

    def _answer(self) -> int:
        assert self._parent.stdout is not None
        return int(self._parent.stdout.readline())


def _die_with_parent() -> None:
    # Only Linux has it; elsewhere a killed test leaves its processes behind.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


async def _bill(now: datetime) -> None:
    from candela_server.kernel.clock import FixedClock
    from candela_server.storage.events import EventStore
    from candela_server.storage.postgres import Postgres
    from candela_server.worker.merchant_jobs import bill_at_thresholds, bill_everything_due

    clock = FixedClock(now)
    url = os.environ["CANDELA_DATABASE_URL"]
    db, events = Postgres(url, clock), EventStore(url)
    await db.open()
    await events.open()
    await bill_everything_due(db, events, clock)
    await bill_at_thresholds(db, events, clock)
    await events.close()
    await db.close()


def _main() -> None:
    import candela_server.worker.runner  # noqa: F401  (imported once, before any fork)

    _die_with_parent()
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _die_with_parent()
            os.dup2(2, 1)  # what the worker logs is no answer
            code = 1
            try:
                asyncio.run(_bill(datetime.fromisoformat(line.strip())))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _main()
