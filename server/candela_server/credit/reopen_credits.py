"""Lets credits count again whose terms came back into force before their own end (CRD-5, SUB-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.storage.postgres import Tx

from . import end_store, ledger_store
from .model import CreditGrant, Draw
from .restore_credits import restore_expired

REASON = "the terms that it came with are in force again"


async def reopen_credits(tx: Tx, grants: Sequence[CreditGrant], *, at: datetime) -> None:
    """Takes back that these grants end early, and restores what expired for that, whether it was noticed yet or not.

    So a change and its undo cost nothing, however much later the sweep comes. The grants' own time must not be over.
    """
    if not grants:
        return
    ids = [grant.id for grant in grants]
    await end_store.put_own_ends(tx, ids)
    expired = await ledger_store.sum_still_expired(tx, ids, restored_by=REASON)
    await restore_expired(
        tx,
        [Draw(grant_id, amount) for grant_id, amount in expired.items()],
        reason=REASON,
        at=at,
    )
