"""Candela's own processes for tests: a server and a worker, started as an operator would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests.helpers.forked_command import ForkedCommands
from tests.helpers.ports import free_port
from tests.helpers.serving import ServerDidNotStartError, until_serving

_COMMAND_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 90.0
_LOG_TAIL_CHARACTERS = 6000
_commands = ForkedCommands()


@dataclass(slots=True)
class CandelaProcess:
    """One `candela` command that keeps running, with its output in a file."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _output: IO[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The process's id; it must run."""
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, as the leader of its own group, so that its children can be ended with it."""
        assert not self.running, f"{self.name} runs already"
        self._output = self.log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "candela_server", *self.arguments],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def stop(self) -> int | None:
        """Asks it to end by SIGTERM, and returns its exit code. Harmless when it does not run."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it and its children at once, as a crash of the machine would."""
        self._end(signal.SIGKILL)

    def tail(self) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return self.log.read_text(errors="replace")[-_LOG_TAIL_CHARACTERS:]

    def _end(self, kind: signal.Signals) -> int | None:
        if self._process is None:
            return None
        process, self._process = self._process, None
        if kind is signal.SIGTERM and process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT_S)
        # After a clean end too: a child that outlived its parent would outlive the tests.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait(_STOP_TIMEOUT_S)
        if self._output is not None:
            self._output.close()
        return code


@dataclass(slots=True, kw_only=True)
class LiveServer:
    """A server and a worker on one database, and a test-mode merchant to call them as."""

    address: str
    http_address: str
    database_url: str
    redis_url: str
    merchant_id: str
    secret_key: str
    publishable_key: str
    server: CandelaProcess
    worker: CandelaProcess

    def start(self) -> None:
        """Starts both and waits until the server serves."""
        if not self.worker.running:
            self.worker.start()
        if not self.server.running:
            self.server.start()
        wait_until_serving(self.address, self.server)
        if not self.worker.running:
            raise ServerDidNotStartError(f"the worker ended:\n{self.worker.tail()}")

    def kill(self) -> None:
        """Ends the server, and not the worker, without any warning (kill -9)."""
        self.server.kill()

    def restart(self) -> None:
        """Starts whatever does not run, after a clean stop of the server if it does."""
        self.server.stop()
        self.start()

    def stop(self) -> None:
        """Ends both, by their process ids."""
        self.server.stop()
        self.worker.stop()


def start_live_server(database_url: str, redis_url: str, folder: Path) -> LiveServer:
    """Starts Candela on a migrated database, with a new merchant, on free ports of loopback."""
    environment = environment_for(database_url, redis_url)
    merchant = create_merchant_by_command(environment, "Tests")
    live = LiveServer(
        address=environment["CANDELA_GRPC_ADDRESS"],
        http_address=environment["CANDELA_HTTP_ADDRESS"],
        database_url=database_url,
        redis_url=redis_url,
        merchant_id=merchant["merchant_id"],
        secret_key=merchant["secret_key"],
        publishable_key=merchant["publishable_key"],
        server=CandelaProcess("server", ("serve",), environment, folder / "server.log"),
        worker=CandelaProcess("worker", ("worker",), environment, folder / "worker.log"),
    )
    try:
        live.start()
    except BaseException:
        live.stop()
        raise
    return live


def environment_for(database_url: str, redis_url: str) -> dict[str, str]:
    """What a process of Candela is told: which stores, and free ports of loopback to listen on."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("CANDELA_")},
        "CANDELA_DATABASE_URL": database_url,
        "CANDELA_REDIS_URL": redis_url,
        "CANDELA_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "CANDELA_HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
    }


def create_merchant_by_command(
    environment: Mapping[str, str], name: str, mode: str = "test"
) -> dict[str, str]:
    """Runs `candela merchant create` and returns merchant_id, secret_key and publishable_key."""
    done = _commands.run(
        ["merchant", "create", name, "--mode", mode, "--json"], environment, _COMMAND_TIMEOUT_S
    )
    if done.code != 0:
        raise ServerDidNotStartError(f"candela merchant create failed:\n{done.errors}")
    created: dict[str, str] = json.loads(done.output.strip().splitlines()[-1])
    return created


def wait_until_serving(address: str, server: CandelaProcess) -> None:
    """Returns when the process serves there. Raises ServerDidNotStartError."""
    until_serving(address, server.tail, lambda: server.running)
