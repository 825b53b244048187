"""What the year must cost, computed slowly from the specification; nothing of the server is imported here.

A customer is walked through, instant by instant: drafts are finalized, planned changes made, what is due is billed, and
then the customer and the merchant act.

It covers prices with fees, seats and usage of every charge model, by weeks, months and years, with discounts of a
component, bounds, thresholds and commitments; plans that bring usage or money; trials; changes of plans, prices and
seats at any time with any proration, pauses, ends and returns; seats that users hold; late usage; payment, voids,
reissues and credit notes; gifts, packs, and packs that are bought by themselves; taxes, and customers who move.

It does not cover discounts of a whole price, ramps, swapped components, feature overrides, migrations, corrected
events, refunds, past due subscriptions, credits that renew by a rule of their own, nor more than one subscription to a
plan. A plan that brings money, that carries credits over, or for which packs buy themselves is never changed here; and
packs do not buy themselves over the turn of a month.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from .account import Account
from .ahead import ahead_of, is_reached, left_of, taken_off
from .days import TICKS, next_tick
from .expected import GRACE, Expected
from .happening import (
    BuyPack,
    CreditNote,
    GiveMoney,
    GiveUsage,
    Life,
    Operation,
    Pay,
    PayPack,
    PayTopUp,
    Reissue,
    SetTopUp,
    Subscribe,
    Use,
    VoidInvoice,
    VoidTopUp,
)
from .lines import Line
from .periods import boundary, days_later
from .sold import decimal
from .terms import History, Terms
from .till import Money
from .top_ups import TopUps

LOOKED_AT_FOR = timedelta(days=37)
"""How long after its end a subscription may have late usage: as late as events may be, and two days."""


@dataclass(slots=True)
class Household(TopUps):
    """A customer's subscriptions, and all that happens to them."""

    def live(self, until: datetime) -> None:
        """Everything that happens by an instant."""
        actions = [one for one in self.life.operations if not isinstance(one, Use)]
        now = actions[0].at
        while True:
            acted = False
            while actions and actions[0].at == now:
                self._act(actions.pop(0))
                acted = True
            if acted:
                self._bill(now)
                self._look_at_usage(now, now)
            if now in TICKS:
                # Once more with what was reported then.
                self._look_at_usage(now, now + timedelta.resolution)
            waiting = [one.finalizes_at for one in self.drafts]
            waiting += [one.at for one in actions[:1]]
            waiting += [at for one in self.accounts.values() if (at := one.next_instant(now))]
            ended = [one for one in self.accounts.values() if one.history.now.status == "canceled"]
            if any(one.history.now.since > now - LOOKED_AT_FOR for one in ended):
                waiting.append(next_tick(now))
            if any(one.history.now.plan.threshold for one in self.accounts.values()):
                waiting.append(next_tick(now))
            if self.setting is not None:
                waiting.append(next_tick(now))
            now = min(waiting, default=until + GRACE)
            if now > until:
                return
            ready = sorted(
                (one for one in self.drafts if one.finalizes_at <= now),
                key=lambda one: one.finalizes_at,
            )
            for draft in ready:
                self._finalize(draft)
            for account in self.accounts.values():
                if any(draft.account is account for draft in ready):
                    self._give_days_back(account, now)
            for account in self.accounts.values():
                account.make_planned_changes(now)
            self._bill(now)
            self._lapse_money(now)
            if now in TICKS:
                self._look_at_ended(now)
            self._look_at_usage(now, now)

    def _bill(self, now: datetime) -> None:
        for account in self.accounts.values():
            account.bill(now)

    def _lapse_money(self, now: datetime) -> None:
        """What a plan brought ends once nothing of the customer's waits that began before its end."""
        for one in self.money:
            if one.left and one.ends <= now:
                accounts = self.accounts.values()
                one.left *= any(
                    account.waits_for_something_of(one.ends, now) for account in accounts
                )

    def _look_at_ended(self, now: datetime) -> None:
        """No invoice comes by itself that would find what was reported late (EVT-9)."""
        for account in self.accounts.values():
            held = account.history.now
            if held.status == "canceled" and held.since > now - LOOKED_AT_FOR:
                account.bill(now, asked=True)
                self._give_usage_back(account, now)

    def _look_at_usage(self, now: datetime, known_at: datetime) -> None:
        """What is looked at as time goes by, by all that was reported before an instant."""
        self._look_ahead(now, known_at)
        self._top_up(now, known_at)

    def _look_ahead(self, now: datetime, known_at: datetime) -> None:
        """What is used reaches a threshold; what was billed ahead and is not owed comes back."""
        for account in self.accounts.values():
            held = account.history.now
            if held.billed and held.plan.threshold is not None:
                lines = account.so_far(now, known_at)
                if is_reached(decimal(held.plan.threshold), lines, account.invoices):
                    self._bill_ahead(account, lines, now, known_at)
        for account in self.accounts.values():
            for made, amount in left_of(account.invoices):
                self._note(made, amount, account.history.now.plan)
        for account in self.accounts.values():
            # A draft may bear the rest.
            waits = any(one.account is account for one in self.drafts)
            if not waits and any(
                one.leaves_usage and one.status in ("finalized", "paid") for one in account.invoices
            ):
                self._give_usage_back(account, now)

    def _bill_ahead(
        self, account: Account, lines: list[Line], now: datetime, known_at: datetime
    ) -> None:
        spans = [line.charge for line in lines]
        made = Expected(
            account=account,
            made_at=now,
            finalizes_at=now,
            taxed_at=known_at,
            lines=[*lines, *taken_off(lines, ahead_of(account.invoices), spans)],
            is_ahead=True,
        )
        account.invoices.append(made)
        self._made(made)

    # Acts

    def _act(self, one: Operation) -> None:
        match one:
            case Subscribe():
                self.accounts[one.subscription] = account = self._subscribed(one)
                self._bring_money(account, one)
            case GiveMoney():
                self.money.append(
                    Money(currency=self._plan(one).currency, left=decimal(one.amount))
                )
            case GiveUsage():
                self._give(one, one.plan, one.amount, paid=False, holds=True)
            case BuyPack():
                self.packs[one.subscription] = self._buy(one)
            case PayPack():
                self._pay_pack(one, self.packs[one.subscription])
            case SetTopUp() | PayTopUp() | VoidTopUp():
                self._with_top_up(one)
            case Pay() | VoidInvoice() | Reissue() | CreditNote():
                self._with_invoice(one)
            case _:
                account = self.accounts[one.subscription]
                before = len(account.refused)
                account.act(one)
                self.refused += account.refused[before:]

    def _subscribed(self, one: Subscribe) -> Account:
        trial = one.plan.trial
        first = Terms(
            since=one.start_at,
            status="trialing" if trial else "active",
            plan=one.plan,
            seats=one.seats,
            anchor=one.start_at,
        )
        account = Account(
            uses=[use for use in self.life.of(one.subscription) if isinstance(use, Use)],
            history=History(self.life.time_zone, [first]),
            on_draft=self._made,
            on_end=self._give_days_back,
        )
        if trial is not None:
            account.plan(days_later(one.start_at, self.life.time_zone, trial.days), None)
        return account

    def _bring_money(self, account: Account, one: Subscribe) -> None:
        """Who has a plan that brings money never changes it."""
        if one.plan.money is None:
            return
        zone = self.life.time_zone
        for number in range(14):
            money = Money(
                currency=one.plan.currency,
                left=decimal(one.plan.money),
                account=account,
                begins=boundary(one.start_at, zone, "month", number),
                ends=boundary(one.start_at, zone, "month", number + 1),
            )
            self.money.append(money)


def live(life: Life, until: datetime) -> Household:
    """A customer at the end."""
    made = Household(life)
    made.live(until)
    return made
