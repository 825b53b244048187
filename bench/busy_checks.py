"""Checks while events stream into the same installation at half of what it takes, each role in a process of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from candela import Client
from candela.metering.v1 import event_pb2

from .harness import LOAD_CORE, Row, interleave, row, say
from .sent_events import CHUNK, Stream, made_events
from .stage import Stage, another_server

_JUST_NOW = timedelta(seconds=1)
"""Events come as they happen: older ones would lie on both sides of the beginning of the customers' periods."""


def row_of(
    stage: Stage, check_p99_ms: Callable[[], float], echo_p99_ms: Callable[[], float], rounds: int
) -> Row:
    """The p99 of checks at half load against the echo's, both while an ingesting process is at half its maximum."""
    with another_server(stage, "ingesting", core=LOAD_CORE, CANDELA_ROLE="ingest") as ingesting:
        stream = Stream(ingesting)
        stream.send(made_events(stage.user_ids, "busy-warm", 10_000))
        most = stream.send(made_events(stage.user_ids, "busy-most", 60_000))
        say(f"the same while {most / 2:,.0f} events a second come, half of what goes")
        with _events_at(ingesting, most / 2):
            late, bare = interleave(check_p99_ms, echo_p99_ms, rounds)
    return row(
        "the same while events come at half their maximum (p99, ms)", late, bare, 2, at_most=True
    )


@contextmanager
def _events_at(stage: Stage, rate: float) -> Iterator[None]:
    """Streams events at a steady rate until the block is left. Raises RuntimeError when one was refused."""
    over = threading.Event()
    refused: list[object] = []

    def paced() -> Iterator[event_pb2.Event]:
        began = time.perf_counter()
        sent = 0
        while not over.is_set():
            run = f"busy-{time.time_ns()}"
            yield from made_events(stage.user_ids, run, CHUNK, spread=_JUST_NOW)
            sent += CHUNK
            while not over.is_set() and (left := began + sent / rate - time.perf_counter()) > 0:
                time.sleep(min(left, 0.1))

    def send() -> None:
        with Client(stage.address, stage.key) as client:
            refused.extend(client.stream_events(paced(), chunk_events=CHUNK).errors)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join(60)
    if refused:
        raise RuntimeError(f"events were refused: {refused[:1]}")
