"""Watching on real stores: snapshots, then changes, and where a watcher goes on after an interruption (ENT-8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from candela_server.catalog.refs import BySlug
from candela_server.catalog.switch_feature import SwitchFeature, switch_feature
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import Customer, CustomerById, CustomerNotFoundError
from candela_server.entitlement import watch_hub, watch_store
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.forget_changes import forget_changes
from candela_server.entitlement.rules.resume_token import ResumeTokenExpiredError
from candela_server.entitlement.watch_hub import WatchHub
from candela_server.entitlement.watched import Beat, Changes, Told, WatchInterruptedError, Whole
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.kernel.clock import FixedClock, SystemClock
from candela_server.metering.cache import CounterCache
from candela_server.metering.read_counters import Counters
from candela_server.storage.changes import Changes as Hearing
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis

from tests.conftest import TestMerchant
from tests.helpers.selling import Shop

PATIENCE_S = 10.0
ANALYTICS = "advanced-analytics"


@dataclass(slots=True)
class Watching:
    """A hub as a server process has one, and the shop that it serves."""

    shop: Shop
    hub: WatchHub
    changes: Hearing

    @asynccontextmanager
    async def watch(
        self, ids: Sequence[str] = (), token: str = ""
    ) -> AsyncIterator[AsyncGenerator[Told, None]]:
        async with aclosing(self.hub.watch(self.shop.merchant_id, ids, token)) as stream:
            yield stream

    async def switch(self, slug: str, on: bool) -> None:
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            await switch_feature(tx, self.shop.clock, SwitchFeature(feature=BySlug(slug), on=on))


@pytest.fixture
async def watching(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore, redis: Redis
) -> AsyncIterator[Watching]:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    counters = Counters(CounterCache(redis), events, clock)
    await counters.start()

    def changed(merchant_id: str, customer_id: str | None) -> None:
        snapshots.forget(merchant_id, customer_id)
        hub.changed(merchant_id, customer_id)

    def missed() -> None:
        snapshots.doubt_all()
        hub.missed()

    changes = Hearing(db, changed, missed)
    snapshots = SnapshotCache(changes.is_current)
    checker = Checker(db, counters, snapshots, clock)
    hub = WatchHub(
        db, checker, clock, b"secret", entitlement_to_proto, heartbeat_s=0.3, look_s=0.05
    )
    await changes.start()
    await hub.start()
    yield Watching(shop, hub, changes)
    await hub.stop()
    await changes.close()
    await counters.stop()


async def next_told(stream: AsyncGenerator[Told, None]) -> Told:
    async with asyncio.timeout(PATIENCE_S):
        return await anext(stream)


async def next_news(stream: AsyncGenerator[Told, None]) -> Whole | Changes:
    """The next message that is no heartbeat."""
    while True:
        news = (await next_told(stream)).news
        if not isinstance(news, Beat):
            return news


async def until_beat(stream: AsyncGenerator[Told, None]) -> tuple[list[Whole | Changes], str]:
    """All news up to the next heartbeat that says that this is all, and the token that came with that."""
    news: list[Whole | Changes] = []
    while True:
        told = await next_told(stream)
        if not isinstance(told.news, Beat):
            news.append(told.news)
        elif not told.news.catching_up:
            return news, told.resume_token


async def settled(stream: AsyncGenerator[Told, None]) -> str:
    """A token from when nothing was left to tell."""
    while True:
        news, token = await until_beat(stream)
        if not news:
            return token


async def complete_token(watching: Watching) -> str:
    """A token with which nothing is told again, though other transactions of the database run all the time."""
    token = ""
    while True:
        async with watching.watch(token=token) as stream:
            news, _ = await until_beat(stream)
            if token and not news:
                return token
            token = await settled(stream)


def slugs_of(news: Whole | Changes) -> list[str]:
    if isinstance(news, Whole):
        return list(news.state.sent.slugs)
    return [news.state.sent.slugs[index] for index in news.difference.changed]


@pytest.mark.spec("ENT-8")
async def test_new_watcher__gets_a_snapshot_of_each_customer_and_then_a_heartbeat(
    watching: Watching,
) -> None:
    acme, initech = [await watching.shop.sign_up(name) for name in ("acme", "initech")]
    await watching.shop.subscribe(acme, 1)

    async with watching.watch() as everybody, watching.watch([initech.id]) as one:
        all_news, _ = await until_beat(everybody)
        one_news, _ = await until_beat(one)

    assert all(isinstance(news, Whole) for news in all_news)
    assert [news.state.customer_id for news in all_news] == [acme.id, initech.id]
    assert [news.state.customer_id for news in one_news] == [initech.id]
    assert ANALYTICS in slugs_of(all_news[0])
    assert all_news[0].state.people.external_id == "acme"


@pytest.mark.spec("ENT-8", "ENT-11")
async def test_feature_switched_off__is_told_as_the_one_answer_that_changed(
    watching: Watching,
) -> None:
    acme = await watching.shop.sign_up("acme")
    await watching.shop.subscribe(acme, 1)
    async with watching.watch([acme.id]) as stream:
        [first], _ = await until_beat(stream)
        await watching.switch(ANALYTICS, on=False)
        got = await next_news(stream)

    assert isinstance(got, Changes)
    assert slugs_of(got) == [ANALYTICS]
    assert got.from_revision == first.state.sent.revision
    assert got.difference.removed == ()


@pytest.mark.spec("ENT-8", "ENT-5")
async def test_user_added__is_told_with_a_whole_snapshot(watching: Watching) -> None:
    acme = await watching.shop.sign_up("acme")
    async with watching.watch([acme.id]) as stream:
        await until_beat(stream)
        user = await add_user(watching.shop, acme, "ada")
        got = await next_news(stream)

    assert isinstance(got, Whole)
    assert got.state.people.users == ((user, "ada"),)


@pytest.mark.spec("ENT-8")
async def test_customer_added__is_told_to_whoever_watches_all(watching: Watching) -> None:
    async with watching.watch() as stream:
        assert (await until_beat(stream))[0] == []
        acme = await watching.shop.sign_up("acme")
        got = await next_news(stream)

    assert isinstance(got, Whole)
    assert got.state.customer_id == acme.id


@pytest.mark.spec("ENT-8")
async def test_watcher_that_comes_back__gets_what_changed_meanwhile_and_no_more(
    watching: Watching,
) -> None:
    customers = [await watching.shop.sign_up(name) for name in ("acme", "initech", "umbrella")]
    token = await complete_token(watching)
    await watching.shop.subscribe(customers[1], 1)

    async with watching.watch(token=token) as stream:
        news, _ = await until_beat(stream)

    assert [(type(one), one.state.customer_id) for one in news] == [(Whole, customers[1].id)]


@pytest.mark.spec("ENT-8")
async def test_change_after_coming_back__is_told_whole_because_only_the_watcher_knows_its_revision(
    watching: Watching,
) -> None:
    acme = await watching.shop.sign_up("acme")
    token = await complete_token(watching)
    async with watching.watch(token=token) as stream:
        # Between two beats everybody is looked at.
        await settled(stream)
        await settled(stream)
        assert acme.id in watching.hub._merchants[watching.shop.merchant_id].known
        await watching.switch(ANALYTICS, on=False)
        first = await next_news(stream)
        await watching.switch(ANALYTICS, on=True)
        second = await next_news(stream)

    assert isinstance(first, Whole)
    assert first.state.customer_id == acme.id
    assert isinstance(second, Changes)
    assert second.from_revision == first.state.sent.revision


@pytest.mark.spec("ENT-8")
async def test_change_that_changes_nothing__leaves_the_revision_that_differences_are_told_from(
    watching: Watching,
) -> None:
    acme = await watching.shop.sign_up("acme")
    await watching.shop.subscribe(acme, 1)
    async with watching.watch([acme.id]) as stream:
        [first], _ = await until_beat(stream)
        for _ in range(3):
            async with watching.shop.db.writing(watching.shop.merchant_id) as tx:
                await tx.entitlements_changed(acme.id)
            await settled(stream)
        await watching.switch(ANALYTICS, on=False)
        got = await next_news(stream)

    assert isinstance(got, Changes)
    assert got.from_revision == first.state.sent.revision
    assert got.state.sent.revision > got.from_revision


@pytest.mark.spec("ENT-8")
async def test_interrupted_first_listing__goes_on_where_it_was(watching: Watching) -> None:
    customers = [await watching.shop.sign_up(f"customer-{number}") for number in range(40)]
    async with watching.watch() as stream:
        first = [await next_told(stream) for _ in range(20)]
    async with watching.watch(token=first[-1].resume_token) as stream:
        rest, _ = await until_beat(stream)

    told = [one.news.state.customer_id for one in first if isinstance(one.news, Whole)]
    told_later = [news.state.customer_id for news in rest]
    assert {*told, *told_later} == {customer.id for customer in customers}
    # A batch that was told in part is told again.
    assert len(told_later) <= 40 - 20 + 16


@pytest.mark.spec("ENT-8")
async def test_change_in_a_transaction_that_was_open_at_the_token__is_told_afterwards(
    watching: Watching,
) -> None:
    acme = await watching.shop.sign_up("acme")
    async with watching.shop.db.writing(watching.shop.merchant_id) as tx:
        await tx.entitlements_changed(acme.id)
        async with watching.watch([acme.id]) as stream:
            await until_beat(stream)
            _, token = await until_beat(stream)
    async with watching.watch([acme.id], token) as stream:
        news, _ = await until_beat(stream)

    assert [one.state.customer_id for one in news] == [acme.id]


@pytest.mark.spec("ENT-8")
async def test_change_that_nobody_heard__is_found_by_looking(watching: Watching) -> None:
    acme = await watching.shop.sign_up("acme")
    async with watching.watch([acme.id]) as stream:
        await until_beat(stream)
        await watching.changes.close()
        await watching.switch(ANALYTICS, on=False)
        await watching.shop.subscribe(acme, 1)
        got = await next_news(stream)

    assert got.state.customer_id == acme.id


@pytest.mark.spec("ENT-8")
async def test_reader_who_was_away__gets_the_newest_state_once(watching: Watching) -> None:
    acme = await watching.shop.sign_up("acme")
    await watching.shop.subscribe(acme, 1)
    async with watching.watch([acme.id]) as stream:
        await until_beat(stream)
        for _ in range(10):
            await watching.switch(ANALYTICS, on=False)
            await watching.switch(ANALYTICS, on=True)
        await watching.switch(ANALYTICS, on=False)
        await asyncio.sleep(0)
        news, _ = await until_beat(stream)
        while len(news) == 0:
            news, _ = await until_beat(stream)

    assert len(news) <= 2
    assert slugs_of(news[-1]) == [ANALYTICS]


@pytest.mark.spec("ENT-8")
async def test_idle_stream__beats_and_says_nothing_else(watching: Watching) -> None:
    acme = await watching.shop.sign_up("acme")
    async with watching.watch([acme.id]) as stream:
        await settled(stream)
        told = [await next_told(stream) for _ in range(3)]

    assert [type(one.news) for one in told] == [Beat] * 3


@pytest.mark.spec("ENT-8", "ENT-11")
async def test_change_for_everybody__no_beat_says_that_all_is_current_before_the_last_is_told(
    watching: Watching,
) -> None:
    customers = {(await watching.shop.sign_up(f"customer-{number}")).id for number in range(70)}
    hub = WatchHub(
        watching.shop.db,
        watching.hub._checker,
        watching.shop.clock,
        b"secret",
        entitlement_to_proto,
        heartbeat_s=0.005,
        look_s=0.02,
    )
    await hub.start()
    async with aclosing(hub.watch(watching.shop.merchant_id, [], "")) as stream:
        first = [one async for one in until_current(stream)]
        await watching.switch(ANALYTICS, on=False)
        await next_news(stream)
        rest = [one async for one in until_current(stream)]
    await hub.stop()

    assert {one.news.state.customer_id for one in first if isinstance(one.news, Whole)} == customers
    assert len([one for one in rest if isinstance(one.news, Changes)]) == len(customers) - 1
    # The stream was seen to live all the time.
    assert any(isinstance(one.news, Beat) for one in rest)


async def until_current(stream: AsyncGenerator[Told, None]) -> AsyncIterator[Told]:
    """What is told before the next heartbeat that says that all is current."""
    while True:
        told = await next_told(stream)
        if isinstance(told.news, Beat) and not told.news.catching_up:
            return
        yield told


@pytest.mark.spec("ENT-8")
async def test_period_that_ends__is_told_without_any_change(watching: Watching) -> None:
    acme = await watching.shop.sign_up("acme")
    await watching.shop.subscribe(acme, 1)
    async with watching.watch([acme.id]) as stream:
        [first], _ = await until_beat(stream)
        until = first.state.valid_until
        assert until is not None
        watching.shop.clock.advance(until)
        got = await next_news(stream)

    assert got.state.valid_until is not None
    assert got.state.valid_until > until


@pytest.mark.spec("ENT-8")
@pytest.mark.parametrize("spoilt", ["other customers", "other merchant", "too old", "nonsense"])
async def test_token_that_is_good_for_something_else__is_refused(
    watching: Watching, spoilt: str
) -> None:
    acme, initech = [await watching.shop.sign_up(name) for name in ("acme", "initech")]
    async with watching.watch([acme.id]) as stream:
        _, token = await until_beat(stream)
    ids = [acme.id]
    merchant_id = watching.shop.merchant_id
    match spoilt:
        case "other customers":
            ids = [initech.id]
        case "other merchant":
            merchant_id = "mer_other"
        case "too old":
            watching.shop.clock.advance(watching.shop.clock.now() + timedelta(hours=24, seconds=1))
        case _:
            token = token[:-2] + "AA"

    with pytest.raises(ResumeTokenExpiredError):
        async with aclosing(watching.hub.watch(merchant_id, ids, token)) as stream:
            await next_told(stream)


@pytest.mark.spec("ENT-8")
async def test_customer_that_does_not_exist__cannot_be_watched(watching: Watching) -> None:
    with pytest.raises(CustomerNotFoundError, match="cus_00000000000000000000000000"):
        async with watching.watch(["cus_00000000000000000000000000"]) as stream:
            await next_told(stream)


@pytest.mark.spec("ENT-8")
async def test_watchers_that_come_and_go__leave_nothing_behind(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "MIN_ENDS", 5)
    acme = await watching.shop.sign_up("acme")
    await watching.shop.subscribe(acme, 1)
    for _ in range(20):
        async with watching.watch([acme.id]) as stream:
            [news], _ = await until_beat(stream)
            assert news.state.valid_until is not None

    hub = watching.hub
    assert len(hub._ends) <= 7
    assert hub._merchants == {}
    assert not hub._customers._ready
    assert not hub._customers._facts


@pytest.mark.spec("ENT-8", "OPS-1")
async def test_server_that_stops__ends_its_streams(watching: Watching) -> None:
    async with watching.watch() as stream:
        await until_beat(stream)
        await watching.hub.stop()
        with pytest.raises(WatchInterruptedError, match="resume_token"):
            await next_told(stream)


@pytest.mark.spec("ENT-8", "OPS-1")
async def test_server_that_cannot_see__ends_its_streams_instead_of_saying_that_all_is_well(
    watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_hub, "BLIND_AFTER_S", 0.5)
    blind = Postgres(watching.shop.db.url, watching.shop.clock)
    await blind.open()
    hub = WatchHub(
        blind,
        watching.hub._checker,
        watching.shop.clock,
        b"secret",
        entitlement_to_proto,
        heartbeat_s=0.05,
        look_s=0.05,
    )
    await hub.start()
    async with aclosing(hub.watch(watching.shop.merchant_id, [], "")) as stream:
        await until_beat(stream)
        await blind.close()
        with pytest.raises(WatchInterruptedError, match="cannot see"):
            await read_to_the_end(stream)
    await hub.stop()


async def read_to_the_end(stream: AsyncGenerator[Told, None]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        async for _ in stream:
            pass


@pytest.mark.spec("ENT-8", "KEY-2")
async def test_change_of_another_merchant__is_neither_told_nor_listed(
    watching: Watching, db: Postgres, clock: FixedClock
) -> None:
    acme = await watching.shop.sign_up("acme")
    async with db.writing("mer_other") as tx:
        await tx.entitlements_changed(acme.id)
        assert await watch_store.list_changed(tx, since=0, limit=10) == [acme.id]
    async with db.reading(watching.shop.merchant_id) as tx:
        own = await watch_store.newest_changes(tx, [acme.id])
    async with db.reading("mer_other") as tx:
        other = await watch_store.newest_changes(tx, [acme.id])

    assert own[acme.id] < other[acme.id]


@pytest.mark.spec("ENT-8")
async def test_changes_older_than_any_token__are_forgotten(
    watching: Watching, db: Postgres
) -> None:
    acme = await watching.shop.sign_up("acme")
    # Rows are stamped with the time of the machine, whatever clock a shop is on.
    now = SystemClock().now()
    await forget_changes(db, now + timedelta(hours=47))
    async with db.reading(watching.shop.merchant_id) as tx:
        kept = await watch_store.newest_changes(tx, [acme.id])
    await forget_changes(db, now + timedelta(hours=49))
    async with db.reading(watching.shop.merchant_id) as tx:
        forgotten = await watch_store.newest_changes(tx, [acme.id])

    assert acme.id in kept
    assert forgotten == {}


async def add_user(shop: Shop, of: Customer, external_id: str) -> str:
    async with shop.db.writing(shop.merchant_id) as tx:
        user = await create_user(
            tx,
            shop.clock,
            CreateUser(
                customer=CustomerById(of.id), external_id=external_id, name="Ada", email=None
            ),
        )
    return user.id
