"""Pays invoices from credit on the customer's account, and gives it back (INV-6).

The credit is what credit notes left for later invoices. It is money that was paid, so it lowers what is due and never
what is taxed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.credit import read as credit
from candela_server.credit.account_money import draw_account, return_to_account
from candela_server.credit.model import CreditGrant, Draw
from candela_server.credit.rules.waterfall import draw
from candela_server.storage.postgres import Tx

from . import correction_store
from .model import Invoice, InvoiceId


async def pay_from_accounts(
    tx: Tx, invoices: Sequence[Invoice], now: datetime
) -> dict[InvoiceId, Decimal]:
    """Draws what the customers' accounts hold and returns what is left to pay of each invoice."""
    planned = await plan_draws(tx, invoices, now, lock=True)
    drawn = [(one_id, one) for one_id, draws in planned.items() for one in draws]
    for invoice_id, draws in planned.items():
        await draw_account(tx, draws, reason=f"invoice {invoice_id}", at=now)
    if drawn:
        await correction_store.insert_account_draws(tx, drawn)
    return {
        invoice.id: invoice.total
        - sum((one.amount for one in planned.get(invoice.id, [])), Decimal(0))
        for invoice in invoices
    }


async def plan_draws(
    tx: Tx, invoices: Sequence[Invoice], now: datetime, *, lock: bool
) -> dict[InvoiceId, list[Draw]]:
    """What the accounts would pay of each invoice, in their order; only those for which it is something."""
    owing = sorted({invoice.customer_id for invoice in invoices if invoice.total > 0})
    accounts = await correction_store.list_account_grants(tx, owing) if owing else {}
    if not accounts:
        return {}
    ids = [grant_id for found in accounts.values() for grant_id in found]
    grants = {grant.id: grant for grant in await credit.get_grants(tx, ids, lock=lock)}
    planned: dict[InvoiceId, list[Draw]] = {}
    for invoice in invoices:
        usable = [
            grants[grant_id]
            for grant_id in accounts.get(invoice.customer_id, ())
            if _pays(grants[grant_id], invoice, now)
        ]
        draws = draw(usable, invoice.total).draws
        for one in draws:
            grant = grants[one.grant_id]
            grants[one.grant_id] = replace(grant, balance=grant.balance - one.amount)
        if draws:
            planned[invoice.id] = list(draws)
    return planned


async def give_back(
    tx: Tx, invoice_id: InvoiceId, amount: Decimal, *, reason: str, at: datetime
) -> None:
    """Gives back so much of what the account paid of an invoice, what was drawn last first."""
    left = amount
    returned = []
    for one in reversed(await correction_store.list_account_draws(tx, invoice_id)):
        part = min(left, one.amount)
        if part > 0:
            returned.append(Draw(one.grant_id, part))
            left -= part
    assert not left, f"the account did not pay {amount} of invoice {invoice_id}"
    await return_to_account(tx, returned, reason=reason, at=at)
    await correction_store.insert_account_draws(
        tx, [(invoice_id, Draw(one.grant_id, -one.amount)) for one in returned]
    )


async def paid_from_account(tx: Tx, invoice_id: InvoiceId) -> Decimal:
    """What the account pays of an invoice."""
    drawn = await correction_store.list_account_draws(tx, invoice_id)
    return sum((one.amount for one in drawn), Decimal(0))


def _pays(grant: CreditGrant, invoice: Invoice, now: datetime) -> bool:
    return grant.currency == invoice.currency and grant.counts_at(now)
