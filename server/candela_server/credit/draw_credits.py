"""Posts what grants paid for invoice lines; many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import ledger_store
from .model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    Draw,
    LineDraw,
    TransactionKind,
)


async def draw_credits(tx: Tx, draws: Sequence[LineDraw]) -> None:
    """Posts draws; one that was posted for the same line before is left out (INV-2)."""
    if draws:
        await ledger_store.insert_transactions(
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


async def draw_without_line(
    tx: Tx, draws_by_reason: Mapping[str, Sequence[Draw]], *, at: datetime
) -> None:
    """Posts draws for usage that is on no invoice; whoever calls sees to it that it does so once."""
    if any(draws_by_reason.values()):
        await ledger_store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=draw.grant_id,
                    kind=TransactionKind.DRAW,
                    amount=-draw.amount,
                    invoice_line_id=None,
                    reason=reason,
                    at=at,
                )
                for reason, draws in draws_by_reason.items()
                for draw in draws
            ],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LateDraw:
    """What an adjustment of a closed period takes from a grant, as that was read; negative when it gives back."""

    grant: CreditGrant
    amount: Decimal
    invoice_line_id: str


async def draw_late(tx: Tx, draws: Sequence[LateDraw], *, at: datetime) -> None:
    """Posts what late usage draws from the grants of its own time, lapsed ones too (EVT-9).

    What expired unspent is restored first and drawn at once, so that the balance stays what it was: of grants whose
    time is over, and of those that expired sooner, with the terms that they came with. What is given back can be used
    again only if the grant is still open: otherwise it would have lapsed with the rest.
    """
    wanted = [draw for draw in draws if draw.amount > 0]
    left = {draw.grant.id: max(draw.grant.balance, Decimal(0)) for draw in wanted}
    expired = await ledger_store.sum_expired(tx, list(left)) if wanted else {}
    transactions = []
    for draw in draws:
        one_id = draw.grant.id
        lapsed = draw.grant.expires_at is not None and draw.grant.expires_at <= at
        if draw.amount < 0:
            if not lapsed:
                transactions.append(_late(draw, TransactionKind.RESTORE, -draw.amount, at))
            continue
        missing = draw.amount - left[one_id]
        left[one_id] = max(-missing, Decimal(0))
        if missing > 0 and (lapsed or one_id in expired):
            transactions.append(_late(draw, TransactionKind.RESTORE, missing, at))
        transactions.append(_late(draw, TransactionKind.DRAW, -draw.amount, at))
    if transactions:
        await ledger_store.insert_transactions(tx, transactions)


def _late(
    draw: LateDraw, kind: TransactionKind, amount: Decimal, at: datetime
) -> CreditTransaction:
    return CreditTransaction(
        id=CreditTransactionId(new_id("ctx")),
        grant_id=draw.grant.id,
        kind=kind,
        amount=amount,
        invoice_line_id=draw.invoice_line_id,
        reason="late usage of a closed period",
        at=at,
    )
