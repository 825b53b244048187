"""Stores grants with the transactions that make their balances: the one way in which credit comes into being."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import ledger_store, read, store
from .model import CreditGrant, CreditTransaction, CreditTransactionId, GrantId, TransactionKind


async def store_grants(tx: Tx, grants: Sequence[CreditGrant], *, at: datetime) -> list[CreditGrant]:
    """Stores grants with what they begin with, and returns those that were not there for their period already."""
    if not grants:
        return []
    fresh = await store.insert_grants(tx, grants)
    new = [grant for grant in grants if grant.id in fresh]
    await ledger_store.insert_transactions(
        tx,
        [posted(TransactionKind.GRANT, grant, reason=grant.reason, at=at) for grant in new],
    )
    return new


def posted(
    kind: TransactionKind, grant: CreditGrant, *, reason: str, at: datetime
) -> CreditTransaction:
    """The transaction that gives a new grant its balance, or that takes all of it away."""
    amount = grant.balance if kind is TransactionKind.GRANT else -grant.balance
    return CreditTransaction(
        id=CreditTransactionId(new_id("ctx")),
        grant_id=grant.id,
        kind=kind,
        amount=amount,
        invoice_line_id=None,
        reason=reason,
        at=at,
    )


async def order_grant(tx: Tx, grant: CreditGrant) -> None:
    """Stores a grant that holds nothing until it is filled: without transactions, its balance is 0 (CRD-9)."""
    await store.insert_grants(tx, [grant])


async def fill_ordered_grant(tx: Tx, grant_id: GrantId, *, reason: str, at: datetime) -> None:
    """Gives an ordered grant what was ordered; a second call changes nothing, as a grant is granted once."""
    grant = await read.get_grant(tx, grant_id, lock=True)
    full = replace(grant, balance=grant.amount)
    await ledger_store.insert_transactions(
        tx, [posted(TransactionKind.GRANT, full, reason=reason, at=at)]
    )
