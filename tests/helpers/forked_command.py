"""The command `candela` without its start: forked from a process that has imported everything.

Run as a program: `python -m tests.helpers.forked_command`. Each line on standard input is an environment and arguments;
a child runs the command as an operator would, and its exit code, output and errors are answered, a line each time. Only
the second that Python takes to import it is spent once. It ends with the end of its input.
"""

from __future__ import annotations

import gc
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended, and what it said."""

    code: int
    output: str
    errors: str


class ForkedCommands:
    """Runs commands, one after the other; the process that it forks them from is started with the first."""

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._parent: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], timeout_s: float
    ) -> CommandResult:
        """Runs `candela ARGUMENTS` in an environment. Raises TimeoutError."""
        with self._turn:
            parent = self._started()
            assert parent.stdin is not None
            assert parent.stdout is not None
            parent.stdin.write(json.dumps([list(arguments), dict(environment)]) + "\n")
            parent.stdin.flush()
            # Nothing else is ever in its buffer: it answers once for each line.
            if not select.select([parent.stdout], [], [], timeout_s)[0]:
                parent.kill()
                raise TimeoutError(f"candela {' '.join(arguments)} took over {timeout_s} s")
            return CommandResult(*json.loads(parent.stdout.readline()))

    def _started(self) -> subprocess.Popen[str]:
        if self._parent is None or self._parent.poll() is not None:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.helpers.forked_command"],
                cwd=_REPOSITORY,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        return self._parent


def _run(arguments: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            _become(arguments, environment, output, errors)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return code, _text(output), _text(errors)


def _become(arguments: list[str], environment: dict[str, str], output: Any, errors: Any) -> None:
    """Runs the command and ends the process."""
    from candela_server import cli

    os.dup2(output.fileno(), 1)
    os.dup2(errors.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    code = 1
    try:
        code = cli.main(arguments)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _text(file: Any) -> str:
    file.seek(0)
    text: str = file.read().decode(errors="replace")
    return text


def _main() -> None:
    import candela_server.cli  # noqa: F401  (imported once, before any fork)

    gc.freeze()
    for line in sys.stdin:
        print(json.dumps(_run(*json.loads(line))), flush=True)


if __name__ == "__main__":
    _main()
