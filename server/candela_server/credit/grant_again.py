"""Grants again, from a later instant on, what an allowance lost as it came; and takes that back before it began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from .adjust_grant import correct_by
from .model import CreditGrant, GrantId
from .new_grant import store_grants
from .rules.ordinal import next_ordinal


async def grant_again(
    tx: Tx,
    allowance: CreditGrant,
    amount: Decimal,
    *,
    since: datetime,
    own: Sequence[CreditGrant],
    reason: str,
    at: datetime,
) -> CreditGrant:
    """A further grant of the allowance's definition, which ends with it.

    `own` are all grants of the subscription.
    """
    again = replace(
        allowance,
        id=GrantId(new_id("grant")),
        amount=amount,
        balance=amount,
        effective_at=since,
        ordinal=next_ordinal(own, allowance.definition_id, since),
        reason=reason,
        created_at=at,
        taken=(),
    )
    [stored] = await store_grants(tx, [again], at=at)
    return stored


async def take_back(tx: Tx, grants: Sequence[CreditGrant], *, reason: str, at: datetime) -> None:
    """Takes back all that these locked grants hold: they come to nothing."""
    for grant in grants:
        if grant.balance > 0:
            await correct_by(tx, grant, -grant.balance, reason=reason, at=at)
