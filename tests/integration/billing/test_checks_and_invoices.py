"""Whatever happens to a subscription, invoices ask for just what checks said was beyond (ENT-4, CRD-8, SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from candela_server.billing.model import InvoiceStatus, LineKind
from candela_server.billing.reconcile_credits import reconcile_credits
from candela_server.customer.model import Customer
from candela_server.subscription.change import Cancellation, Pause, Reactivation, Resume
from candela_server.subscription.model import Proration, Subscription

from tests.helpers.changing import NOW, Desk, to_plan
from tests.helpers.checking import answer_for, usage_of
from tests.helpers.crediting import give
from tests.helpers.included_calls import calls_of, day, sell_included, sweep
from tests.helpers.market import Market

D = Decimal
NOTHING = D(0)
START = day(4, 1)
DAYS = 45
BILLS_USAGE = {LineKind.USAGE, LineKind.USAGE_CREDIT, LineKind.ADJUSTMENT}
STEPS = ("use", "use", "use", "late", "take back", "plan", "pause", "return", "anew", "gift")
AT_ONCE = (Proration.INVOICE_NOW,)
WHENEVER = (Proration.NONE, Proration.NEXT_INVOICE, Proration.INVOICE_NOW)


@dataclass(slots=True)
class Life:
    """A customer of one of three plans, where a call beyond what is included is a dollar.

    `beyond` is what checks said of each event that it was not covered; `told` are the events that may be taken back.
    """

    desk: Desk
    holder: Customer
    held: Subscription
    chance: Random
    prorations: Sequence[Proration]
    beyond: Decimal = NOTHING
    told: dict[str, datetime] = field(default_factory=dict)
    cut_at: datetime = START

    @property
    def market(self) -> Market:
        return self.desk.market

    async def step(self, kind: str) -> None:
        now = self.market.clock.now()
        match kind:
            case "use":
                await self.use(now)
            case "late":
                since = await self.unbilled_since()
                await self.use(since + (now - since) * self.chance.random())
            case "take back":
                await self.take_back()
            case "plan":
                plan = to_plan(self.chance.choice(["small", "big", "other"]))
                await self.desk.change(self.held, plan, NOW, self.proration())
                self.cut_at = now
            case "pause":
                await self.desk.change(self.held, Pause(resume_at=None), NOW, self.proration())
                await self.use_of_nobody()
                await self.desk.change(self.held, Resume(), NOW, self.proration())
                self.cut_at = self.market.clock.now()
            case "return" | "anew":
                await self.desk.change(self.held, Cancellation(), NOW, self.proration())
                await self.use_of_nobody()
                if kind == "anew":
                    self.held = await self.desk.take("small", customer=self.holder)
                else:
                    await self.desk.change(self.held, Reactivation(price_id=None))
                self.cut_at = self.market.clock.now()
            case "gift":
                await give(self.desk.market.shop, self.holder, "40", feature="calls")

    def proration(self) -> Proration:
        return self.chance.choice(self.prorations)

    async def use(self, at: datetime) -> None:
        before = await self.overage()
        key = await self.market.use(self.holder, str(self.chance.randint(1, 60)), at)
        self.beyond += await self.overage() - before
        self.told[key] = at

    async def take_back(self) -> None:
        """An event that no invoice has billed yet."""
        since = await self.unbilled_since()
        if keys := [key for key, at in self.told.items() if since <= at]:
            key = self.chance.choice(keys)
            before = await self.overage()
            await self.market.take_back(key)
            self.beyond += await self.overage() - before
            del self.told[key]

    async def use_of_nobody(self) -> None:
        """Calls while nothing is held, which are over by the next morning."""
        clock = self.market.clock
        clock.advance(clock.now() + timedelta(hours=2))
        await self.market.use(self.holder, "33", clock.now())
        clock.advance(clock.now() + timedelta(hours=2))

    async def overage(self) -> Decimal:
        market = self.market
        return usage_of(
            await answer_for(
                market.db, market.events, market.clock, market.merchant_id, self.holder
            )
        ).overage

    async def unbilled_since(self) -> datetime:
        """What happened before it may be on an invoice that is final."""
        metered = (await calls_of(self.desk, self.holder)).metered
        assert metered is not None
        return max(self.cut_at, metered.window.start_at)

    async def billed(self) -> Decimal:
        return sum(
            (
                line.amount
                for one in await self.desk.invoices()
                if one.status is not InvoiceStatus.VOID
                for line in one.lines
                if line.kind in BILLS_USAGE
            ),
            NOTHING,
        )


@pytest.mark.spec("ENT-4", "CRD-5", "CRD-8", "SUB-6", "EVT-9")
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("prorations", [AT_ONCE, WHENEVER], ids=["at once", "parts that wait"])
async def test_whatever_happens__invoices_ask_for_what_checks_said_was_beyond(
    market: Market, prorations: Sequence[Proration], seed: int
) -> None:
    desk = await sell_included(market, priced=True)
    holder = await market.sign_up()
    held = await desk.take("small", customer=holder)
    life = Life(desk, holder, held, Random(seed), prorations)
    for number in range(DAYS):
        today = START + timedelta(days=number)
        await market.bill(today)
        await sweep(desk)
        market.clock.advance(today + timedelta(hours=1))
        await life.step(life.chance.choice(STEPS))
    market.clock.advance(market.clock.now() + timedelta(hours=1))
    await desk.change(life.held, Cancellation(), NOW, Proration.NONE)
    for later in (35, 2):
        await market.bill(market.clock.now() + timedelta(days=later))

    assert await life.billed() == life.beyond
    assert await reconcile_credits(market.db, market.merchant_id) == []
