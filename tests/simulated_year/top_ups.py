"""Packs that are bought by themselves (CRD-9): one in flight, at most so many in a calendar month of the customer's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from .counter import Counter, Pack
from .happening import BuyPack, Operation, PayTopUp, SetTopUp, VoidTopUp
from .periods import day_of


@dataclass(slots=True)
class TopUps(Counter):
    """What a customer has set, and the packs that were bought because of it, oldest first."""

    setting: SetTopUp | None = None
    stopped: bool = False
    """Whether one that will never be paid stopped it, until it is set again."""
    top_ups: list[Pack] = field(default_factory=list)

    @property
    def _waiting(self) -> Pack | None:
        return next((one for one in self.top_ups if one.invoice.status == "finalized"), None)

    def _with_top_up(self, one: Operation) -> None:
        waiting = self._waiting
        match one:
            case SetTopUp():
                self.setting, self.stopped = one, False
            case PayTopUp():
                self._pay_pack(one, waiting)
            case VoidTopUp() if waiting:
                waiting.invoice.status, waiting.invoice.due = "void", Decimal(0)
                self._to_account(self._plan(one), waiting.invoice.from_account)
                self.stopped = True
            case _:
                self.refused.append(one)

    def _top_up(self, now: datetime, known_at: datetime) -> None:
        """Buys a pack, if less is left than was set."""
        one = self.setting
        if one is None or not one.enabled or self.stopped or self._waiting:
            return
        days = [day_of(each.invoice.made_at, self.life.time_zone) for each in self.top_ups]
        today = day_of(now, self.life.time_zone)
        bought = sum((day.year, day.month) == (today.year, today.month) for day in days)
        if bought < one.monthly_cap and self._left(one, now, known_at) < one.threshold:
            pack = BuyPack(
                at=now,
                subscription=one.subscription,
                plan=one.plan,
                money=one.money,
                amount=one.amount,
                price=one.price,
            )
            self.top_ups.append(self._buy(pack, taxed_at=known_at))

    def _left(self, one: SetTopUp, now: datetime, known_at: datetime) -> Decimal:
        if not one.money:
            return self.accounts[one.subscription].left(now, known_at)
        spendable = (
            each.left for each in self.money if each.holds and each.currency == one.plan.currency
        )
        return sum(spendable, Decimal(0))
