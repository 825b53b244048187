"""Stages of scripts/test run side by side, are shown in order, all counted, and clean up when they are interrupted."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_STAGES = Path(__file__).parents[3] / "scripts" / "_stages"
_TIMEOUT_S = 120
# Two stages that end only if the other one runs, as processes that meet at two files.
_MEETING = """
meet() {
    touch "$2"
    until [ -e "$3" ]; do sleep 0.05; done
    echo "$1 has met"
    passed=$((passed + 1))
}
stage "slow" meet slow "$FOLDER/a" "$FOLDER/b"
stage "quick" meet quick "$FOLDER/b" "$FOLDER/a"
"""


@contextmanager
def begun(folder: Path, body: str) -> Iterator[subprocess.Popen[str]]:
    script = f"""
set -uo pipefail
say() {{ printf '%s\\n' "$*" >&2; }}
. {_STAGES}
trap 'rm -rf "$stage_folder"' EXIT
echo "kept in $stage_folder"
{body}
echo "$passed passed, $failed failed, $skipped skipped"
"""
    with subprocess.Popen(
        ["bash", "-c", script],
        env={"PATH": "/usr/bin:/bin", "FOLDER": str(folder), "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_signals,
    ) as process:
        try:
            yield process
        finally:
            # Only where a test has failed: nobody waits for what does not end.
            process.kill()


def _heed_signals() -> None:
    """Whoever runs the tests may ignore a signal, as nohup does; the shell could not trap it then."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_DFL)


def output_of(folder: Path, body: str) -> list[str]:
    """What is printed, but for times of day and durations."""
    with begun(folder, body) as process:
        printed, _ = process.communicate(timeout=_TIMEOUT_S)
    assert process.returncode == 0, printed
    lines = re.sub(r" \(\d\d:\d\d:\d\d\)| took \d+:\d\d", "", printed).splitlines()
    return [line for line in lines[1:] if line]


def test_two_at_once__meet_and_are_shown_in_order(tmp_path: Path) -> None:
    assert output_of(tmp_path, f"{_MEETING}\nrun_stages 2") == [
        "== 1. slow",
        "slow has met",
        "-- 1.",
        "== 2. quick",
        "quick has met",
        "-- 2.",
        "2 passed, 0 failed, 0 skipped",
    ]


def test_one_at_once__the_next_begins_when_the_last_has_ended(tmp_path: Path) -> None:
    body = """
    first() { sleep 0.5; touch "$FOLDER/ended"; }
    second() { [ -e "$FOLDER/ended" ] && passed=1; }
    stage "first" first
    stage "second" second
    run_stages 1
    """
    assert output_of(tmp_path, body)[-1] == "1 passed, 0 failed, 0 skipped"


def test_second_round__counts_on(tmp_path: Path) -> None:
    body = """
    some() { passed=3 failed=$1 skipped=2; }
    stage "one" some 1
    run_stages 2
    stage "two" some 0
    run_stages 2
    """
    assert output_of(tmp_path, body) == [
        *("== 1. one", "-- 1.", "== 2. two", "-- 2."),
        "6 passed, 1 failed, 4 skipped",
    ]


@pytest.mark.parametrize("way", ["exit 0", "kill -9 $BASHPID"])
def test_stage_that_breaks_off__is_a_failure(tmp_path: Path, way: str) -> None:
    body = f"""
    broken() {{ passed=7; {way}; }}
    stage "broken" broken
    run_stages 1
    """
    assert "FAILED: the stage broke off" in output_of(tmp_path, body)
    assert output_of(tmp_path, body)[-1] == "0 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted__every_stage_cleans_up_and_nothing_begins_any_more(
    tmp_path: Path, kind: signal.Signals
) -> None:
    # As pytest does: what a stage runs takes an interrupt for a reason to clean up, and takes its time.
    body = """
    tidy() {
        bash -c '
            trap "sleep 0.5; touch $1.cleaned; exit 2" INT
            touch $1
            for ((turn = 0; turn < 1000; turn++)); do sleep 0.05; done
        ' - "$1"
    }
    stage "one" tidy "$FOLDER/one"
    stage "two" tidy "$FOLDER/two"
    stage "three" tidy "$FOLDER/three"
    run_stages 2
    """
    with begun(tmp_path, body) as process:
        while not {"one", "two"} <= {path.name for path in tmp_path.iterdir()}:
            assert process.poll() is None
        process.send_signal(kind)
        printed, _ = process.communicate(timeout=_TIMEOUT_S)

    assert process.returncode == 130
    assert "interrupted" in printed
    # The folder of outputs is gone as well.
    assert {path.name for path in tmp_path.iterdir()} == {
        *("one", "one.cleaned", "two", "two.cleaned")
    }
