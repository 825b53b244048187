"""A feature gets another default: nobody is read again to whom something else gives a value (ENT-3, ENT-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from candela_server.catalog.refs import BySlug
from candela_server.catalog.update_feature import UpdateFeature, update_feature
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.kernel.clock import FixedClock
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.snapshots import build_snapshot
from tests.integration.entitlement.test_herds import ANALYTICS, Server, serving


@pytest.fixture
async def server(
    db: Postgres, clock: FixedClock, merchant: TestMerchant, events: EventStore
) -> AsyncIterator[Server]:
    """A server process, as one is, that knows some customers."""
    async with serving(db, clock, merchant, events, by_switches=True, customers=20) as made:
        yield made


@pytest.mark.spec("ENT-3", "ENT-5", "CAT-1")
async def test_what_new_defaults_leave__is_what_would_be_read(server: Server) -> None:
    whos = [CustomerById(one) for one in (*server.customer_ids[:2], CustomerId("cus_nobody"))]
    await server.create_feature("beta")

    async def set_default(slug: str, value: bool) -> None:
        async with server.shop.db.writing(server.shop.merchant_id) as tx:
            await update_feature(
                tx,
                UpdateFeature(
                    feature=BySlug(slug),
                    name=None,
                    description=None,
                    default_value=value,
                    metric=None,
                ),
            )
        await server.changes.catch_up()

    async def judge() -> None:
        for who in whos:
            got = await server.checker.snapshot(server.shop.merchant_id, who)
            async with server.shop.db.reading(server.shop.merchant_id) as tx:
                want = await build_snapshot(tx, server.shop.clock, who)
            assert dict(got.features) == dict(want.features)
            assert got.behind == want.behind

    await judge()
    server.db.readings = 0
    await set_default("beta", True)
    await judge()
    await set_default(ANALYTICS, True)
    await judge()
    await server.switch(on=False)
    await judge()
    await set_default(ANALYTICS, False)
    await judge()
    await server.switch(on=True)
    await judge()
    assert server.db.readings == 0
    # Why nothing is granted any more must be looked up.
    await set_default("beta", False)
    await judge()
    assert server.db.readings > 0
