"""Money on a customer's account: credited by a correction, then drawn by whole invoices, after their tax.

Unlike other monetary credit (CRD-8) it takes nothing off what is taxed: the tax that belongs to it was given back when
it was credited.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditApplicationType, CreditScope
from candela_server.customer.model import CustomerId
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import ledger_store, store
from .model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    Draw,
    Funding,
    GrantId,
    TransactionKind,
)


async def credit_account(
    tx: Tx,
    *,
    customer_id: CustomerId,
    currency: str,
    amount: Decimal,
    reason: str,
    at: datetime,
) -> GrantId:
    """Grants money that any later invoice of the customer in this currency can draw; it never expires."""
    grant = CreditGrant(
        id=GrantId(new_id("grant")),
        customer_id=customer_id,
        subscription_id=None,
        definition_id=None,
        application_type=CreditApplicationType.MONETARY,
        scope=CreditScope.MERCHANT,
        feature_id=None,
        metric_id=None,
        component_id=None,
        currency=currency,
        amount=amount,
        balance=amount,
        effective_at=at,
        expires_at=None,
        priority=0,
        funding=Funding.PAID,
        billing_visible=True,
        reason=reason,
        created_at=at,
    )
    await store.insert_grants(tx, [grant])
    await _post(tx, TransactionKind.GRANT, [Draw(grant.id, amount)], reason, at)
    return grant.id


async def draw_account(tx: Tx, draws: Sequence[Draw], *, reason: str, at: datetime) -> None:
    """Posts what grants pay of invoices; their balances were read under lock_grants."""
    await _post(
        tx,
        TransactionKind.DRAW,
        [Draw(draw.grant_id, -draw.amount) for draw in draws],
        reason,
        at,
    )


async def return_to_account(tx: Tx, draws: Sequence[Draw], *, reason: str, at: datetime) -> None:
    """Gives back what invoices had drawn."""
    await _post(tx, TransactionKind.RESTORE, draws, reason, at)


async def _post(
    tx: Tx, kind: TransactionKind, changes: Sequence[Draw], reason: str, at: datetime
) -> None:
    if changes:
        await ledger_store.insert_transactions(
            tx,
            [
                CreditTransaction(
                    id=CreditTransactionId(new_id("ctx")),
                    grant_id=change.grant_id,
                    kind=kind,
                    amount=change.amount,
                    invoice_line_id=None,
                    reason=reason,
                    at=at,
                )
                for change in changes
            ],
        )
