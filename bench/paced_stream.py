"""How long an acknowledgement takes while events come at a steady rate."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from candela import Client
from candela.metering.v1 import ingestion_service_pb2 as pb

from .harness import Row, quantile, row, say
from .sent_events import made_events
from .stage import Stage

CHUNK = 500
"""Events of a message: as many as the SDK sends by itself."""

_LEAD_IN_S = 0.5
"""At the beginning of a round, until it is connected and nothing is left of what the processors did before."""


def acknowledged(stage: Stage, rate: Callable[[], float], *, rounds: int, seconds: float) -> Row:
    """From the sending of a chunk to its acknowledgement, over the chunks of all rounds; before each, how many events a
    second are to be sent."""
    took_ms = sorted(one for _ in range(rounds) for one in latencies_ms(stage, rate(), seconds))
    return row(
        "acknowledgement at half the top rate (p99, ms) : 50 ms",
        quantile(took_ms, 0.99),
        50,
        1,
        at_most=True,
    )


def latencies_ms(
    stage: Stage, rate: float, seconds: float, *, chunk_events: int = CHUNK
) -> list[float]:
    """How long each chunk's acknowledgement took in one round, once it is under way."""
    say(f"{rate:,.0f} events a second for {seconds:.0f} s, in chunks of {chunk_events:,}")
    seconds += _LEAD_IN_S
    # As they happen: the last one just now, the first one as long before as sending takes.
    events = made_events(
        stage.user_ids,
        f"paced-{time.time_ns()}",
        int(rate * seconds),
        spread=timedelta(seconds=seconds),
    )
    chunks = [events[first : first + chunk_events] for first in range(0, len(events), chunk_events)]
    requests = [
        pb.StreamEventsRequest(chunk_number=number, events=chunk)
        for number, chunk in enumerate(chunks, 1)
    ]
    sent_s = [0.0] * (len(requests) + 1)
    took_ms: list[float] = []
    counted_from = int(rate * _LEAD_IN_S / chunk_events) + 1
    over = threading.Event()

    def paced() -> Iterator[pb.StreamEventsRequest]:
        began = time.perf_counter()
        for number, request in enumerate(requests, 1):
            due_s = began + (number - 1) * chunk_events / rate
            while (left_s := due_s - time.perf_counter()) > 0:
                time.sleep(left_s)
            # From when it should have gone: a sender that is held back waits as well.
            sent_s[number] = due_s
            yield request
        over.wait(60)

    with Client(stage.address, stage.key) as client, _no_garbage_collection():
        acknowledged = 0
        for response in client.ingestion.StreamEvents(paced()):
            now_s = time.perf_counter()
            for number in range(acknowledged + 1, response.acknowledged_chunk_number + 1):
                if number >= counted_from:
                    took_ms.append((now_s - sent_s[number]) * 1e3)
            acknowledged = response.acknowledged_chunk_number
            if acknowledged == len(requests):
                over.set()
    took_ms.sort()
    say(
        f"acknowledged after p50 {quantile(took_ms, 0.5):.1f} ms, p99 {quantile(took_ms, 0.99):.1f}"
    )
    return took_ms


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Looking through half a million events of its own, this process would hold up what it measures for a moment."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
