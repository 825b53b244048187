"""A hub as a server process has one, and short words for what it tells its watchers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from candela_server.catalog.refs import BySlug
from candela_server.catalog.switch_feature import SwitchFeature, switch_feature
from candela_server.customer.create_user import CreateUser, create_user
from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.watch_hub import WatchHub
from candela_server.entitlement.watched import Beat, Changes, Told, Whole
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.metering.cache import CounterCache
from candela_server.metering.read_counters import Counters
from candela_server.storage.changes import Changes as Hearing
from candela_server.storage.events import EventStore
from candela_server.storage.redis import Redis

from tests.helpers.selling import Shop
from tests.helpers.waiting import PATIENCE_S

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
        """What the hub tells a watcher of these customers, or of all."""
        async with aclosing(self.hub.watch(self.shop.merchant_id, ids, token)) as stream:
            yield stream

    async def switch(self, slug: str, on: bool) -> None:
        """Switches a feature of everybody's off or on."""
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            await switch_feature(tx, self.shop.clock, SwitchFeature(feature=BySlug(slug), on=on))


@asynccontextmanager
async def open_watching(shop: Shop, events: EventStore, redis: Redis) -> AsyncIterator[Watching]:
    """A server process whose hub hears of the shop's changes; it looks and beats often."""
    db, clock = shop.db, shop.clock
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
    """The next message, heartbeats included."""
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
    """The features that a message is about."""
    if isinstance(news, Whole):
        return list(news.state.sent.slugs)
    return [news.state.sent.slugs[index] for index in news.difference.changed]


async def until_current(stream: AsyncGenerator[Told, None]) -> AsyncIterator[Told]:
    """What is told before the next heartbeat that says that all is current."""
    while True:
        told = await next_told(stream)
        if isinstance(told.news, Beat) and not told.news.catching_up:
            return
        yield told


async def read_to_the_end(stream: AsyncGenerator[Told, None]) -> None:
    """Reads until the stream ends."""
    async with asyncio.timeout(PATIENCE_S):
        async for _ in stream:
            pass


async def add_user(shop: Shop, of: Customer, external_id: str) -> str:
    """A new user of a customer; answers its id."""
    async with shop.db.writing(shop.merchant_id) as tx:
        user = await create_user(
            tx,
            shop.clock,
            CreateUser(
                customer=CustomerById(of.id), external_id=external_id, name="Ada", email=None
            ),
        )
    return user.id
