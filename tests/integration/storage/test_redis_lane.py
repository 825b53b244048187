"""The lane to Redis: nobody waits for one that is silent, and it opens again by itself (ENT-4)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from redis.exceptions import TimeoutError as RedisTimeoutError

from candela_server.storage.redis import TIMEOUT_S as CALL_TIMEOUT_S
from candela_server.storage.redis import Redis, RedisUnavailable
from candela_server.storage.redis_lane import TIMEOUT_S, LaneClosedError, RedisLane, encode

from tests.helpers.proxy import Proxy
from tests.helpers.waiting import becomes, eventually

PREAMBLE = encode("GET", "lane:epoch")


@dataclass(slots=True)
class Way:
    """A lane that reaches Valkey through a network that can go wrong."""

    lane: RedisLane
    proxy: Proxy
    lost: int = 0

    async def until_open(self) -> None:
        async def is_open() -> bool:
            with suppress(LaneClosedError):
                await self.lane.send(encode("PING"))
                return True
            return False

        await eventually(is_open, "the lane is open")


@pytest.fixture
async def way(redis: Redis, redis_url: str) -> AsyncIterator[Way]:
    await redis.client.set("lane:epoch", "e1")
    port = urlsplit(redis_url).port
    assert port is not None
    with Proxy(port) as proxy:
        made = Way(RedisLane(proxy.url(redis_url), PREAMBLE), proxy)

        def count() -> None:
            made.lost += 1

        made.lane.on_lost = count
        await made.until_open()
        yield made
        await made.lane.close()


@pytest.mark.spec("ENT-4")
async def test_many_at_once__each_gets_its_own_answer(way: Way, redis: Redis) -> None:
    await redis.client.mset({f"lane:{number}": str(number) for number in range(300)})
    singles = [way.lane.send(encode("GET", f"lane:{number}")) for number in range(300)]
    several = way.lane.send_all(
        b"".join(encode("GET", f"lane:{number}") for number in range(300)), 300
    )

    assert await asyncio.gather(*singles) == [
        (b"e1", str(number).encode()) for number in range(300)
    ]
    assert await several == (b"e1", [str(number).encode() for number in range(300)])
    assert way.lost == 0


@pytest.mark.spec("ENT-4")
async def test_error_of_one_command__is_its_answer_and_nobody_elses(way: Way, redis: Redis) -> None:
    await redis.client.set("lane:text", "x")
    _, wrong = await way.lane.send(encode("HMGET", "lane:text", "e"))
    _, fine = await way.lane.send(encode("GET", "lane:text"))

    assert isinstance(wrong, Exception)
    assert fine == b"x"
    assert way.lost == 0


@pytest.mark.quiet
@pytest.mark.spec("ENT-4")
@pytest.mark.parametrize("fault", ["swallow", "delay"])
async def test_redis_says_nothing__who_waits_is_told_soon_and_later_ones_at_once(
    way: Way, fault: str
) -> None:
    if fault == "swallow":
        way.proxy.swallow()
    else:
        way.proxy.delay(2.0)
    began = time.monotonic()
    waiting = [way.lane.send(encode("PING")) for _ in range(50)]
    got = await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(one, LaneClosedError) for one in got)
    assert time.monotonic() - began < TIMEOUT_S + 0.4
    assert way.lost >= 1
    for _ in range(20):
        with pytest.raises(LaneClosedError):
            await way.lane.send(encode("PING"))
    way.proxy.cut()
    way.proxy.heal()
    await way.until_open()
    assert (await way.lane.send(PREAMBLE))[0] == b"e1"


@pytest.mark.spec("ENT-4")
async def test_connection_cut_again_and_again__it_opens_by_itself_and_mixes_nothing_up(
    way: Way, redis: Redis
) -> None:
    await redis.client.mset({f"lane:{number}": str(number) for number in range(50)})
    answered = 0
    for _ in range(4):
        way.proxy.cut()
        await way.until_open()
        for number in range(50):
            try:
                got = await way.lane.send(encode("GET", f"lane:{number}"))
            except LaneClosedError:
                continue
            assert got == (b"e1", str(number).encode())
            answered += 1
    assert answered > 100
    assert way.lost >= 4


@pytest.mark.spec("ENT-4")
async def test_caller_who_gives_up__leaves_the_answers_of_others_in_order(way: Way) -> None:
    first = way.lane.send(encode("ECHO", "first"))
    second = way.lane.send(encode("ECHO", "second"))
    several = way.lane.send_all(encode("ECHO", "a") + encode("ECHO", "b"), 2)
    last = way.lane.send(encode("ECHO", "last"))
    first.cancel()
    several.cancel()

    assert await second == (b"e1", b"second")
    assert await last == (b"e1", b"last")


@pytest.mark.spec("ENT-4")
async def test_wrong_password__is_no_lane_and_no_crash(redis_url: str) -> None:
    lane = RedisLane(redis_url.replace("@", "x@"), PREAMBLE)
    for _ in range(5):
        with pytest.raises(LaneClosedError):
            await lane.send(encode("PING"))
        await asyncio.sleep(0.01)
    await lane.close()


@pytest.mark.quiet
@pytest.mark.spec("ENT-4")
async def test_breaker__opens_after_a_failure_and_closes_when_redis_answers(
    redis: Redis, redis_url: str
) -> None:
    port = urlsplit(redis_url).port
    assert port is not None
    with Proxy(port) as proxy:
        client = Redis(proxy.url(redis_url))
        await client.client.set("lane:x", "1")
        assert client.available
        proxy.swallow()
        began = time.monotonic()
        with pytest.raises(RedisTimeoutError):
            await client.client.get("lane:x")
        assert time.monotonic() - began < 0.6
        assert not client.available
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(RedisUnavailable):
                await client.client.get("lane:x")
        assert time.monotonic() - began < 0.5
        proxy.cut()
        proxy.heal()
        await becomes(lambda: client.available, "the breaker closes")
        assert await client.client.get("lane:x") == b"1"
        await client.close()


@pytest.mark.quiet
@pytest.mark.spec("ENT-4")
async def test_process_stood_still__is_not_taken_for_an_outage_of_redis(redis_url: str) -> None:
    client = Redis(redis_url)
    await client.client.set("lane:y", "1")
    for turns in range(15):
        asking = asyncio.create_task(client.client.get("lane:y"))
        for _ in range(turns):
            await asyncio.sleep(0)
        # Holds up the loop itself: in some of these rounds the answer comes meanwhile, and the timer is due as well.
        time.sleep(CALL_TIMEOUT_S * 1.5)
        assert await asking == b"1"
        assert client.available
    await client.close()
