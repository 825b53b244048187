"""Gives back what invoice lines drew, to the same grants (INV-6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import ledger_store
from .model import CreditTransaction, CreditTransactionId, Draw, LineDraw, TransactionKind


async def restore_credits(tx: Tx, draws: Sequence[LineDraw]) -> None:
    """Undoes draws; one that was undone for the same line before is left out.

    A grant whose time is over gets its credit back too: it pays for usage of its own time, when that is invoiced anew.
    """
    if draws:
        await ledger_store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=draw.grant_id,
                    kind=TransactionKind.RESTORE,
                    amount=draw.amount,
                    invoice_line_id=draw.invoice_line_id,
                    reason="",
                    at=draw.at,
                )
                for draw in draws
            ],
        )


async def restore_expired(tx: Tx, expired: Sequence[Draw], *, reason: str, at: datetime) -> None:
    """Gives grants back what expired of them; whoever calls sees to it that it expires again."""
    if expired:
        await ledger_store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=one.grant_id,
                    kind=TransactionKind.RESTORE,
                    amount=one.amount,
                    invoice_line_id=None,
                    reason=reason,
                    at=at,
                )
                for one in expired
            ],
        )
