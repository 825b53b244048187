"""What server processes are made of, apart from what they serve: sockets, signals, logs, and who keeps them alive."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import structlog
import uvicorn

from candela_server.config import Settings


class HttpServer(uvicorn.Server):
    """uvicorn, leaving the signals to the whole process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Captures none."""
        yield


def shared_socket(host: str, port: int) -> socket.socket:
    """A listening socket on a port that several worker processes share; the kernel spreads connections."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((host, port))
    return listening


def stopping_on_signals() -> asyncio.Event:
    """Set as soon as this process is asked to stop."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


def configure_logging(settings: Settings) -> None:
    """Logs as lines of JSON on standard error."""
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(level=max(level, logging.WARNING), stream=sys.stderr)
    # psycopg warns of each pipeline that ends with an error, which is raised as well, and handled: a flush whose key is
    # taken. What its pool warns of is news.
    logging.getLogger("psycopg").setLevel(logging.ERROR)
    logging.getLogger("psycopg.pool").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def supervise(settings: Settings) -> int:
    """Keeps the wished number of server processes alive, and passes the signal to stop on."""
    environment = {**os.environ, "CANDELA_WORKERS": "1"}
    for name in ("database_url", "redis_url", "page_token_secret"):
        secret = getattr(settings, name)
        if secret is not None:
            environment[f"CANDELA_{name.upper()}"] = secret.get_secret_value()
    for name in ("grpc_address", "http_address", "role", "log_level"):
        environment[f"CANDELA_{name.upper()}"] = str(getattr(settings, name))
    command = [sys.executable, "-m", "candela_server", "serve"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment)

    workers = [start() for _ in range(settings.workers)]
    stopped = False

    def stop(_signal: int, _frame: object) -> None:
        nonlocal stopped
        stopped = True
        for worker in workers:
            worker.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopped:
        pid, status = os.wait()
        for number, worker in enumerate(workers):
            if worker.pid == pid and not stopped:
                print(
                    f"candela: worker {pid} ended with {status}; starting another", file=sys.stderr
                )
                workers[number] = start()
    return max(abs(worker.wait()) for worker in workers)
