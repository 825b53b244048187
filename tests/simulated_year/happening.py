"""What customers do: each operation is a small record.

What it means is said in the model, how it is asked for on stage. An operation is an attempt: whether it can be done,
the state of the subscription decides (SUB-7). What cannot be done is refused, by Candela and by the model alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from .sold import Sold
from .taxes import Buyer

When = Literal["now", "period end", "at"] | None
Proration = Literal["next invoice", "invoice now", "none"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that a customer does with a subscription at an instant."""

    at: datetime
    subscription: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe(Operation):
    """Takes a plan; `start_at` may lie a little back."""

    plan: Sold
    seats: int
    start_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Operation):
    """Usage of a plan's own metric that happened at `happened_at` and is reported at `at`."""

    plan: Sold
    amount: Decimal
    happened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change(Operation):
    """One of the changes below. `when` None is what is usual for it (SEAT-4), and so is `proration` None (SEAT-2)."""

    when: When = "now"
    effective_at: datetime | None = None
    proration: Proration = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePlan(Change):
    """Upgrades or downgrades."""

    plan: Sold


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridePrice(Change):
    """Holds its plan at another of that plan's prices (SUB-4)."""

    price: Sold


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSeats(Change):
    """Holds so many seats from then on; nothing where none are sold."""

    seats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause(Change):
    """Pauses, until `resume_at` when that is given."""

    resume_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resume(Change):
    """Ends a pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel(Change):
    """Ends the subscription."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reactivate(Change):
    """Takes a canceled one up again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoCancel(Operation):
    """Goes on, where an end was planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignSeat(Operation):
    """A user of the customer's, by number, gets a seat (SEAT-4)."""

    user: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSeat(Operation):
    """It is taken back, and stays paid for."""

    user: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pay(Operation):
    """Pays the subscription's last invoice, outside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidInvoice(Operation):
    """The merchant voids the subscription's last invoice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reissue(Operation):
    """The merchant voids it, unless it is void, and makes another in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote(Operation):
    """The merchant takes back two fifths of the dearest thing that it charges: of what is due, or to the account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveMoney(Operation):
    """The merchant gives credit in money, of the subscription's currency."""

    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUsage(Operation):
    """The merchant gives units of a plan's usage."""

    plan: Sold
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BuyPack(Operation):
    """Buys credit: money, or units of a plan's usage; one at most for each subscription."""

    plan: Sold
    money: bool
    amount: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PayPack(Operation):
    """Pays for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTopUp(Operation):
    """Says whether such packs are bought by themselves, when less than `threshold` is left (CRD-9)."""

    enabled: bool
    plan: Sold
    money: bool
    threshold: Decimal
    amount: Decimal
    price: Decimal
    monthly_cap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PayTopUp(Operation):
    """Pays for the one that waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoidTopUp(Operation):
    """The merchant voids the invoice of the one that waits, and no other is bought until that is set again."""


KINDS: frozenset[type[Operation]] = frozenset(
    {
        Subscribe,
        Use,
        ChangePlan,
        OverridePrice,
        ChangeSeats,
        Pause,
        Resume,
        Cancel,
        UndoCancel,
        Reactivate,
        AssignSeat,
        ReleaseSeat,
        Pay,
        VoidInvoice,
        Reissue,
        CreditNote,
        GiveMoney,
        GiveUsage,
        BuyPack,
        PayPack,
        SetTopUp,
        PayTopUp,
        VoidTopUp,
    }
)
"""Everything that is done by somebody in the year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A customer and all that it does, in order of time."""

    name: str
    time_zone: str
    operations: Sequence[Operation]
    buyers: Sequence[tuple[datetime, Buyer]]
    """Who it says that it is, and since just after when."""

    @property
    def users(self) -> set[int]:
        """Who is to hold a seat some time."""
        return {one.user for one in self.operations if isinstance(one, AssignSeat | ReleaseSeat)}

    def buyer_at(self, instant: datetime) -> Buyer:
        """Who it is when an invoice is finalized."""
        return [buyer for since, buyer in self.buyers if since < instant][-1]

    def of(self, subscription: str) -> list[Operation]:
        """What is done with one subscription."""
        return [one for one in self.operations if one.subscription == subscription]

    def with_plans(self, slugs: Sequence[str]) -> Life:
        """The same customer with no other subscriptions than those that begin with one of these plans."""
        kept = {
            one.subscription
            for one in self.operations
            if isinstance(one, Subscribe) and one.plan.slug in slugs
        }
        return replace(
            self, operations=[one for one in self.operations if one.subscription in kept]
        )
