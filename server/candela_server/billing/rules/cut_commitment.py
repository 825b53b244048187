"""What is missing to a minimum commitment that was in force for a part of its period only (DSL-10, SUB-6).

The rule. A commitment is prorated as a fee is: by the calendar days of its period, in the subscription's zone, on which
the price was held; the day of a change belongs to what is held at its end. So the parts of two prices that follow on
one another add up to whole periods, and a change and its undo on one day change nothing. A pause and an end cut it too.
A change that prorates nothing leaves it whole until its period ends, as it leaves the fees.

For its days a price costs at least its part of the commitment: what counts is what its own components were billed for
that period, net of discounts and of what was given back for other days, by invoices or by credit notes, usage up to the
instant of the change. Two prices are never made up for together, nor are the periods before an end and after a return.
It is settled once, as a difference to what was billed: when the price is held no more and its last usage is billed, or
else when the period is over. A price that is taken up again within the period is settled for all its days at its end.

Where components were swapped, the price is still the one that was sold, and its commitment goes on as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentId, Price, PriceId
from candela_server.kernel.interval import Interval

from .commitment import CommittedPeriod, counted_charges


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was held from an instant on: `offer` is None where nothing is billed, as in a pause or after the end.

    Other quantities leave a commitment whole, but what they charge and give back within its period counts.
    """

    since: datetime
    offer: Offer | None
    anchor_at: datetime
    prorated: bool = True
    quantities: Mapping[ComponentId, Decimal] = field(default_factory=dict)

    @property
    def committed_to(self) -> tuple[PriceId, datetime] | None:
        """Whose commitment is in force, and what its periods are counted from."""
        if self.offer is None or self.offer.price.minimum_commitment is None:
            return None
        return self.offer.price.sold_as, self.anchor_at


@dataclass(frozen=True, slots=True, kw_only=True)
class CutCommitment:
    """One period of a price's commitment in which, or at whose ends, the terms changed.

    `offers` are those of the price and of its variations, the last one held at the end. `anchored_until` is when
    periods were counted anew from another instant, as after a return; None when they never were.
    """

    offers: Sequence[Offer]
    anchor_at: datetime
    anchored_until: datetime | None
    committed: CommittedPeriod

    @property
    def offer(self) -> Offer:
        """By what its lines are made."""
        return self.offers[-1]

    @property
    def key(self) -> tuple[PriceId, datetime, int]:
        """Tells it apart."""
        return self.offer.price.sold_as, self.anchor_at, self.committed.number

    @property
    def prices(self) -> list[Price]:
        """The prices whose lines count."""
        return [one.price for one in self.offers]

    def is_of_its_time(self, period: Interval) -> bool:
        """Whether the period of a charge is counted as those of the commitment are."""
        until = self.anchored_until
        return self.anchor_at <= period.start_at and (until is None or period.start_at < until)

    def charges(self, lines: Sequence[InvoiceLine]) -> Decimal:
        """What of these lines counts for it."""
        own = [line for line in lines if self.is_of_its_time(line.period)]
        return counted_charges(self.prices, self.committed.period, own)

    def held_in(self, terms: Terms) -> bool:
        """Whether it is in force under these terms."""
        return terms.committed_to == self.key[:2]

    def is_over(self, now_held: Terms, now: datetime) -> bool:
        """Whether no day can be added to it any more, but by taking the price up again."""
        return self.committed.period.end_at <= now or not self.held_in(now_held)


def committed_to_at(history: Sequence[Terms], instant: datetime) -> tuple[PriceId, datetime] | None:
    """Whose commitment is in force at an instant, and what its periods are counted from; None for nobody's."""
    return next((terms.committed_to for terms in reversed(history) if terms.since <= instant), None)


def is_true_up_of(line: InvoiceLine, one: CutCommitment) -> bool:
    """Whether a line bills, or corrects, what was missing to the commitment in its period."""
    return (
        line.component_id is None
        and line.kind in (LineKind.TRUE_UP, LineKind.ADJUSTMENT)
        and line.period == one.committed.period
        and line.price_id in {price.id for price in one.prices}
    )
