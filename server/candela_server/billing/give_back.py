"""Gives back by credit notes what no invoice of an ended subscription can bear (SUB-6, EVT-9).

What is due of an unpaid invoice becomes less, and from a paid one it goes to the customer's account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from candela_server.storage.postgres import Tx

from . import credit_note_store
from .create_credit_note import make_credit_note
from .credit_note import CreditNote, CreditNoteReason, UsageTakenBack
from .draw_up_credit_note import CreateCreditNote, draw_up
from .model import BilledLine, Invoice, InvoiceId, LineId
from .read import get_invoice
from .rules.give_back import PURPOSES, Owed, Share, shares

_MEMO: Final = 500

Credited = Mapping[InvoiceId, Mapping[LineId, Decimal]]


async def lock_invoices(
    tx: Tx, ids: Collection[InvoiceId], known: dict[InvoiceId, Invoice]
) -> None:
    """Adds these invoices to those that are locked, in the order in which everybody locks several."""
    for invoice_id in sorted(set(ids) - known.keys()):
        known[invoice_id] = await get_invoice(tx, invoice_id, lock=True)


async def read_credited(tx: Tx, ids: Collection[InvoiceId]) -> Credited:
    """What notes took back of each line of these invoices."""
    return {one_id: (await credit_note_store.sum_credited(tx, one_id))[0] for one_id in ids}


async def give_back(
    tx: Tx,
    billed: Sequence[BilledLine],
    owed: Sequence[Owed],
    invoices: Mapping[InvoiceId, Invoice],
    credited: Credited,
    *,
    now: datetime,
) -> list[CreditNote]:
    """The notes that give back what is owed, as far as these invoices, which are locked, can bear it."""
    told: set[LineId] = set()
    notes = []
    for share in shares(billed, owed, invoices, credited):
        notes.append(await _note(tx, share, is_first=share.owed.of not in told, now=now))
        told.add(share.owed.of)
    return notes


async def _note(tx: Tx, share: Share, *, is_first: bool, now: datetime) -> CreditNote:
    # As it is after the notes before this one.
    invoice = await get_invoice(tx, share.invoice_id)
    owed = share.owed
    # One of several notes says how much less was used.
    usage = owed.usage if is_first or owed.usage is None else Decimal(0)
    drawn_up = await draw_up(
        tx,
        invoice,
        CreateCreditNote(
            invoice_id=invoice.id,
            lines=share.amounts,
            purpose=PURPOSES[invoice.status],
            reason=(
                CreditNoteReason.ORDER_CANCELLATION if usage is None else CreditNoteReason.OTHER
            ),
            memo=owed.memo[:_MEMO],
            unused_days_of=owed.of if usage is None else None,
            usage=None if usage is None else UsageTakenBack(owed.of, usage),
        ),
        at=now,
    )
    return await make_credit_note(tx, drawn_up)
