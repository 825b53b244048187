"""When a writer waits for company, and when nobody would come (EVT-3)."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from candela_server.metering import write_events
from candela_server.metering.admit_events import Admission, Load
from candela_server.metering.event_lanes import Batch, Call, Lane
from candela_server.metering.event_writer import Writer
from candela_server.metering.model import Outcome, Recorded
from candela_server.metering.write_events import Writers

from tests.helpers.prepared import ANY_EVENT


class _Busy(Admission):
    """A door behind which so many events are in work."""

    def __init__(self, events: int) -> None:
        super().__init__()
        self.events = events

    @property
    def in_work(self) -> Load:
        return Load(self.events, 0)


def _waiting(batches: int, events: int) -> Lane:
    lane = Lane()
    for _ in range(batches):
        call = Call(Recorded(outcomes=[Outcome.REJECTED], rejections=[]), asyncio.Future())
        lane.append(Batch("mer_1", [ANY_EVENT] * events, list(range(events)), call))
    return lane


async def _waits(in_work: int, lane: Lane, began_s: float, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a writer whose last flush began then waits, before it takes what waits in the lane."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(delay_s: float) -> None:
        slept.append(delay_s)
        await sleep(delay_s)

    monkeypatch.setattr(write_events.asyncio, "sleep", note)
    nobody = cast(Any, None)
    writers = Writers(nobody, nobody, nobody, _Busy(in_work))
    await writers._keep_pace(Writer(began_s=began_s), lane)
    assert not slept or time.monotonic() >= began_s + write_events._PACE_S
    return bool(slept)


@pytest.mark.spec("EVT-3")
@pytest.mark.parametrize(
    ("in_work", "batches", "events", "waits"),
    [
        pytest.param(2_000, 4, 50, True, id="many events of several callers"),
        pytest.param(500, 4, 50, False, id="few events in work: who sent them is answered sooner"),
        pytest.param(2_000, 2, 100, False, id="callers who wait to be answered before they go on"),
        pytest.param(2_000, 4, 200, False, id="enough for a flush"),
    ],
)
async def test_a_small_flush__waits_for_its_time_while_many_events_come(
    monkeypatch: pytest.MonkeyPatch, in_work: int, batches: int, events: int, *, waits: bool
) -> None:
    lane = _waiting(batches, events)

    assert await _waits(in_work, lane, time.monotonic(), monkeypatch) is waits


@pytest.mark.spec("EVT-3")
async def test_a_small_flush_whose_time_has_come__waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    long_ago_s = time.monotonic() - 2 * write_events._PACE_S

    assert not await _waits(2_000, _waiting(4, 50), long_ago_s, monkeypatch)
