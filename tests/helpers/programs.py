"""Programs in other languages that call a live server."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers.servers import LiveServer

_REPOSITORY = Path(__file__).parents[2]
# Building the SDK for the first time takes most of it.
_TIMEOUT_S = 900
# Where tools are that no shell of the machine finds by itself.
_MORE_PATHS = (str(_REPOSITORY / ".candela" / "bin"), "/usr/local/go/bin")


def output_of(
    command: Sequence[str], folder: Path, live: LiveServer, *, secret_key: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a program in `folder` with the server's address and key in its environment.

    Where the program is missing, the test is skipped; in CI it fails.
    """
    paths = os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATHS])
    program = shutil.which(command[0], path=paths)
    if program is None:
        message = f"{command[0]} is not on this machine"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        env=os.environ
        | {
            "PATH": paths,
            "CANDELA_ADDRESS": live.address,
            "CANDELA_API_KEY": secret_key or live.secret_key,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


def passes(command: Sequence[str], folder: Path, live: LiveServer) -> None:
    """Runs a test program, which must end with 0; its output is shown if it does not."""
    ended = output_of(command, folder, live)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
