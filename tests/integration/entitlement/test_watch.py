"""Watching on real stores: snapshots first, then what changes (ENT-8)."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from candela_server.customer.model import CustomerNotFoundError
from candela_server.entitlement import watch_store
from candela_server.entitlement.watch_hub import WatchHub
from candela_server.entitlement.watched import Beat, Changes, Whole
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.kernel.clock import FixedClock
from candela_server.storage.postgres import Postgres

from tests.integration.entitlement.watching import (
    ANALYTICS,
    Watching,
    add_user,
    next_news,
    next_told,
    settled,
    slugs_of,
    until_beat,
    until_current,
)


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
async def test_customer_that_does_not_exist__cannot_be_watched(watching: Watching) -> None:
    with pytest.raises(CustomerNotFoundError, match="cus_00000000000000000000000000"):
        async with watching.watch(["cus_00000000000000000000000000"]) as stream:
            await next_told(stream)


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
