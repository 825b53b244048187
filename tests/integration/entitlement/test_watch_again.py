"""Where a watcher goes on after an interruption, and what the server forgets of it (ENT-8)."""

from __future__ import annotations

from contextlib import aclosing
from datetime import timedelta

import pytest

from candela_server.entitlement import watch_hub, watch_store
from candela_server.entitlement.forget_changes import forget_changes
from candela_server.entitlement.rules.resume_token import ResumeTokenExpiredError
from candela_server.entitlement.watch_hub import WatchHub
from candela_server.entitlement.watched import Changes, WatchInterruptedError, Whole
from candela_server.entitlement.wire import entitlement_to_proto
from candela_server.kernel.clock import SystemClock
from candela_server.storage.postgres import Postgres

from tests.integration.entitlement.watching import (
    ANALYTICS,
    Watching,
    complete_token,
    next_news,
    next_told,
    read_to_the_end,
    settled,
    until_beat,
)


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
