"""Records that an invoice was paid outside (INV-7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import correction_store
from .credit_note import OfflinePayment, PaymentId
from .follow_due_dates import settled
from .hold_invoice import hold_invoice
from .model import Invoice, InvoiceId
from .rules.invoice_states import InvoiceAct, after
from .settle_top_up import invoice_paid


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkInvoicePaid:
    """Which invoice was paid, when (the present when None), and the merchant's reference."""

    invoice_id: InvoiceId
    paid_at: datetime | None
    reference: str


async def mark_invoice_paid(tx: Tx, clock: Clock, command: MarkInvoicePaid) -> Invoice:
    """The invoice, paid with all that was due.

    Raises InvoiceNotFoundError, InvoiceTransitionRefusedError, and InvalidInput for an instant at which it cannot have
    been paid.
    """
    before = await hold_invoice(tx, command.invoice_id)
    status = after(before, InvoiceAct.PAY)
    now = (await merchant.clock_for(tx, clock, before.test_clock_id)).now()
    paid_at = command.paid_at or now
    if not before.created_at <= paid_at <= now:
        raise InvalidInput(
            f"paid_at is {paid_at:%Y-%m-%dT%H:%M:%SZ}; the invoice was made at "
            f"{before.created_at:%Y-%m-%dT%H:%M:%SZ} and it is {now:%Y-%m-%dT%H:%M:%SZ}: "
            "give an instant in between, or none for the present",
            field="paid_at",
        )
    paid = replace(before, status=status, amount_due=Decimal(0), ended_at=paid_at)
    await correction_store.update_standing(tx, paid)
    await correction_store.insert_offline_payment(
        tx,
        OfflinePayment(
            id=PaymentId(new_id("pay")),
            invoice_id=before.id,
            amount=before.amount_due,
            paid_at=paid_at,
            reference=command.reference,
            created_at=now,
        ),
    )
    await tx.audit(
        "invoice.paid",
        before.id,
        {"status": before.status, "amount_due": before.amount_due},
        {
            "status": paid.status,
            "amount_due": paid.amount_due,
            "paid_at": paid_at,
            "reference": command.reference,
        },
    )
    await invoice_paid(tx, paid, now)
    await settled(tx, paid, now=now)
    await tx.entitlements_changed(before.customer_id)
    return paid
