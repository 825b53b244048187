"""Undoes what adjustments of closed periods drew from grants or gave back, when their invoice is void (INV-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import ledger_store, read
from .model import CreditTransaction, CreditTransactionId, GrantId, TransactionKind


async def undo_late_draws(
    tx: Tx, grant_ids: Sequence[GrantId], line_ids: Sequence[str], *, reason: str, at: datetime
) -> list[GrantId]:
    """Posts the opposite of what these lines moved, and returns the open grants that have spent what they got back.

    What an adjustment posted is more than its line says: a lapsed grant is refilled before it is drawn from, and gets
    nothing back. So the ledger is asked. Of a grant that lapsed since, what is left is taken.
    """
    moved = await ledger_store.sum_moved_by_lines(tx, grant_ids, line_ids)
    transactions, spent = [], []
    for grant in await read.get_grants(tx, list(moved), lock=True):
        change = -moved[grant.id]
        if change < 0:
            lapsed = grant.expires_at is not None and grant.expires_at <= at
            if grant.balance < -change and not lapsed:
                spent.append(grant.id)
            change = max(change, -grant.balance)
        if change:
            transactions.append(
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=grant.id,
                    kind=TransactionKind.RESTORE if change > 0 else TransactionKind.DRAW,
                    amount=change,
                    # The line may have moved the grant in this way already, and does so once.
                    invoice_line_id=None,
                    reason=reason,
                    at=at,
                )
            )
    if transactions:
        await ledger_store.insert_transactions(tx, transactions)
    return spent
