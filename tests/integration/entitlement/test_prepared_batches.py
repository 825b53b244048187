"""A CheckMany asked again and again with the same bytes answers what checks of their own would (ENT-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
import pytest_asyncio
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.customer.model import Customer
from candela_server.entitlement import quick_check
from candela_server.storage.redis import Redis

from tests.helpers.waiting import PATIENCE_S, becomes
from tests.integration.entitlement.reserving import Desk


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def _until_changes_are_heard(desk: Desk) -> None:
    """Nothing is remembered before that."""
    await becomes(desk.quick._is_current, "changes are heard")


def request_of(customers: Sequence[Customer], *features: str) -> bytes:
    return pb.CheckManyRequest(
        checks=[
            pb.CheckRequest(customer_id=customer.id, feature=feature)
            for customer in customers
            for feature in features
        ]
    ).SerializeToString()


async def ask(desk: Desk, request: bytes) -> pb.CheckManyResponse:
    """The answer, which is compared with that of each check by itself."""
    answer = pb.CheckManyResponse.FromString(
        await desk.quick.check_many(desk.shop.merchant_id, request)
    )
    questions = pb.CheckManyRequest.FromString(request).checks
    assert len(answer.results) == len(questions)
    for question, result in zip(questions, answer.results, strict=True):
        alone = pb.CheckResponse.FromString(
            await desk.quick.check(desk.shop.merchant_id, question.SerializeToString())
        )
        # The first one to ask has the rollups read, and the counters filled for all others; and a server that is busy
        # may not be sure of what it remembers for a moment, and reads it again.
        for response in (result.response, alone):
            response.ClearField("freshness")
        assert result.response == alone
    return answer


def used(answer: pb.CheckManyResponse) -> list[str]:
    return [result.response.entitlement.usage.used for result in answer.results]


@pytest.mark.spec("ENT-5", "ENT-4")
async def test_usage_between_equal_batches__each_counts_what_was_acknowledged(desk: Desk) -> None:
    acme, globex = await desk.shop.sign_up(), await desk.shop.sign_up()
    request = request_of([acme, globex], "tokens", "calls")
    assert used(await ask(desk, request)) == ["0", "0", "0", "0"]

    for number in range(1, 6):
        await desk.record(acme, "2.5")
        await desk.record(globex, "1", name="calls")
        first, again = await ask(desk, request), await ask(desk, request)
        assert used(first) == [f"{2.5 * number:g}", "0", "0", str(number)]
        assert again == first
    await _until_kept(desk, [request], 1)


@pytest.mark.spec("ENT-5", "ENT-9")
async def test_reservation_between_equal_batches__is_shown_and_lapses_with_time(desk: Desk) -> None:
    acme = await desk.shop.sign_up()
    request = request_of([acme], "tokens", "calls")
    await ask(desk, request)

    await desk.reserve(acme, "5", hold_s=60)
    await desk.until_reserved(acme, 5)
    held = await ask(desk, request)
    desk.shop.clock.advance(desk.shop.clock.now() + timedelta(seconds=61))
    lapsed = await ask(desk, request)

    assert [answer.results[0].response.entitlement.usage.reserved for answer in (held, lapsed)] == [
        "5",
        "0",
    ]


@pytest.mark.spec("ENT-5", "ENT-6")
async def test_redis_flushed_between_equal_batches__nothing_is_forgotten(
    desk: Desk, redis: Redis
) -> None:
    acme = await desk.shop.sign_up()
    request = request_of([acme], "tokens", "pages")
    await desk.record(acme, "7")
    assert used(await ask(desk, request)) == ["7", "0"]

    await redis.client.flushall()

    assert used(await ask(desk, request)) == ["7", "0"]


@pytest.mark.spec("ENT-5")
async def test_period_over_between_equal_batches__the_next_one_counts_anew(desk: Desk) -> None:
    acme = await desk.shop.sign_up()
    request = request_of([acme], "tokens")
    await desk.record(acme, "7")
    assert used(await ask(desk, request)) == ["7"]

    desk.shop.clock.advance(desk.shop.clock.now() + timedelta(days=32))

    assert used(await ask(desk, request)) == ["0"]


@pytest.mark.spec("ENT-5", "ENT-2")
async def test_batch_with_a_bad_question__is_answered_and_not_kept(desk: Desk) -> None:
    acme = await desk.shop.sign_up()
    request = request_of([acme], "tokens", "no-such-feature", "calls")

    for _ in range(2):
        answer = pb.CheckManyResponse.FromString(
            await desk.quick.check_many(desk.shop.merchant_id, request)
        )
        assert [one.WhichOneof("result") for one in answer.results] == [
            "response",
            "error",
            "response",
        ]
        assert answer.results[1].error.index == 1
    assert not desk.quick._batches


@pytest.mark.spec("ENT-5")
async def test_many_different_batches_at_once__are_all_right_and_few_are_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_check, "MAX_BATCHES", 3)
    customers = [await desk.shop.sign_up() for _ in range(6)]
    for number, customer in enumerate(customers):
        await desk.record(customer, str(number))
    requests = [request_of(customers[: number + 1], "tokens") for number in range(6)]

    answers = await asyncio.gather(*[ask(desk, request) for request in requests * 3])

    assert [used(answer) for answer in answers] == [
        [str(n) for n in range(number + 1)] for number in range(6)
    ] * 3
    await _until_kept(desk, requests, 3)


async def _until_kept(desk: Desk, requests: Sequence[bytes], count: int) -> None:
    """Asks until so many of the requests are remembered, and never sees more."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for request in requests:
                await ask(desk, request)
                assert len(desk.quick._batches) <= count
            if len(desk.quick._batches) == count:
                return
