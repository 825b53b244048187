"""Makes a credit note: numbers it, stores it, and does with its amount what it says (INV-6).

A note gives back money, never credits. The invoice stands, and with it what was used and which grants paid for it:
late usage of the period is compared with exactly that (EVT-9), so that credits which came back here would be drawn for
the same usage again. Nor does an amount say how much of them it stands for. Who gets credits back as well gets them by
AdjustGrant, into the same grant and with a reason (CRD-10); an invoice that should never have been is voided, which
gives back all that it drew.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from candela_server.credit.account_money import credit_account
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.merchant import read as merchant
from candela_server.merchant.numbering import Series
from candela_server.storage.postgres import Tx

from . import correction_store, credit_note_store
from .account import give_back
from .credit_note import CreditNote, CreditNoteId, Purpose, Refund, RefundId, RefundStatus
from .draw_up_credit_note import CreateCreditNote, DrawnUp, draw_up_credit_note
from .model import Invoice, InvoiceStatus
from .number_documents import number_documents
from .settle_top_up import invoice_ended, invoice_paid, pack_refunded


async def create_credit_note(tx: Tx, clock: Clock, command: CreateCreditNote) -> CreditNote:
    """The note, with the next number of its own series. Raises what draw_up_credit_note raises."""
    return await make_credit_note(tx, await draw_up_credit_note(tx, clock, command, lock=True))


async def make_credit_note(tx: Tx, drawn_up: DrawnUp) -> CreditNote:
    """The note, as it was drawn up for an invoice that is locked."""
    invoice, at = drawn_up.invoice, drawn_up.note.created_at
    seller = await merchant.get_merchant(tx)
    [number] = await number_documents(tx, seller, Series.CREDIT_NOTE, 1, at=at)
    note = replace(drawn_up.note, id=CreditNoteId(new_id("cn")), number=number)
    if note.purpose is Purpose.CREDIT_BALANCE:
        grant_id = await credit_account(
            tx,
            customer_id=note.customer_id,
            currency=note.currency,
            amount=note.total,
            reason=f"credit note {number} of invoice {invoice.number}",
            at=at,
        )
        note = replace(note, grant_id=grant_id)
    await credit_note_store.insert_credit_note(tx, note)
    if note.purpose is Purpose.REFUND:
        await _record_refund(tx, note)
    if note.purpose is Purpose.REDUCE_DUE:
        await _reduce(tx, invoice, note)
    else:
        await pack_refunded(tx, invoice, note.total, note.created_at)
    await tx.audit(
        "credit_note.created",
        note.id,
        None,
        {
            "number": number,
            "invoice_id": invoice.id,
            "total": note.total,
            "purpose": note.purpose,
            "reason": note.reason,
        },
        reason=note.memo or None,
    )
    await tx.entitlements_changed(note.customer_id)
    return note


async def _record_refund(tx: Tx, note: CreditNote) -> None:
    payment = await correction_store.find_offline_payment(tx, note.invoice_id)
    assert payment is not None, "draw_up_credit_note found what can be refunded"
    await correction_store.insert_refund(
        tx,
        Refund(
            id=RefundId(new_id("ref")),
            payment_id=payment.id,
            credit_note_id=note.id,
            amount=note.total,
            # The merchant pays it back by hand, as it was paid; nobody tells us when.
            status=RefundStatus.PENDING,
            created_at=note.created_at,
        ),
    )


async def _settle(tx: Tx, invoice: Invoice, note: CreditNote) -> None:
    """A pack of which nothing is to be paid any more was paid in part, or taken back as a whole."""
    credited, _ = await credit_note_store.sum_credited(tx, invoice.id)
    if sum(credited.values(), Decimal(0)) >= invoice.subtotal:
        await invoice_ended(tx, invoice, f"was credited by {note.number}", note.created_at)
    else:
        await invoice_paid(tx, invoice, note.created_at)


async def _reduce(tx: Tx, invoice: Invoice, note: CreditNote) -> None:
    """Takes the note off what is due; what the account had paid of it goes back there. Nothing due is paid."""
    reduced = min(note.total, invoice.amount_due)
    if note.total > reduced:
        await give_back(
            tx,
            invoice.id,
            note.total - reduced,
            reason=f"credit note {note.number} of invoice {invoice.number}",
            at=note.created_at,
        )
    due = invoice.amount_due - reduced
    if not due:
        await _settle(tx, invoice, note)
    await correction_store.update_standing(
        tx,
        replace(
            invoice,
            amount_due=due,
            status=invoice.status if due else InvoiceStatus.PAID,
            ended_at=None if due else note.created_at,
        ),
    )
