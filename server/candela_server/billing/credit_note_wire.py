"""Credit notes, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from candela.billing.v1 import credit_note_pb2

from candela_server.contract.values import money_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import Money
from candela_server.kernel.read_fields import money, text, typed_id

from .credit_note import CreditNote, CreditNoteId, CreditNoteReason, Purpose
from .draw_up_credit_note import CreateCreditNote
from .model import InvoiceId, LineId
from .tax_wire import tax_to_proto

MAX_LINES = 1000
MAX_MEMO_LENGTH = 500

_Known = TypeVar("_Known", bound=StrEnum)

_PURPOSES = {
    Purpose.REDUCE_DUE: credit_note_pb2.CREDIT_NOTE_USE_REDUCE_DUE,
    Purpose.CREDIT_BALANCE: credit_note_pb2.CREDIT_NOTE_USE_CREDIT_BALANCE,
    Purpose.REFUND: credit_note_pb2.CREDIT_NOTE_USE_REFUND,
}
_REASONS = {
    CreditNoteReason.DUPLICATE: credit_note_pb2.CREDIT_NOTE_REASON_DUPLICATE,
    CreditNoteReason.UNSATISFACTORY: credit_note_pb2.CREDIT_NOTE_REASON_UNSATISFACTORY,
    CreditNoteReason.ORDER_CHANGE: credit_note_pb2.CREDIT_NOTE_REASON_ORDER_CHANGE,
    CreditNoteReason.ORDER_CANCELLATION: credit_note_pb2.CREDIT_NOTE_REASON_ORDER_CANCELLATION,
    CreditNoteReason.FRAUD: credit_note_pb2.CREDIT_NOTE_REASON_FRAUD,
    CreditNoteReason.OTHER: credit_note_pb2.CREDIT_NOTE_REASON_OTHER,
}


def create_credit_note_from_proto(request: Any) -> CreateCreditNote:
    """The command of a creation or of its preview, which have the same fields; raises InvalidInput."""
    with FieldViolations() as fields:
        return CreateCreditNote(
            invoice_id=InvoiceId(fields.read("invoice_id", typed_id("inv"), request.invoice_id)),
            lines=_lines_from_proto(fields, request.lines),
            purpose=fields.read("use", _reading(_PURPOSES, "use"), request.use),
            reason=fields.read("reason", _reading(_REASONS, "reason"), request.reason),
            memo=fields.read("memo", text(0, MAX_MEMO_LENGTH), request.memo),
        )


def credit_note_id_from_proto(value: str) -> CreditNoteId:
    """A note's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return CreditNoteId(fields.read("credit_note_id", typed_id("cn"), value))


def credit_note_to_proto(note: CreditNote) -> credit_note_pb2.CreditNote:
    """The note as the contract shows it."""

    def shown(amount: Decimal) -> Any:
        return money_to_proto(Money(currency=note.currency, amount=amount))

    return credit_note_pb2.CreditNote(
        id=note.id,
        number=note.number,
        invoice_id=note.invoice_id,
        customer_id=note.customer_id,
        lines=[
            credit_note_pb2.CreditNoteLine(
                invoice_line_id=line.invoice_line_id,
                amount=shown(line.amount),
                tax_amount=shown(line.tax_amount),
            )
            for line in note.lines
        ],
        total=shown(note.total),
        use=_PURPOSES[note.purpose],
        reason=_REASONS[note.reason],
        memo=note.memo,
        created_at=timestamp_to_proto(note.created_at),
        subtotal=shown(note.subtotal),
        taxes=[tax_to_proto(note.tax, shown(note.total - note.tax_amount), shown(note.tax_amount))],
    )


def _lines_from_proto(fields: FieldViolations, lines: Iterable[Any]) -> dict[LineId, Money]:
    wanted: dict[LineId, Money] = {}
    for index, line in enumerate(lines):
        at = f"lines[{index}]"
        if index == MAX_LINES:
            fields.add("lines", f"must have at most {MAX_LINES} items; make several notes")
            break
        line_id = LineId(
            fields.read(f"{at}.invoice_line_id", typed_id("line"), line.invoice_line_id)
        )
        amount = fields.read(f"{at}.amount", _positive_money, line.amount)
        if line_id in wanted:
            fields.add(f"{at}.invoice_line_id", f"{line_id} is named twice; add the amounts up")
        wanted[line_id] = amount
    return wanted


def _positive_money(value: Any) -> Money:
    found = money(value)
    if found.amount <= 0:
        raise ValueError("must be more than 0: a credit note gives back")
    return found


def _reading(known: Mapping[_Known, int], name: str) -> Callable[[int], _Known]:
    by_number = {number: value for value, number in known.items()}

    def read(value: int) -> _Known:
        if value not in by_number:
            raise ValueError(f"must say the {name}: one of {', '.join(known)}")
        return by_number[value]

    return read
