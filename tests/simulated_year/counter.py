"""What a merchant does for a customer: it voids, reissues and corrects invoices, gives credit and sells packs of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from .account import Account
from .costs import Extra
from .expected import Expected
from .happening import (
    BuyPack,
    CreditNote,
    Operation,
    Pay,
    Reissue,
    VoidInvoice,
)
from .rates import half_up
from .sold import Sold
from .till import Money, Till


@dataclass(slots=True, kw_only=True)
class Pack:
    """What was bought, and the invoice that asks for it."""

    invoice: Expected
    bought: Money | Extra


@dataclass(slots=True)
class Counter(Till):
    """Where it is done; `refused` is what could not be."""

    accounts: dict[str, Account] = field(default_factory=dict)
    packs: dict[str, Pack] = field(default_factory=dict)
    refused: list[Operation] = field(default_factory=list)

    def _plan(self, one: Operation) -> Sold:
        return self.accounts[one.subscription].history.versions[0].plan

    def _give(
        self, one: Operation, plan: Sold, amount: Decimal, *, paid: bool, holds: bool
    ) -> Extra:
        extra = Extra(plan=plan, amount=amount, since=one.at, paid=paid, holds=holds)
        self.accounts[one.subscription].extras.append(extra)
        return extra

    def _buy(self, one: BuyPack, *, taxed_at: datetime | None = None) -> Pack:
        """A pack has an invoice of its own, and counts once that is paid (CRD-9)."""
        plan = one.plan
        bought: Money | Extra
        if one.money:
            bought = Money(currency=plan.currency, left=one.amount, holds=False, bought=True)
            self.money.append(bought)
        else:
            bought = self._give(one, plan, one.amount, paid=True, holds=False)
        made = Expected(
            account=None,
            made_at=one.at,
            finalizes_at=one.at,
            taxed_at=taxed_at,
            price=one.price,
        )
        self._ask(made, plan, one.at)
        bought.holds = made.status == "paid"
        return Pack(invoice=made, bought=bought)

    def _pay_pack(self, one: Operation, pack: Pack | None) -> None:
        if pack is None or pack.invoice.status != "finalized":
            self.refused.append(one)
            return
        pack.invoice.status, pack.invoice.due = "paid", Decimal(0)
        pack.bought.holds = True

    def _with_invoice(self, one: Operation) -> None:
        """With the last invoice of a subscription."""
        account = self.accounts[one.subscription]
        last = account.invoices[-1] if account.invoices else None
        status = last.status if last else ""
        plan = account.history.now.plan
        match one:
            case Pay() if last and status == "finalized":
                last.status, last.due = "paid", Decimal(0)
            case VoidInvoice() if last and status == "finalized" and not last.noted:
                self._void(last, account, plan)
                self._give_days_back(account, one.at)
            case Reissue() if (
                last and status in ("finalized", "void") and not (last.noted or last.is_ahead)
            ):
                if status == "finalized":
                    self._void(last, account, plan)
                last.replaced = True
                account.hidden.difference_update(last.fresh)
                account.draft(last.fresh, one.at, waits=True)
            case CreditNote() if last and self._noted(last, account, plan):
                pass
            case _:
                self.refused.append(one)

    def _void(self, last: Expected, account: Account, plan: Sold) -> None:
        """What credits and the customer's account paid goes back to them; what it billed is billed no more."""
        account.take_back(last)
        for number, (_, amount) in last.off.items():
            self.money[number].left += amount
        self._to_account(plan, last.from_account)
        last.status, last.due = "void", Decimal(0)

    def _noted(self, last: Expected, account: Account, plan: Sold) -> bool:
        """Takes back two fifths of the dearest thing that an invoice charges, where nothing else makes it less."""
        held = [one for one in last.lines if not one.is_change and not one.charge.is_usage]
        less = any(one.is_change and one.amount < 0 for one in last.lines)
        spoilt = last.noted or less or last.cut or last.off
        unpaid = last.status == "finalized" and not last.from_account
        if spoilt or not held or not (unpaid or last.status == "paid"):
            return False
        line = max(held, key=lambda one: (one.amount, -one.charge.start.timestamp()))
        amount = half_up(line.amount * Decimal("0.4"), plan.minor_digits)
        if not amount:
            return False
        line.noted += amount
        account.credited[line.charge] = account.credited.get(line.charge, Decimal(0)) + amount
        self._note(last, amount, plan)
        return True
