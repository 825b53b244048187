"""A server that is up again a moment after it was killed: forked from a process that has imported everything.

Run as a program: `python -m tests.helpers.forked_server`, with a server's settings in the environment. What is forked
is `candela serve` as it always is; only the second that Python takes to import it is spent once.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from tests.helpers.serving import until_serving

_REPOSITORY = Path(__file__).parent.parent.parent
_PAUSE_S = 0.05
_LOG_TAIL_CHARACTERS = 4000
_PR_SET_PDEATHSIG = 1


class ForkedServer:
    """One address at which there is always a server, or will be in a moment."""

    def __init__(self, address: str, environment: Mapping[str, str], log: Path) -> None:
        """Takes where it serves and where its output goes."""
        self.address = address
        self.log = log
        with log.open("ab") as output:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.helpers.forked_server"],
                cwd=_REPOSITORY,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> int | None:
        """Kills the server that runs or starts just now; answers its process id, None when there is none."""
        for child in psutil.Process(self._parent.pid).children():
            with suppress(psutil.NoSuchProcess):
                child.kill()
                return child.pid
        return None

    def wait_until_serving(self) -> None:
        """Returns when it answers. Raises ServerDidNotStartError."""
        until_serving(self.address, self._tail, lambda: self._parent.poll() is None)

    def _tail(self) -> str:
        """Which processes there are, and the end of their log."""
        children = [
            child.as_dict(["pid", "status"])
            for child in psutil.Process(self._parent.pid).children()
        ]
        log = self.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]
        return f"processes: {children}\n{log}"

    def end(self) -> None:
        """Ends it for good."""
        with suppress(ProcessLookupError):
            os.killpg(self._parent.pid, signal.SIGKILL)
        self._parent.wait()


def _die_with_parent() -> None:
    # Only Linux has it; elsewhere a killed test leaves its servers behind.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _main() -> None:
    from candela_server.app.serve import serve
    from candela_server.config import Settings

    _die_with_parent()
    settings = Settings()  # type: ignore[call-arg]
    gc.freeze()
    while True:
        child = os.fork()
        if child == 0:
            _die_with_parent()
            code = 1
            try:
                code = serve(settings)
            finally:
                os._exit(code)
        os.waitpid(child, 0)
        time.sleep(_PAUSE_S)


if __name__ == "__main__":
    _main()
