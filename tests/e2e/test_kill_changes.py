"""kill -9 of two workers while subscriptions change: byte by byte the invoices of a quiet run (INV-2).

The same lives are led twice, in a database each: once by a worker that nobody disturbs, once by two that are killed
again and again, at random moments. Plans and seats change on schedule, at once and with the next invoice; some
subscriptions end early, and what they give back pays the other invoices of their customers; gifts of money and taxes
are on all of them.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from candela_server.billing.model import Invoice, InvoiceStatus, LineKind
from candela_server.billing.update_tax_settings import UpdateTaxSettings, update_tax_settings
from candela_server.customer.create_customer import create_customer
from candela_server.customer.model import Address, Customer
from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres
from candela_server.storage.redis import Redis
from candela_server.subscription.change import Cancellation, ScheduledStatus
from candela_server.subscription.model import Proration

from tests.helpers.changing import AT, Desk, quantity, to_plan
from tests.helpers.commands import signing_up
from tests.helpers.crediting import give
from tests.helpers.databases import TestDatabases
from tests.helpers.forked_biller import ForkedBiller
from tests.helpers.invoice_texts import invoice_texts
from tests.helpers.killing import Kills
from tests.helpers.market import Market, calls, fee, flat
from tests.helpers.taxes import settings
from tests.integration.billing.test_changed_subscriptions import seats
from tests.integration.metering.builders import start_metering

_SEED = 20260212
_OF_EACH = 16
_KILLS = 8
_START = datetime(2026, 4, 1, 15, tzinfo=UTC)
_CHANGES = datetime(2026, 4, 11, 12, tzinfo=UTC)
_GRACE = timedelta(hours=2)
_BILLED = [
    _START,
    _CHANGES + timedelta(minutes=1),
    datetime(2026, 5, 1, 15, tzinfo=UTC),
    datetime(2026, 6, 1, 15, tzinfo=UTC),
]


@pytest.fixture
def urls(databases: TestDatabases) -> Iterator[tuple[str, str]]:
    """A database for the quiet run, and one for the other."""
    with ExitStack() as made:
        yield made.enter_context(databases.migrated()), made.enter_context(databases.migrated())


class Lives:
    """One merchant in a database of its own, whose subscriptions change, and the workers that bill it."""

    def __init__(self, market: Market, billers: list[ForkedBiller]) -> None:
        self.market, self.workers = market, Kills(billers, random.Random(_SEED))
        self.found: list[Counter[str]] = []
        self.invoices: list[Invoice] = []
        self.desk = Desk(market)

    async def begin(self) -> None:
        """Who holds what from 1 April on, and what is planned for the 11th."""
        market, desk = self.market, self.desk
        async with market.db.writing(market.merchant_id) as tx:
            await update_tax_settings(
                tx,
                UpdateTaxSettings(settings=settings(rates={"DE": "19"}), expected_version=None),
            )
        await market.sell(fee("10"), calls(flat("0.25")))
        await desk.sell("basic", fee("20", name="Basic"))
        await desk.sell("pro", fee("50", name="Pro"), calls(flat("0.10")))
        await desk.sell("team", seats("7"))
        for _ in range(_OF_EACH):
            for planned in (self._upgraded, self._seated, self._ended):
                await planned()

    async def _sign_up(self) -> Customer:
        """A new customer in UTC who is taxed."""
        name = f"customer {next(self.market.keys)}"
        async with self.market.db.writing(self.market.merchant_id) as tx:
            return await create_customer(
                tx,
                self.market.clock,
                signing_up(
                    name,
                    external_id=name,
                    business_name=name,
                    tax_id="DE136695976",
                    address=Address(country="DE"),
                ),
            )

    async def _upgraded(self) -> None:
        """From usage to a bigger plan, at once for some, with the next invoice for others; a gift pays some of it."""
        shop = self.market.shop
        for plan, proration in (
            ("plan", Proration.INVOICE_NOW),
            ("basic", Proration.NEXT_INVOICE),
        ):
            # One subscription each, so that there is one order in which the gift can be spent.
            holder = await self._sign_up()
            await give(shop, holder, "15", currency="USD")
            held = await self.desk.take(plan, customer=holder)
            await self.desk.change(held, to_plan("pro"), AT, proration, effective_at=_CHANGES)
            await self.market.use(holder, "37", _START)

    async def _seated(self) -> None:
        """Seats more, and fewer a week later."""
        held = await self.desk.take("team", seats=3, customer=await self._sign_up())
        component = await self.desk.component(held)
        for count, at in ((9, _CHANGES), (4, _CHANGES + timedelta(days=7))):
            await self.desk.change(
                held, quantity(component, count), AT, Proration.NEXT_INVOICE, effective_at=at
            )

    async def _ended(self) -> None:
        """One of two ends on the 11th; what it gives back pays the other."""
        holder = await self._sign_up()
        await self.desk.take("team", seats=2, customer=holder)
        held = await self.desk.take("basic", customer=holder)
        await self.desk.change(held, Cancellation(), AT, effective_at=_CHANGES)

    async def lead(self, *, kills: int) -> None:
        """Everything that is due, instant by instant; each first by workers that are killed so often."""
        for due in _BILLED:
            for now in (due, due + _GRACE):
                await asyncio.to_thread(self.workers.bill, now, kills=kills)

    async def written(self) -> Counter[str]:
        """Every invoice as a text."""
        return invoice_texts(await self._names(), await self.market.invoices())

    async def _names(self) -> dict[str, str]:
        async with self.market.db.reading(self.market.merchant_id) as tx:
            rows = await tx.fetch(
                "SELECT id, name FROM customer WHERE merchant_id = $1", self.market.merchant_id
            )
        return {row["id"]: row["name"] for row in rows}

    async def noted(self) -> Counter[str]:
        """What credit notes gave back, by customer."""
        async with self.market.db.reading(self.market.merchant_id) as tx:
            rows = await tx.fetch(
                """
                SELECT c.name, n.total, n.purpose, n.reason FROM credit_note n
                JOIN invoice i ON i.merchant_id = n.merchant_id AND i.id = n.invoice_id
                JOIN customer c ON c.merchant_id = i.merchant_id AND c.id = i.customer_id
                WHERE n.merchant_id = $1
                """,
                self.market.merchant_id,
            )
        return Counter(str(tuple(row.values())) for row in rows)

    async def planned(self) -> Counter[str]:
        """What became of the changes that were planned."""
        async with self.market.db.reading(self.market.merchant_id) as tx:
            rows = await tx.fetch(
                "SELECT status FROM scheduled_change WHERE merchant_id = $1",
                self.market.merchant_id,
            )
        return Counter(row["status"] for row in rows)


async def _lead(url: str, redis_url: str, log: Path, *, workers: int, kills: int) -> Lives:
    environment = {
        "PATH": os.environ["PATH"],
        "CANDELA_DATABASE_URL": url,
        "CANDELA_REDIS_URL": redis_url,
    }
    clock = FixedClock(_START)
    db, events, redis = Postgres(url, clock), EventStore(url), Redis(redis_url)
    await db.open()
    await events.open()
    merchant = await create_merchant(db, clock, CreateMerchant(name="Kills", mode=Mode.LIVE))
    metering = await start_metering(db, events, clock, redis, merchant.merchant.id)
    market = Market(db, events, clock, merchant.merchant.id, metering)
    lives = Lives(market, [ForkedBiller(environment, log / f"{n}.log") for n in range(workers)])
    try:
        await lives.begin()
        await lives.lead(kills=kills)
        lives.found = [await lives.written(), await lives.noted(), await lives.planned()]
        lives.invoices = await market.invoices()
    finally:
        for one in lives.workers.billers:
            one.end()
        await metering.ingestor.stop()
        await metering.counters.stop()
        await redis.close()
        await events.close()
        await db.close()
    return lives


@pytest.mark.spec("INV-1", "INV-2", "INV-4", "SUB-5", "SUB-6", "TAX-2", "CRD-8")
async def test_workers_killed_while_subscriptions_change__write_the_invoices_of_a_quiet_run(
    urls: tuple[str, str], redis_url: str, tmp_path: Path
) -> None:
    quiet, loud = (tmp_path / name for name in ("quiet", "loud"))
    for one in (quiet, loud):
        one.mkdir()
    expected = await _lead(urls[0], redis_url, quiet, workers=1, kills=0)
    found = await _lead(urls[1], redis_url, loud, workers=2, kills=_KILLS)

    # How many of them had work left depends on the machine.
    assert found.workers.hit >= 2 * len(_BILLED) * _KILLS
    assert found.found == expected.found
    invoices, notes, planned = found.found
    # All that could break was really there.
    assert planned == {ScheduledStatus.APPLIED.value: 5 * _OF_EACH}
    assert sum(notes.values()) == _OF_EACH
    assert len(found.invoices) == sum(invoices.values()) > 10 * _OF_EACH
    final = [one for one in found.invoices if one.status is InvoiceStatus.FINALIZED]
    assert len(final) > 8 * _OF_EACH
    assert any(one.tax_amount for one in final)
    kinds = {line.kind for one in final for line in one.lines}
    assert {LineKind.RECURRING, LineKind.USAGE, LineKind.PRORATION} <= kinds
    numbers = sorted(one.number for one in found.invoices if one.number)
    assert numbers == [f"INV-{n:06d}" for n in range(1, len(numbers) + 1)]
