"""Posts what grants paid for invoice lines, and what expired unused; many at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import store
from .model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    LineDraw,
    TransactionKind,
)


async def draw_credits(tx: Tx, draws: Sequence[LineDraw]) -> None:
    """Posts draws; one that was posted for the same line before is left out (INV-2)."""
    if draws:
        await store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=draw.grant_id,
                    kind=TransactionKind.DRAW,
                    amount=-draw.amount,
                    invoice_line_id=draw.invoice_line_id,
                    reason="",
                    at=draw.at,
                )
                for draw in draws
            ],
        )


async def expire_credits(tx: Tx, grants: Sequence[CreditGrant], *, at: datetime) -> None:
    """Posts the rest of grants as expired; their balances are as they were read in this transaction.

    Called once the last period that a grant could pay for is invoiced: checks ignore a lapsed grant at once, and the
    ledger follows.
    """
    spent = [grant for grant in grants if grant.balance > 0]
    if spent:
        await store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=grant.id,
                    kind=TransactionKind.EXPIRE,
                    amount=-grant.balance,
                    invoice_line_id=None,
                    reason="",
                    at=at,
                )
                for grant in spent
            ],
        )
