"""The door of ingestion: so much in work, so much waiting, everybody else sent away and nobody overtaken (EVT-1)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from candela.metering.v1 import event_pb2

from candela_server.metering.admit_events import (
    COME_AGAIN,
    Admission,
    IngestionBusyError,
    Load,
    load_of,
)
from candela_server.metering.model import IngestionUnavailableError, Recorded


class Door:
    """An admission, and who is inside."""

    def __init__(self, in_work: Load, at_the_door: Load) -> None:
        self.admission = Admission(in_work, at_the_door)
        self.inside: dict[str, asyncio.Future[Recorded]] = {}

    def come(self, name: str, count: int, properties: bytes = b"") -> asyncio.Task[object]:
        """Somebody comes with so many events."""
        events = [event_pb2.Event(properties_json=properties)] * count

        async def take_in() -> asyncio.Future[Recorded]:
            self.inside[name] = asyncio.get_running_loop().create_future()
            return self.inside[name]

        return asyncio.create_task(self.admission.admit(events, take_in))

    async def go(self, name: str) -> None:
        """Somebody's events are stored."""
        self.inside.pop(name).set_result(Recorded(outcomes=[], rejections=[]))
        await settled()


async def settled() -> None:
    """Whatever can go on has gone on."""
    for _ in range(5):
        await asyncio.sleep(0)


ROOMY = Load(10**9, 10**12)


@pytest.mark.spec("EVT-1")
async def test_more_than_fit__come_in_one_after_the_other_and_nobody_overtakes() -> None:
    door = Door(Load(10, 10**9), ROOMY)
    door.come("a", 6)
    await settled()
    door.come("large", 8)
    await settled()
    door.come("small", 1)
    await settled()

    first = set(door.inside)
    await door.go("a")
    second = set(door.inside)

    assert first == {"a"}  # "small" would fit, and waits its turn
    assert second == {"large", "small"}


@pytest.mark.spec("EVT-1")
async def test_large_events__take_the_room_of_their_bytes() -> None:
    door = Door(Load(10**6, 100_000), ROOMY)
    door.come("a", 10, b"x" * 8_000)
    await settled()
    door.come("b", 10, b"x" * 8_000)
    await settled()
    assert set(door.inside) == {"a"}

    await door.go("a")

    assert set(door.inside) == {"b"}


@pytest.mark.spec("EVT-1")
async def test_a_full_door__sends_away_with_the_time_to_come_again() -> None:
    door = Door(Load(10, 10**9), Load(10, 10**9))
    door.come("a", 10)
    await settled()
    waiting = door.come("b", 10)
    await settled()

    with pytest.raises(IngestionBusyError) as busy:
        await door.come("c", 1)

    assert busy.value.retry_after == COME_AGAIN > timedelta(0)
    assert not waiting.done()
    await door.go("a")
    assert set(door.inside) == {"b"}
    door.come("c", 1)  # there is room at the door again
    await settled()
    await door.go("b")
    assert set(door.inside) == {"c"}


@pytest.mark.spec("EVT-1")
async def test_a_batch_larger_than_all_the_room__comes_in_when_it_is_alone() -> None:
    door = Door(Load(5, 10), ROOMY)
    door.come("small", 1)
    await settled()
    door.come("large", 50)
    await settled()
    assert set(door.inside) == {"small"}

    await door.go("small")

    assert set(door.inside) == {"large"}


@pytest.mark.spec("EVT-1")
async def test_who_gives_up_or_fails__leaves_the_room_to_the_next() -> None:
    door = Door(Load(10, 10**9), ROOMY)

    async def fail() -> asyncio.Future[Recorded]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await door.admission.admit([event_pb2.Event()] * 10, fail)
    door.come("a", 10)
    await settled()
    impatient = door.come("b", 10)
    await settled()
    door.come("c", 10)
    await settled()

    impatient.cancel()
    await settled()
    await door.go("a")

    assert set(door.inside) == {"c"}
    # The turn comes in the very moment in which its owner gives up.
    late = door.come("d", 10)
    await settled()
    door.come("e", 10)
    await settled()
    door.inside.pop("c").set_result(Recorded(outcomes=[], rejections=[]))
    late.cancel()
    await settled()
    assert set(door.inside) == {"e"}


@pytest.mark.spec("EVT-1")
async def test_a_closed_door__sends_away_who_waits() -> None:
    door = Door(Load(10, 10**9), ROOMY)
    door.come("a", 10)
    await settled()
    waiting = door.come("b", 10)
    await settled()

    door.admission.close()

    with pytest.raises(IngestionUnavailableError):
        await waiting
    await door.go("a")
    assert set(door.inside) == set()


@pytest.mark.spec("EVT-1")
def test_a_sample_of_a_batch__says_how_large_it_is() -> None:
    small = [event_pb2.Event(properties_json=b"x" * 100)] * 10_000
    mixed = [event_pb2.Event(properties_json=b"x" * (100 + index % 7)) for index in range(10_000)]

    assert load_of(small).size_bytes == 10_000 * (200 + small[0].ByteSize())
    assert load_of(mixed).size_bytes == pytest.approx(
        sum(200 + event.ByteSize() for event in mixed), rel=0.02
    )
    assert load_of([]) == Load(0, 0)
