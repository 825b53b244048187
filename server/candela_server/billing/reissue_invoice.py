"""Voids an invoice and makes a new draft of the same periods (INV-6)."""

from __future__ import annotations

from candela_server.credit.draw_credits import draw_late
from candela_server.kernel.clock import Clock
from candela_server.merchant import read as merchant
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from . import correction_store, store, threshold_store
from .billing_context import read_context
from .draft_invoices import draft_wanted
from .hold_invoice import hold_invoice
from .model import Invoice, InvoiceId, InvoiceStatus, InvoiceTransitionRefusedError
from .reopen_credits import reopen_credits
from .rules.invoice_states import InvoiceAct, after
from .void_invoice import annul
from .wanted_drafts import wanted_of


async def reissue_invoice(
    tx: Tx, events: EventStore, clock: Clock, invoice_id: InvoiceId, *, reason: str
) -> tuple[Invoice, Invoice]:
    """The void invoice and the draft in its place. Raises InvoiceNotFoundError and InvoiceTransitionRefusedError.

    The draft is rated as if it were made now: with all events taken in, those of other closed periods as adjustments,
    with the credits that went back; but by the price and the quantities of the invoice. It waits for the merchant's
    grace like any other, so that people can look at it. An invoice that was voided before is reissued
    once as well.
    """
    before = await hold_invoice(tx, invoice_id)
    after(before, InvoiceAct.REISSUE)
    if before.subscription_id is None:
        raise InvoiceTransitionRefusedError(
            before.id,
            before.status,
            InvoiceAct.REISSUE,
            "it bills no period but sells a pack; void it, and TopUpCredits sells another",
        )
    if await threshold_store.is_threshold_invoice(tx, before.id):
        raise InvoiceTransitionRefusedError(
            before.id,
            before.status,
            InvoiceAct.REISSUE,
            "it bills usage of a period ahead; void it, and the next invoice of the period bills it again",
        )
    successor = await correction_store.find_reissue(tx, before.id)
    if successor is not None:
        raise InvoiceTransitionRefusedError(
            before.id, before.status, InvoiceAct.REISSUE, f"{successor} has taken its place"
        )
    now = (await merchant.clock_for(tx, clock, before.test_clock_id)).now()
    voided = before
    if before.status is not InvoiceStatus.VOID:
        voided = await annul(tx, before, now, reason=reason)
    await reopen_credits(tx, before, at=now)
    context = await read_context(tx, [before.of_subscription], until=now)
    made = await draft_wanted(
        tx,
        events,
        context,
        await merchant.get_merchant(tx),
        (await wanted_of(tx, context, [before]))[0],
        now=now,
        seen_at=now,
        test_clock_id=before.test_clock_id,
    )
    await draw_late(tx, made.late_draws, at=now)
    draft = made.by_subscription[before.of_subscription]
    await store.insert_invoices(tx, [draft])
    await correction_store.insert_reissue(tx, voided.id, draft.id)
    await tx.audit(
        "invoice.reissued",
        draft.id,
        None,
        {"status": draft.status, "total": draft.total, "replaces": voided.id},
        reason=reason or None,
    )
    await tx.entitlements_changed(draft.customer_id)
    return voided, draft
