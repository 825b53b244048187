"""Takes back what is left of a grant (CRD-10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById
from candela_server.kernel.clock import Clock
from candela_server.storage.postgres import Tx

from . import ledger_store, read
from .model import CreditGrant, GrantId, TransactionKind
from .new_grant import posted


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeGrant:
    """Which grant, and why."""

    grant_id: GrantId
    reason: str


async def revoke_grant(tx: Tx, clock: Clock, command: RevokeGrant) -> CreditGrant:
    """Posts the rest of the grant as revoked; a grant with nothing left stays as it is. Raises GrantNotFoundError.

    What invoices drew before stays drawn; drafts are rated again as they are finalized and find nothing here.
    """
    grant = await read.get_grant(tx, command.grant_id, lock=True)
    holder = await customer.get_customer(tx, CustomerById(grant.customer_id))
    now = (await customer.customer_clock(tx, clock, holder)).now()
    if grant.balance > 0:
        await ledger_store.insert_transactions(
            tx, [posted(TransactionKind.REVOKE, grant, reason=command.reason, at=now)]
        )
    await tx.audit(
        "grant.revoked",
        grant.id,
        before={"balance": grant.balance},
        after={"balance": Decimal(0)},
        reason=command.reason,
    )
    await tx.entitlements_changed(holder.id)
    return replace(grant, balance=Decimal(0))
