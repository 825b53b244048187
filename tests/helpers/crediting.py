"""What tests of credits do by hand, inside the process."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import CreditApplicationType
from candela_server.catalog.refs import BySlug
from candela_server.credit import ledger_store, read
from candela_server.credit.adjust_grant import AdjustGrant, adjust_grant
from candela_server.credit.grant_by_hand import GrantCredits, grant_by_hand
from candela_server.credit.model import CreditGrant, CreditTransaction, Funding, GrantId
from candela_server.credit.revoke_grant import RevokeGrant, revoke_grant
from candela_server.customer.model import Customer, CustomerById

from tests.helpers.acting import acting_as
from tests.helpers.selling import Shop

PREMIUM = "premium-messages"


async def give(
    shop: Shop,
    holder: Customer,
    amount: str,
    *,
    feature: str | None = PREMIUM,
    currency: str | None = None,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    priority: int = 0,
    funding: Funding = Funding.FREE,
) -> CreditGrant:
    """A grant by hand: of premium messages, or of money when a currency is named."""
    monetary = currency is not None
    command = GrantCredits(
        customer=CustomerById(holder.id),
        application_type=CreditApplicationType.MONETARY
        if monetary
        else CreditApplicationType.USAGE,
        feature=BySlug(feature) if feature and not monetary else None,
        currency=currency,
        amount=Decimal(amount),
        effective_at=effective_at,
        expires_at=expires_at,
        priority=priority,
        funding=funding,
        reason="a gift",
    )
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            return await grant_by_hand(tx, shop.clock, command)


async def revoke(shop: Shop, grant_id: GrantId) -> CreditGrant:
    """Takes a grant back."""
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            return await revoke_grant(
                tx, shop.clock, RevokeGrant(grant_id=grant_id, reason="given by mistake")
            )


async def adjust(shop: Shop, grant_id: GrantId, amount: str) -> CreditGrant:
    """Corrects a grant."""
    with acting_as(shop.merchant_id):
        async with shop.db.writing(shop.merchant_id) as tx:
            return await adjust_grant(
                tx,
                shop.clock,
                AdjustGrant(grant_id=grant_id, amount=Decimal(amount), reason="miscounted"),
            )


async def grants_of(shop: Shop, holder: Customer) -> list[CreditGrant]:
    """All grants of a customer that have begun, oldest first."""
    async with shop.db.reading(shop.merchant_id) as tx:
        found = await read.list_grants_of_customers(
            tx, [holder.id], until=shop.clock.now().replace(year=9999)
        )
    return sorted(found, key=lambda one: (one.created_at, one.id))


async def grant_now(shop: Shop, grant_id: GrantId) -> CreditGrant:
    """A grant as it stands."""
    async with shop.db.reading(shop.merchant_id) as tx:
        return await read.get_grant(tx, grant_id)


async def history_of(
    shop: Shop, holder: Customer, grant_id: GrantId | None = None
) -> list[CreditTransaction]:
    """The changes of a customer's balances, oldest first."""
    async with shop.db.reading(shop.merchant_id) as tx:
        return await ledger_store.page_transactions(
            tx, holder.id, grant_id=grant_id, limit=1000, after=None
        )
