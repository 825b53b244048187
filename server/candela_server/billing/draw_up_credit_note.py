"""Draws up a credit note, without storing it: what previews show and what is made come from here (INV-6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.kernel.clock import Clock
from candela_server.kernel.currency import minor_digits
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.kernel.money import Money, format_decimal
from candela_server.merchant import read as merchant
from candela_server.storage.postgres import Tx

from . import correction_store, credit_note_store
from .credit_note import (
    CreditNote,
    CreditNoteId,
    CreditNoteReason,
    NothingToCreditError,
    Purpose,
    RefundExceedsPaymentError,
    UsageTakenBack,
)
from .model import Invoice, InvoiceId, LineId
from .read import get_invoice
from .rules.credited import credit_lines
from .rules.invoice_states import InvoiceAct, after

_ACTS = {
    Purpose.REDUCE_DUE: InvoiceAct.REDUCE,
    Purpose.CREDIT_BALANCE: InvoiceAct.CREDIT,
    Purpose.REFUND: InvoiceAct.REFUND,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCreditNote:
    """What is taken back of which lines (all that is left when empty), and what becomes of it."""

    invoice_id: InvoiceId
    lines: Mapping[LineId, Money]
    purpose: Purpose
    reason: CreditNoteReason
    memo: str
    unused_days_of: LineId | None = None
    usage: UsageTakenBack | None = None


@dataclass(frozen=True, slots=True)
class DrawnUp:
    """A note without id and number, and the invoice it corrects as it stands."""

    note: CreditNote
    invoice: Invoice


async def draw_up_credit_note(
    tx: Tx, clock: Clock, command: CreateCreditNote, *, lock: bool
) -> DrawnUp:
    """The note as it would be now; with `lock` the invoice stays as it is until commit.

    What is still due can be reduced; what was paid can be refunded or credited to the account. Raises
    InvoiceNotFoundError, InvoiceTransitionRefusedError, CreditNoteExceedsLineError, RefundExceedsPaymentError and
    InvalidInput.
    """
    invoice = await get_invoice(tx, command.invoice_id, lock=lock)
    at = (await merchant.clock_for(tx, clock, invoice.test_clock_id)).now()
    return await draw_up(tx, invoice, command, at=at)


async def draw_up(tx: Tx, invoice: Invoice, command: CreateCreditNote, *, at: datetime) -> DrawnUp:
    """As draw_up_credit_note, of an invoice that is at hand."""
    after(invoice, _ACTS[command.purpose])
    credited, credited_tax = await credit_note_store.sum_credited(tx, invoice.id)
    lines = credit_lines(invoice, _amounts(invoice, command.lines), credited, credited_tax)
    if not lines:
        raise NothingToCreditError(invoice.id)
    note = CreditNote(
        id=CreditNoteId(""),
        number="",
        invoice_id=invoice.id,
        customer_id=invoice.customer_id,
        currency=invoice.currency,
        tax=invoice.tax,
        lines=tuple(lines),
        purpose=command.purpose,
        reason=command.reason,
        memo=command.memo,
        grant_id=None,
        created_at=at,
        unused_days_of=command.unused_days_of,
        usage=command.usage,
    )
    if command.purpose is Purpose.REFUND:
        await _check_refund(tx, note)
    return DrawnUp(note, invoice)


def _amounts(invoice: Invoice, wanted: Mapping[LineId, Money]) -> dict[LineId, Decimal]:
    """The amounts by line, once each fits the invoice; raises InvalidInput with every one that does not."""
    known = {line.id for line in invoice.lines}
    places = minor_digits(invoice.currency)
    with FieldViolations() as fields:
        for index, (line_id, money) in enumerate(wanted.items()):
            at = f"lines[{index}]"
            if line_id not in known:
                fields.add(f"{at}.invoice_line_id", f"invoice {invoice.id} has no line {line_id}")
            if money.currency != invoice.currency:
                fields.add(
                    f"{at}.amount.currency",
                    f"must be {invoice.currency}, the invoice's, not {money.currency}",
                    Reason.CURRENCY_MISMATCH,
                )
            elif money.rounded() != money:
                fields.add(
                    f"{at}.amount.amount",
                    f"{format_decimal(money.amount)} has more than the {places} decimals of "
                    f"{invoice.currency}",
                )
    return {line_id: money.amount for line_id, money in wanted.items()}


async def _check_refund(tx: Tx, note: CreditNote) -> None:
    payment = await correction_store.find_offline_payment(tx, note.invoice_id)
    if payment is None:
        raise RefundExceedsPaymentError("", Decimal(0), note.currency)
    remaining = payment.amount - await correction_store.sum_refunds(tx, payment.id)
    if note.total > remaining:
        raise RefundExceedsPaymentError(payment.id, remaining, note.currency)
