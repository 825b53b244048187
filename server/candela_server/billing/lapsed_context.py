"""What grants had that have ended, so that they have paid for their time whatever the ledger says by now (CRD-8).

Where usage costs nothing, no invoice is waited for: a grant that ended within a period has expired in the ledger before
the period ends and is drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.credit import read as credit
from candela_server.credit.model import GrantId
from candela_server.credit.rules.parts_over import had
from candela_server.customer.model import CustomerId
from candela_server.storage.postgres import Tx

from .billing_context import Context, with_ended_grants

_ZERO = Decimal(0)


async def with_lapsed_grants(
    tx: Tx, context: Context, holders: Sequence[CustomerId], *, since: datetime, until: datetime
) -> tuple[Context, Collection[GrantId]]:
    """The context with what these customers' grants had that ended from `since` to `until`, and those of them that the
    ledger has let expire: their draws are not posted any more."""
    wider = await with_ended_grants(tx, context, holders, since=since, until=until)
    ended = [
        grant.id
        for grants in wider.grants.values()
        for grant in grants
        if grant.expires_at is not None and grant.expires_at <= until
    ]
    lapsed = await credit.sum_lapsed(tx, ended) if ended else {}
    if not lapsed:
        return context, ()
    grants = {
        holder: [had(grant, lapsed.get(grant.id, _ZERO)) for grant in grants]
        for holder, grants in wider.grants.items()
    }
    return replace(wider, grants=grants), lapsed
