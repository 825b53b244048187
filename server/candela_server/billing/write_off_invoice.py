"""Gives an unpaid invoice up (INV-7)."""

from __future__ import annotations

from dataclasses import replace

from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import correction_store
from .follow_due_dates import settled
from .hold_invoice import hold_invoice
from .model import Invoice, InvoiceId
from .rules.invoice_states import InvoiceAct, after
from .settle_top_up import invoice_ended


async def write_off_invoice(tx: Tx, clock: Clock, invoice_id: InvoiceId, *, reason: str) -> Invoice:
    """The invoice, given up; what was due stays on it, as that is what was lost.

    Raises InvoiceNotFoundError and InvoiceTransitionRefusedError.
    """
    before = await hold_invoice(tx, invoice_id)
    status = after(before, InvoiceAct.WRITE_OFF)
    now = (await merchant.clock_for(tx, clock, before.test_clock_id)).now()
    written_off = replace(before, status=status, ended_at=now)
    await correction_store.update_standing(tx, written_off)
    await invoice_ended(tx, written_off, "was written off", now)
    await tx.audit(
        "invoice.written_off",
        before.id,
        {"status": before.status},
        {"status": written_off.status, "lost": before.amount_due},
        reason=reason or None,
    )
    await settled(tx, written_off, now=now)
    await tx.entitlements_changed(before.customer_id)
    return written_off
