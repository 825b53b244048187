"""Everybody at once: after what concerns all customers, nobody is refused, and nobody gets an old answer (ENT-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from candela_server.catalog.create_feature import NewFeature, create_feature
from candela_server.catalog.model import FeatureType
from candela_server.catalog.refs import BySlug
from candela_server.catalog.switch_feature import SwitchFeature, switch_feature
from candela_server.catalog.terms_json import value_from_text
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.entitlement.build_ahead import BuildAhead
from candela_server.entitlement.cache import SnapshotCache
from candela_server.entitlement.check_entitlement import Checker
from candela_server.entitlement.cold_reader import BATCH, READERS
from candela_server.entitlement.quick_check import QuickChecks
from candela_server.entitlement.remembered_catalog import RememberedCatalog
from candela_server.kernel.clock import FixedClock, SystemClock
from candela_server.metering.read_counters import Counters
from candela_server.storage.changes import Changes
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx

from tests.conftest import TestMerchant
from tests.helpers.many_customers import copy_customer
from tests.helpers.selling import Shop
from tests.helpers.waiting import becomes

LEASE_S = 20.0
CUSTOMERS = 2_000
ANALYTICS = "advanced-analytics"


class CountingPostgres(Postgres):
    """The same database; it counts the transactions that read."""

    readings = 0

    @asynccontextmanager
    async def reading(self, merchant_id: str) -> AsyncIterator[Tx]:
        self.readings += 1
        async with super().reading(merchant_id) as tx:
            yield tx


@dataclass(slots=True)
class Server:
    """What answers checks in a server process, and whom it answers for."""

    shop: Shop
    db: CountingPostgres
    changes: Changes
    checker: Checker
    quick: QuickChecks
    ahead: BuildAhead
    customer_ids: Sequence[CustomerId]

    async def ask_for_all(self, feature: str) -> list[entitlement_pb2.Entitlement]:
        """Everybody asks in the same moment; raises when anybody is refused."""
        answers = await asyncio.gather(
            *[
                self.quick.check(
                    self.shop.merchant_id,
                    pb.CheckRequest(customer_id=one, feature=feature).SerializeToString(),
                )
                for one in self.customer_ids
            ]
        )
        return [pb.CheckResponse.FromString(answer).entitlement for answer in answers]

    async def switch(self, on: bool) -> None:
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            await switch_feature(
                tx, self.shop.clock, SwitchFeature(feature=BySlug(ANALYTICS), on=on)
            )
        await self.changes.catch_up()

    async def create_feature(self, slug: str) -> None:
        async with self.shop.db.writing(self.shop.merchant_id) as tx:
            new = NewFeature(
                slug=slug,
                name=slug,
                description="",
                type=FeatureType.BOOLEAN,
                default_value=False,
                metric_slug=None,
            )
            await create_feature(tx, self.shop.clock, new, None)
        await self.changes.catch_up()


@pytest.fixture
async def server(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore
) -> AsyncIterator[Server]:
    """A server process of a merchant with many customers, all of whom it knows. A switch is to it as any change."""
    async with serving(db, clock, merchant, events) as made:
        yield made


@asynccontextmanager
async def serving(
    db: Postgres,
    clock: FixedClock,
    merchant: TestMerchant,
    events: EventStore,
    *,
    by_switches: bool = False,
    customers: int = CUSTOMERS,
) -> AsyncIterator[Server]:
    """Such a server process; `by_switches` if it hears of switches as what they are.

    A process that could not ask PostgreSQL for a second trusts nothing that it remembers, and reads it again. Here
    everybody is asked about in one loop, and what counts is who was read; so the lease is longer, for all.
    """
    with pytest.MonkeyPatch.context() as patched:
        for module in ("listen", "changes"):
            patched.setattr(f"candela_server.storage.{module}.LEASE_S", LEASE_S)
        async with _serving(db, clock, merchant, events, by_switches, customers) as made:
            yield made


@asynccontextmanager
async def _serving(
    db: Postgres,
    clock: FixedClock,
    merchant: TestMerchant,
    events: EventStore,
    by_switches: bool,
    customers: int,
) -> AsyncIterator[Server]:
    shop = Shop(db, clock, merchant.id)
    await shop.sell_team_plan()
    model = await shop.sign_up("customer-00000")
    await shop.subscribe(model, 1)
    customer_ids = await copy_customer(shop, model, customers)
    counted = CountingPostgres(db.url, SystemClock())
    await counted.open()
    counters = Counters(None, events, clock)

    def changed(merchant_id: str, customer_id: str | None) -> None:
        snapshots.forget(merchant_id, customer_id)
        if customer_id is None:
            catalog.forget(merchant_id)

    def grown(merchant_id: str) -> None:
        snapshots.grow(merchant_id)
        catalog.forget(merchant_id)

    def switched(merchant_id: str, slug: str, on: bool) -> None:
        snapshots.switch(merchant_id, slug, on)
        catalog.forget(merchant_id)

    def defaulted(merchant_id: str, slug: str, default: str) -> None:
        snapshots.set_default(merchant_id, slug, value_from_text(default))
        catalog.forget(merchant_id)

    changes = Changes(
        db,
        changed,
        lambda: snapshots.doubt_all(),
        on_growth=grown,
        on_switch=switched if by_switches else None,
        on_default=defaulted if by_switches else None,
    )
    snapshots = SnapshotCache(changes.is_current, changes.catch_up)
    catalog = RememberedCatalog(changes.is_current)
    await changes.start()
    await becomes(changes.is_current, "changes are heard")
    checker = Checker(counted, counters, snapshots, clock, catalog)
    quick = QuickChecks(checker, None, clock, changes.is_current)
    ahead = BuildAhead(counted, snapshots, clock, catalog)
    made = Server(shop, counted, changes, checker, quick, ahead, customer_ids)
    assert all(one.entitled for one in await made.ask_for_all(ANALYTICS))
    # A machine that is busy elsewhere may not have heard from PostgreSQL in time, and trusts less than all of it.
    counted.readings = -1
    while counted.readings:
        counted.readings = 0
        await made.ask_for_all(ANALYTICS)
    yield made
    await changes.close()
    await counters.stop()
    await counted.close()


@pytest.mark.spec("ENT-5", "ENT-11")
async def test_feature_switched_while_all_are_known__nobody_is_refused_and_all_answers_are_new(
    server: Server,
) -> None:
    await server.switch(on=False)
    began = time.monotonic()
    got = await server.ask_for_all(ANALYTICS)
    took_s = time.monotonic() - began

    assert {one.denial_reason for one in got} == {entitlement_pb2.DENIAL_REASON_FEATURE_DISABLED}
    assert server.db.readings <= CUSTOMERS / BATCH + READERS
    print(f"{CUSTOMERS} cold checks at once: {took_s:.2f} s, {server.db.readings} transactions")
    await server.switch(on=True)
    assert all(one.entitled for one in await server.ask_for_all(ANALYTICS))


@pytest.mark.spec("ENT-5", "ENT-2")
async def test_feature_created_while_all_are_known__nobody_is_read_again_but_who_asks_for_it(
    server: Server,
) -> None:
    await server.create_feature("brand-new")

    assert all(one.entitled for one in await server.ask_for_all(ANALYTICS))
    assert server.db.readings == 0
    [first, *others] = server.customer_ids
    server.customer_ids = [first]
    [new] = await server.ask_for_all("brand-new")
    assert new.denial_reason == entitlement_pb2.DENIAL_REASON_FEATURE_NOT_IN_PLAN
    assert server.db.readings == 1
    # Whoever wants all features gets the new one, too.
    snapshot = await server.checker.snapshot(server.shop.merchant_id, CustomerById(others[0]))
    assert "brand-new" in snapshot.features


@pytest.mark.spec("ENT-5", "ENT-2")
async def test_new_feature_and_old_one_in_one_call__agree_with_each_other(server: Server) -> None:
    await server.create_feature("brand-new")
    one = server.customer_ids[0]
    request = pb.CheckManyRequest(
        checks=[
            pb.CheckRequest(customer_id=one, feature=slug)
            for slug in (ANALYTICS, "brand-new", "never-made")
        ]
    )

    answer = pb.CheckManyResponse.FromString(
        await server.quick.check_many(server.shop.merchant_id, request.SerializeToString())
    )

    old, new, unknown = answer.results
    assert old.response.entitlement.entitled
    assert not new.response.entitlement.entitled
    assert old.response.freshness.revision == new.response.freshness.revision
    assert unknown.HasField("error")


@pytest.mark.spec("ENT-5")
async def test_one_customer_that_cannot_be_read__spoils_no_other(server: Server) -> None:
    broken, *others = server.customer_ids
    async with server.shop.db.writing(server.shop.merchant_id) as tx:
        await tx.execute(
            """
            UPDATE subscription SET time_zone = 'Nowhere/At-All'
            WHERE merchant_id = $1 AND customer_id = $2
            """,
            server.shop.merchant_id,
            broken,
        )
        await tx.entitlements_changed(None)
    await server.changes.catch_up()
    server.customer_ids = others

    asking = asyncio.create_task(
        server.checker.snapshot(server.shop.merchant_id, CustomerById(broken))
    )
    got = await server.ask_for_all(ANALYTICS)

    assert all(one.entitled for one in got)
    with pytest.raises(Exception, match="Nowhere"):
        await asking
