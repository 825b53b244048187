"""What protects PostgreSQL: cold checks share their building, few build at once, and a hang is met once (ENT-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from google.protobuf.message import DecodeError

from candela_server.customer.model import CustomerByExternalId, CustomerById, CustomerId
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import PATIENCE_S, Checker
from candela_server.entitlement.check_wire import questions_in
from candela_server.entitlement.cold_reader import BATCH, READERS
from candela_server.entitlement.known_checks import MAX_QUESTION_BYTES
from candela_server.entitlement.quick_check import QuickChecks
from candela_server.kernel.clock import SystemClock
from candela_server.kernel.errors import InvalidInput
from candela_server.metering.read_counters import Counters
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres, Tx

from tests.helpers.proxy import Proxy
from tests.helpers.selling import Shop
from tests.helpers.waiting import becomes

CALLERS = 500


class CountingPostgres(Postgres):
    """The same database, through a network that can hang; it counts who reads, and how many do at once."""

    def __init__(self, url: str, proxy: Proxy) -> None:
        super().__init__(proxy.url(url), SystemClock(), pool_size=2 * READERS)
        self.proxy = proxy
        self.readings = self.running = self.most = 0

    @asynccontextmanager
    async def reading(self, merchant_id: str) -> AsyncIterator[Tx]:
        self.readings += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            async with super().reading(merchant_id) as tx:
                yield tx
        finally:
            self.running -= 1


@pytest.fixture
async def counted(postgres_dsn: str) -> AsyncIterator[CountingPostgres]:
    port = urlsplit(postgres_dsn).port
    assert port is not None
    with Proxy(port) as proxy:
        opened = CountingPostgres(postgres_dsn, proxy)
        await opened.open()
        yield opened
        proxy.cut()
        proxy.heal()
        await opened.close()


@pytest.fixture
def snapshots() -> SnapshotCache:
    return SnapshotCache(lambda: True)


@pytest.fixture
async def checker(
    counted: CountingPostgres, shop: Shop, snapshots: SnapshotCache, events: EventStore
) -> AsyncIterator[Checker]:
    counters = Counters(None, events, shop.clock)
    yield Checker(counted, counters, snapshots, shop.clock)
    await counters.stop()


@pytest.mark.spec("ENT-5")
async def test_cold_checks_of_one_customer__are_one_reading(
    shop: Shop, checker: Checker, counted: CountingPostgres
) -> None:
    customer = await shop.sign_up("acme")
    who = CustomerById(customer.id)

    got = await asyncio.gather(*[checker.snapshot(shop.merchant_id, who) for _ in range(CALLERS)])

    assert counted.readings == 1
    assert len(set(map(id, got))) == 1


@pytest.mark.spec("ENT-5")
async def test_cold_checks_of_many_customers__few_read_at_once(
    shop: Shop, checker: Checker, counted: CountingPostgres
) -> None:
    got = await asyncio.gather(
        *[
            checker.snapshot(shop.merchant_id, CustomerByExternalId(f"x-{number}"))
            for number in range(CALLERS)
        ]
    )

    # The more ask, the more are read together.
    assert counted.readings < CALLERS / BATCH + READERS
    assert counted.most <= READERS
    assert {one.customer_id for one in got} == {None}


@pytest.mark.quiet
@pytest.mark.spec("ENT-5")
async def test_database_hangs_under_many_cold_checks__each_is_refused_soon_and_the_next_at_once(
    shop: Shop, checker: Checker, counted: CountingPostgres
) -> None:
    counted.proxy.swallow()

    async def ask(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            await checker.snapshot(shop.merchant_id, CustomerByExternalId(f"x-{number}"))
        return time.monotonic() - began

    took_s = await asyncio.gather(*[ask(number) for number in range(CALLERS)])

    assert max(took_s) < PATIENCE_S + 1
    # Only those whose turn it was have asked the database; everybody else was spared.
    assert counted.readings <= 2 * READERS
    began = time.monotonic()
    await ask(0)
    assert time.monotonic() - began < 0.1
    counted.proxy.heal()
    await becomes(lambda: not counted.outage.active, "the database is believed again")
    assert await checker.snapshot(shop.merchant_id, CustomerByExternalId("x-0"))


@pytest.mark.hanging
@pytest.mark.spec("ENT-5")
async def test_customer_remembered_and_database_hangs__the_stale_snapshot_is_served(
    shop: Shop, checker: Checker, counted: CountingPostgres, snapshots: SnapshotCache
) -> None:
    customer = await shop.sign_up("acme")
    who = CustomerById(customer.id)
    await checker.snapshot(shop.merchant_id, who)
    snapshots.doubt_all()
    counted.proxy.swallow()

    got = await asyncio.gather(*[checker.snapshot(shop.merchant_id, who) for _ in range(50)])
    assert all(one.stale and not one.alive for one in got)

    # A change that was heard of is never forgotten for want of a database.
    snapshots.forget(shop.merchant_id, customer.id)
    with pytest.raises(DatabaseUnavailableError):
        await checker.snapshot(shop.merchant_id, who)


@pytest.mark.spec("ENT-5")
async def test_question_with_much_that_the_contract_does_not_know__is_answered_and_not_kept(
    shop: Shop, checker: Checker, snapshots: SnapshotCache
) -> None:
    quick = QuickChecks(checker, None, shop.clock, snapshots.is_current)
    question = pb.CheckRequest(external_customer_id="nobody", feature="advanced-analytics")
    plain = question.SerializeToString()
    # Field 1000, of length 60,000.
    padded = plain + bytes([0xC2, 0x3E, 0xE0, 0xD4, 0x03]) + b"x" * 60_000
    assert pb.CheckRequest.FromString(padded).feature == question.feature

    assert await quick.check(shop.merchant_id, padded) == await quick.check(shop.merchant_id, plain)
    assert all(len(key[1]) <= MAX_QUESTION_BYTES for key in quick._known._known)
    # No customer has such an id, and remembering that nobody has would cost as much.
    long = pb.CheckRequest(external_customer_id="x" * 256, feature="advanced-analytics")
    with pytest.raises(InvalidInput, match="255"):
        await quick.check(shop.merchant_id, long.SerializeToString())


@pytest.mark.spec("ENT-5")
async def test_thousand_checks_in_one_call_while_overrides_change__agree_with_each_other(
    shop: Shop, checker: Checker, snapshots: SnapshotCache
) -> None:
    customer = await shop.sign_up("acme")
    await shop.subscribe(customer, 1)
    quick = QuickChecks(checker, None, shop.clock, snapshots.is_current)
    one = pb.CheckRequest(customer_id=customer.id, feature="advanced-analytics")
    request = pb.CheckManyRequest(checks=[one] * 1_000)
    questions = request.SerializeToString()
    assert len(questions_in(questions)) == 1_000
    going_on = True

    async def disturb() -> None:
        while going_on:
            snapshots.forget(shop.merchant_id, CustomerId(customer.id))
            await asyncio.sleep(0)

    disturbing = asyncio.create_task(disturb())
    for _ in range(10):
        answer = pb.CheckManyResponse.FromString(
            await quick.check_many(shop.merchant_id, questions)
        )
        revisions = {result.response.freshness.revision for result in answer.results}
        assert len(answer.results) == 1_000
        assert len(revisions) == 1
        assert all(result.response.entitlement.entitled for result in answer.results)
    going_on = False
    await disturbing


@pytest.mark.spec("ENT-5")
async def test_bytes_that_are_no_question__are_an_error_of_their_own(
    shop: Shop, checker: Checker, snapshots: SnapshotCache
) -> None:
    quick = QuickChecks(checker, None, shop.clock, snapshots.is_current)
    for junk in (b"\xff", b"\x0a\xff\xff\xff\xff\x7f", b"\x2a\x02\xc3\x28", b"\x0a"):
        with pytest.raises(DecodeError):
            await quick.check(shop.merchant_id, junk)
        with pytest.raises(DecodeError):
            await quick.check_many(shop.merchant_id, bytes([0x0A, len(junk)]) + junk)
    with pytest.raises(DecodeError):
        questions_in(b"\x0a\x05abc")
