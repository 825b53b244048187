"""What is asked for, and what pays: credit in money before the tax, the customer's account after it (CRD-8, INV-6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from .account import Account
from .days import PRICES_INCLUDE_TAX_SINCE
from .endings import days_given_back, usage_given_back
from .expected import Expected
from .happening import Life
from .lines import asked
from .rates import half_up
from .sold import Sold
from .taxes import tax_on

_EVER = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class Money:
    """Credit in money, and what is left of it; of a pack that is not paid yet, nothing can be taken.

    What a plan brings pays for its own charges, before all other: from `begins` on, and only what begins before it
    ends; once all of that is billed, nothing is left.
    """

    currency: str
    left: Decimal
    holds: bool = True
    bought: bool = False
    account: Account | None = None
    begins: datetime = _EVER
    ends: datetime = _NEVER

    def pays(self, one: Expected, now: datetime) -> bool:
        """Whether it pays for anything of an invoice."""
        return self.holds and self.begins <= now and self.account in (None, one.account)

    @property
    def order(self) -> tuple[object, ...]:
        """What a plan brings first, the soonest to end; then what was free before what was bought."""
        return self.account is None, self.ends, self.bought


@dataclass(slots=True)
class Till:
    """A customer's credit in money, and its account with the merchant."""

    life: Life
    drafts: list[Expected] = field(default_factory=list)
    money: list[Money] = field(default_factory=list)
    account: dict[str, Decimal] = field(default_factory=dict)

    def _made(self, one: Expected) -> None:
        self.drafts.append(one)
        if one.finalizes_at == one.made_at:
            self._finalize(one)

    def _finalize(self, one: Expected) -> None:
        """Credit in money comes off before the tax; what is on the customer's account pays afterwards."""
        self.drafts.remove(one)
        now, account = one.finalizes_at, one.account
        assert account is not None
        if not one.is_ahead:
            account.rate_again(one, now)
        plan = account.history.now.plan
        left = asked(one.lines)
        # The oldest first of those that are alike.
        for number, money in sorted(enumerate(self.money), key=lambda pair: pair[1].order):
            if money.currency == plan.currency and money.pays(one, now):
                self._pay_of(one, left, number, money)
        self._ask(one, plan, now)

    def _pay_of(self, one: Expected, left: list[Decimal], number: int, money: Money) -> None:
        paid = []
        for index, line in enumerate(one.lines):
            part = min(money.left, left[index])
            if part > 0 and line.charge.start < money.ends:
                left[index] -= part
                money.left -= part
                paid.append((line, part))
        if paid:
            of = paid[0][0] if len(paid) == 1 else None
            one.off[number] = of, sum((part for _, part in paid), Decimal(0))

    def _give_days_back(self, account: Account, now: datetime) -> None:
        for made, amount in days_given_back(account, now):
            self._note(made, amount, account.history.now.plan)

    def _give_usage_back(self, account: Account, now: datetime) -> None:
        given_back = usage_given_back(account, now)
        for made, amount in given_back:
            self._note(made, amount, account.history.now.plan)
        if given_back:
            for made in account.invoices:
                made.leaves_usage = False

    def _note(self, made: Expected, amount: Decimal, plan: Sold) -> None:
        """A credit note: off what is due, with its share of the tax; what was paid goes to the customer's account."""
        made.noted += amount
        share = Fraction(made.noted) / Fraction(made.subtotal)
        tax = half_up(Fraction(made.tax.amount) * share, plan.minor_digits) - made.noted_tax
        made.noted_tax += tax
        given_back = amount + (0 if made.tax.inclusive else tax)
        if made.status == "finalized":
            reduced = min(given_back, made.due)
            made.due -= reduced
            given_back -= reduced
            made.status = "finalized" if made.due else "paid"
        self._to_account(plan, given_back)

    def _ask(self, one: Expected, plan: Sold, now: datetime) -> None:
        at = one.taxed_at or now
        one.tax = tax_on(
            one.subtotal,
            plan.minor_digits,
            self.life.buyer_at(at),
            inclusive=at > PRICES_INCLUDE_TAX_SINCE,
        )
        one.from_account = min(self.account.get(plan.currency, Decimal(0)), one.total)
        self._to_account(plan, -one.from_account)
        one.due = one.total - one.from_account
        one.status = "finalized" if one.due else "paid"

    def _to_account(self, plan: Sold, amount: Decimal) -> None:
        self.account[plan.currency] = self.account.get(plan.currency, Decimal(0)) + amount
