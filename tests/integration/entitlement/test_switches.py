"""A feature is switched while thousands are remembered: the next answers are new, and nobody is read again (ENT-11)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from candela.entitlement.v1 import entitlement_pb2

from candela_server.catalog.refs import BySlug
from candela_server.catalog.update_feature import UpdateFeature, update_feature
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.snapshots import build_snapshot
from tests.integration.entitlement.test_herds import ANALYTICS, Server, serving

CUSTOMERS = 10_000
FEW = 100
DISABLED = entitlement_pb2.DENIAL_REASON_FEATURE_DISABLED


@pytest.fixture
async def server(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore
) -> AsyncIterator[Server]:
    """A server process, as one is, that knows some customers."""
    async with serving(db, clock, merchant, events, by_switches=True, customers=FEW) as made:
        yield made


@pytest.fixture
async def large_server(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore
) -> AsyncIterator[Server]:
    """One that knows many."""
    async with serving(db, clock, merchant, events, by_switches=True, customers=CUSTOMERS) as made:
        yield made


@pytest.mark.quiet
@pytest.mark.spec("ENT-11", "ENT-5")
async def test_feature_switched_off_and_on__ten_thousand_answers_without_a_transaction(
    large_server: Server,
) -> None:
    await large_server.switch(on=False)
    off = await large_server.ask_for_all(ANALYTICS)
    await large_server.switch(on=True)
    on = await large_server.ask_for_all(ANALYTICS)

    assert len(off) == CUSTOMERS
    assert {one.denial_reason for one in off} == {DISABLED}
    assert all(one.entitled for one in on)
    assert large_server.db.readings == 0


@pytest.mark.spec("ENT-11")
async def test_what_a_switch_leaves__is_what_would_be_read(server: Server) -> None:
    server.customer_ids = server.customer_ids[:3]
    whos = [CustomerById(one) for one in server.customer_ids]
    for on in (False, True, False):
        await server.switch(on=on)
        for who in whos:
            got = await server.checker.snapshot(server.shop.merchant_id, who)
            async with server.shop.db.reading(server.shop.merchant_id) as tx:
                want = await build_snapshot(tx, server.shop.clock, who)
            assert dict(got.features) == dict(want.features)
            assert (got.valid_until, got.behind) == (want.valid_until, want.behind)
    assert server.db.readings == 0
    # Who is read while it is off is switched on without a reading as well.
    async with server.shop.db.writing(server.shop.merchant_id) as tx:
        await tx.entitlements_changed(server.customer_ids[0])
    await server.changes.catch_up()
    assert {one.denial_reason for one in await server.ask_for_all(ANALYTICS)} == {DISABLED}
    assert server.db.readings == 1
    await server.switch(on=True)
    assert all(one.entitled for one in await server.ask_for_all(ANALYTICS))
    assert server.db.readings == 1


@pytest.mark.spec("ENT-11", "ENT-5")
async def test_new_name_of_a_feature__is_in_no_answer_and_costs_none(server: Server) -> None:
    async def update(*, name: str | None, default: bool | None) -> None:
        async with server.shop.db.writing(server.shop.merchant_id) as tx:
            await update_feature(
                tx,
                UpdateFeature(
                    feature=BySlug(ANALYTICS),
                    name=name,
                    description=None,
                    default_value=default,
                    metric=None,
                ),
            )
        await server.changes.catch_up()

    await update(name="Insights", default=None)
    assert all(one.entitled for one in await server.ask_for_all(ANALYTICS))
    assert server.db.readings == 0
    # A new default value is in no answer of those to whom a plan gives another.
    await update(name=None, default=True)
    assert all(one.entitled for one in await server.ask_for_all(ANALYTICS))
    assert server.db.readings == 0
