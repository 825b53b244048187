"""Declares an unpaid invoice never to have been; its number stays its own (INV-6, INV-7)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.credit.model import LineDraw
from candela_server.credit.restore_credits import restore_credits
from candela_server.credit.undo_late_draws import undo_late_draws
from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import correction_store, credit_note_store
from .account import give_back, paid_from_account
from .billing_context import read_context
from .follow_due_dates import settled
from .give_back_days import give_back_days
from .hold_invoice import hold_invoice
from .model import Invoice, InvoiceId, InvoiceStatus, InvoiceTransitionRefusedError, LineKind
from .rules.invoice_states import InvoiceAct, after
from .settle_top_up import invoice_ended


async def void_invoice(tx: Tx, clock: Clock, invoice_id: InvoiceId, *, reason: str) -> Invoice:
    """Voids an invoice. Raises InvoiceNotFoundError and InvoiceTransitionRefusedError.

    Its periods count as billed no more, but nothing bills them by itself: ReissueInvoice does, and until then changes
    within them cost nothing. What it billed as a difference is owed again, and is on the next invoice of the
    subscription or in its place: late usage, and what changes within periods came to. What it gave back for days after
    the subscription's end waits for neither: credit notes give it back at once, on the invoices that charged for them.
    """
    before = await hold_invoice(tx, invoice_id, with_others=True)
    after(before, InvoiceAct.VOID)
    now = (await merchant.clock_for(tx, clock, before.test_clock_id)).now()
    voided = await annul(tx, before, now, reason=reason)
    if voided.subscription_id is not None:
        context = await read_context(tx, [voided.subscription_id], until=now)
        await give_back_days(tx, context, [voided.subscription_id], now=now)
    return voided


async def annul(tx: Tx, before: Invoice, now: datetime, *, reason: str) -> Invoice:
    """Makes a locked, finalized invoice void; what grants and the customer's account paid goes back to them.

    Raises InvoiceTransitionRefusedError when a credit note corrects it: the note would take back what was never asked;
    and when credits that it gave back are spent.
    """
    if await credit_note_store.count_credit_notes(tx, before.id):
        raise InvoiceTransitionRefusedError(
            before.id,
            before.status,
            InvoiceAct.VOID,
            "a credit note corrects it already; credit the rest instead",
        )
    voided = replace(before, status=InvoiceStatus.VOID, amount_due=Decimal(0), ended_at=now)
    await correction_store.update_standing(tx, voided)
    await correction_store.void_lines(tx, voided.id)
    await restore_credits(
        tx,
        [
            LineDraw(grant_id=draw.grant_id, amount=draw.amount, invoice_line_id=line.id, at=now)
            for line in before.lines
            if line.kind is not LineKind.ADJUSTMENT
            for draw in line.draws
        ],
    )
    await _undo_adjustments(tx, before, now)
    await invoice_ended(tx, voided, "was voided", now)
    from_account = await paid_from_account(tx, before.id)
    if from_account:
        await give_back(
            tx, before.id, from_account, reason=f"invoice {before.number} was voided", at=now
        )
    await tx.audit(
        "invoice.voided",
        before.id,
        {"status": before.status, "amount_due": before.amount_due},
        {"status": voided.status, "amount_due": voided.amount_due},
        reason=reason or None,
    )
    await settled(tx, voided, now=now)
    await tx.entitlements_changed(before.customer_id)
    return voided


async def _undo_adjustments(tx: Tx, before: Invoice, now: datetime) -> None:
    adjustments = [line for line in before.lines if line.kind is LineKind.ADJUSTMENT and line.draws]
    if not adjustments:
        return
    spent = await undo_late_draws(
        tx,
        sorted({draw.grant_id for line in adjustments for draw in line.draws}),
        [line.id for line in adjustments],
        reason=f"invoice {before.number} was voided",
        at=now,
    )
    if spent:
        raise InvoiceTransitionRefusedError(
            before.id,
            before.status,
            InvoiceAct.VOID,
            f"credits that it gave back to {', '.join(spent)} are spent; reduce it by a credit note instead",
        )
