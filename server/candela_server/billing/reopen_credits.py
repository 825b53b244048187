"""Lets lapsed credits pay once more for periods that are billed anew (INV-6, CRD-5).

What a period's credits had left expired when its invoice was finalized. Where that invoice is void and made again,
usage that was reported since is in the period as any other, so that the rest must be there too. What is still left
expires again when the new invoice is finalized.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditApplicationType
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant, Draw
from candela_server.credit.restore_credits import restore_expired
from candela_server.storage.postgres import Tx

from . import billed_store
from .model import Invoice, LineKind


async def reopen_credits(tx: Tx, voided: Invoice, *, at: datetime) -> None:
    """Gives the grants that can pay for a void invoice's usage what expired of them."""
    grants = await credit.list_grants_of_customers(tx, [voided.customer_id], until=at)
    paying = [grant for grant in grants if _could_pay(grant, voided)]
    if paying:
        expired = await _expired(tx, paying, voided)
        await restore_expired(tx, expired, reason=f"invoice {voided.number} is made anew", at=at)


def _could_pay(grant: CreditGrant, voided: Invoice) -> bool:
    return grant.application_type is CreditApplicationType.USAGE and any(
        line.kind is LineKind.USAGE
        and line.metric_id == grant.metric_id
        and grant.overlaps(line.period)
        for line in voided.lines
    )


async def _expired(tx: Tx, grants: Sequence[CreditGrant], voided: Invoice) -> list[Draw]:
    """What expired of each grant and is not drawn since: what it was good for, less what is drawn and held."""
    ids = [grant.id for grant in grants]
    expired = await credit.sum_expired(tx, ids)
    good_for = await credit.sum_granted(tx, ids)
    drawn = await billed_store.sum_draws(tx, {voided.customer_id})
    found = []
    for grant in grants:
        spent = drawn.get(grant.id, Decimal(0))
        missing = good_for.get(grant.id, Decimal(0)) - spent - grant.balance
        # What was drawn for usage without a price is on no line, and did not expire.
        missing = min(missing, expired.get(grant.id, Decimal(0)))
        if missing > 0:
            found.append(Draw(grant.id, missing))
    return found
