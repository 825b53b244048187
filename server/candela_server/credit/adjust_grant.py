"""Corrects the balance of a grant by an amount (CRD-10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import Clock
from candela_server.kernel.currency import minor_digits
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.kernel.money import Money, format_decimal
from candela_server.storage.postgres import Tx

from . import ledger_store, read
from .model import (
    CreditGrant,
    CreditTransaction,
    CreditTransactionId,
    GrantId,
    GrantInsufficientError,
    TransactionKind,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustGrant:
    """Which grant, by how much (negative to take away, never 0), and why."""

    grant_id: GrantId
    amount: Decimal
    reason: str


async def adjust_grant(tx: Tx, clock: Clock, command: AdjustGrant) -> CreditGrant:
    """The grant with its new balance.

    Raises GrantNotFoundError, GrantInsufficientError when it holds less than is taken, and InvalidInput for parts of a
    minor unit and when more is put into a grant whose time is over.
    """
    grant = await read.get_grant(tx, command.grant_id, lock=True)
    holder = await customer.get_customer(tx, CustomerById(grant.customer_id))
    now = (await customer.customer_clock(tx, clock, holder)).now()
    _check(grant, command, ended=grant.expires_at is not None and grant.expires_at <= now)
    adjusted = await correct_by(tx, grant, command.amount, reason=command.reason, at=now)
    await tx.audit(
        "grant.adjusted",
        grant.id,
        before={"balance": grant.balance},
        after={"balance": adjusted.balance},
        reason=command.reason,
    )
    await tx.entitlements_changed(holder.id)
    return adjusted


async def correct_by(
    tx: Tx, grant: CreditGrant, amount: Decimal, *, reason: str, at: datetime
) -> CreditGrant:
    """Posts the correction of a locked grant."""
    await ledger_store.insert_transactions(
        tx,
        [
            CreditTransaction(
                id=CreditTransactionId(new_id("ctx")),
                grant_id=grant.id,
                kind=TransactionKind.ADJUST,
                amount=amount,
                invoice_line_id=None,
                reason=reason,
                at=at,
            )
        ],
    )
    return replace(grant, balance=grant.balance + amount)


def _check(grant: CreditGrant, command: AdjustGrant, *, ended: bool) -> None:
    if grant.balance + command.amount < 0:
        raise GrantInsufficientError(grant.id, grant.balance)
    if ended and command.amount > 0:
        raise InvalidInput(
            f"grant {grant.id} expired at {grant.expires_at:%Y-%m-%dT%H:%M:%SZ}, so more in it could "
            "pay for nothing; GrantCredits gives a new grant",
            field="grant_id",
        )
    if grant.currency is not None:
        change = Money(currency=grant.currency, amount=command.amount)
        if change.rounded() != change:
            raise InvalidInput(
                f"{format_decimal(command.amount)} has more than the {minor_digits(grant.currency)} "
                f"decimals of {grant.currency}",
                field="amount",
            )
