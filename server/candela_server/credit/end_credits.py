"""Ends the credits that came with one plan, as when a trial turns into a paid plan (CRD-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.catalog.model import CreditDefinitionId
from candela_server.storage.postgres import Tx

from . import read, store
from .model import GrantId, TransactionKind
from .new_grant import posted


async def end_credits(
    tx: Tx,
    subscription_id: str,
    definition_ids: Sequence[CreditDefinitionId],
    *,
    reason: str,
    at: datetime,
) -> list[GrantId]:
    """Takes back what is left of a subscription's grants of these definitions; returns which had something left.

    Trial credits are separate from the paid plan's: whoever converts a trial ends the credits of the trial's
    definitions, and grants the paid plan's anew. What was given by hand or bought stays. The caller announces the
    change.
    """
    ids = await store.list_grant_ids_of(tx, subscription_id, definition_ids)
    left = [grant for grant in await read.get_grants(tx, ids, lock=True) if grant.balance > 0]
    if left:
        await store.insert_transactions(
            tx, [posted(TransactionKind.REVOKE, grant, reason=reason, at=at) for grant in left]
        )
        await tx.audit_many(
            "grant.revoked",
            [(grant.id, {"balance": grant.balance}, {"balance": 0}) for grant in left],
            reason=reason,
        )
    return [grant.id for grant in left]
