"""What a subscription held and had bought under its versions, and the seats that brought credits (CRD-5, SEAT-3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditDefinition, Offer
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.renewal import period_amount
from candela_server.subscription.model import Subscription

from .reschedule import BILLED
from .seats import seats_held

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """A subscription in one version, and what it bought."""

    held: Subscription
    offer: Offer

    @property
    def seats(self) -> Decimal:
        """How many seats are held."""
        return seats_held(self.offer.price, self.held.version.quantities)

    def brings(self, definition: CreditDefinition) -> bool:
        """Whether credits of a definition come with it: in a pause nothing is granted."""
        return self.held.version.status in BILLED and any(
            one.id == definition.id for one in self.offer.credit_definitions
        )


def most_seats(
    definition: CreditDefinition,
    history: Sequence[Sold],
    after: Sold,
    begun_at: datetime,
    running: Sequence[CreditGrant],
) -> Decimal:
    """The most seats that were held before this version since the period of a definition's credits began.

    Those brought theirs, at whatever price of the plan; `history` are all versions, and `running` the grants of the
    definition that run.
    """
    at_beginning = {one.amount for one in running if one.effective_at == begun_at}
    return max(
        (
            one.seats
            for one in history
            if one.held.version.number < after.held.version.number
            and one.brings(definition)
            and (
                one.held.version.valid_from >= begun_at
                or one.held.version.valid_to is None
                or one.held.version.valid_to > begun_at
                # It ended as the period began: was that billed before the change, or after it?
                or (
                    one.held.version.valid_to == begun_at
                    and any(
                        period_amount(definition, first=first, seats=one.seats) in at_beginning
                        for first in (True, False)
                    )
                )
            )
        ),
        default=_ZERO,
    )
