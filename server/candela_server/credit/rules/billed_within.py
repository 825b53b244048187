"""What credits had before invoices took from them, where the periods that these bill are not over (CRD-8, ENT-4).

A period that is cut may be billed at once, so that what its first part used is drawn while the rest still runs. Checks
look at all of the period; they compare it with what the credits had for all of it. So a check says the same before that
invoice is drafted, while it is a draft, when it is final, and when it is void.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.credit.model import CreditGrant, Taken
from candela_server.kernel.money import exact

from .parts_over import had

_ZERO = Decimal(0)


def less_promised(grant: CreditGrant, promised: Sequence[Taken]) -> CreditGrant:
    """The grant once drafts have drawn what they promise, which is no more than it has."""
    taken, left = [], grant.balance
    with exact():
        for one in promised:
            amount = min(one.amount, left)
            left -= amount
            taken.append(replace(one, amount=amount))
    return replace(grant, balance=left, taken=(*grant.taken, *taken))


def before_invoices(grant: CreditGrant, since: datetime) -> CreditGrant:
    """The grant with what invoices took from it for usage from an instant on.

    Of a period that began before the instant it is not known how much; a grant that began later paid for nothing else.
    """
    began_later = since <= grant.effective_at
    with exact():
        taken = sum(
            (
                one.amount
                for one in grant.taken
                if since < one.period.end_at and (began_later or since <= one.period.start_at)
            ),
            _ZERO,
        )
    return had(grant, taken)
