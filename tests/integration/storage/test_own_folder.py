"""Test sessions side by side have servers of their own; those of a killed one do not outlive the next one's start."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from candela_server.storage import embedded

from tests.helpers.own_folder import own_folder
from tests.helpers.waiting import PATIENCE_S

pytestmark = pytest.mark.own_stores

_REPOSITORY = Path(__file__).parents[3]
_SESSION = """
import sys
from pathlib import Path
from candela_server.storage import embedded
from tests.helpers.own_folder import own_folder
with own_folder(Path(sys.argv[1])) as folder, embedded.start(folder):
    print(folder.name, flush=True)
    input()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Path]:
    """Where folders of sessions are; nothing runs in them afterwards, whatever the test did."""
    yield tmp_path
    for folder in tmp_path.glob("own-*"):
        if folder.is_dir():
            embedded.stop_all(folder)


def test_two_at_once__have_two_folders_and_the_next_one_has_the_first_again(parent: Path) -> None:
    with own_folder(parent) as first, own_folder(parent) as second:
        assert first != second
    with own_folder(parent) as third:
        assert third == first


def test_session_killed__the_next_one_stops_its_servers_wherever_they_are(parent: Path) -> None:
    with own_folder(parent):
        killed = subprocess.Popen(
            [sys.executable, "-c", _SESSION, str(parent)],
            cwd=_REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert killed.stdout is not None
        theirs = parent / killed.stdout.readline().strip()
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=PATIENCE_S)
        assert embedded.find_running(theirs) is not None

    with own_folder(parent) as folder:
        assert folder != theirs
        assert embedded.find_running(theirs) is None
