"""Locks an invoice, and before it the subscription that it bills: the order in which everybody takes these locks.

Who changes, bills or ends a subscription holds it and comes to its invoices afterwards, to give back on them (SUB-6).
Who pays, voids or writes off an invoice comes to the subscription in the end, which may not be past due any more. Were
the invoice locked first, they would wait for one another.
"""

from __future__ import annotations

from candela_server.storage.postgres import Tx
from candela_server.subscription.claim_due import hold

from . import correction_store
from .model import Invoice, InvoiceId
from .read import get_invoice


async def hold_invoice(tx: Tx, invoice_id: InvoiceId, *, with_others: bool = False) -> Invoice:
    """The invoice, as it is until the transaction ends. Raises InvoiceNotFoundError.

    `with_others` locks all final invoices of its subscription, in the order that who gives back on them locks them in.
    """
    found = await get_invoice(tx, invoice_id)
    if found.subscription_id is not None:
        await hold(tx, found.subscription_id)
        if with_others:
            await correction_store.lock_final_invoices(tx, found.subscription_id)
    return await get_invoice(tx, invoice_id, lock=True)
