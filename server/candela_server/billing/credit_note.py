"""What exists of corrections: credit notes and their lines, offline payments, refunds (INV-6, INV-7)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from candela_server.credit.model import GrantId
from candela_server.customer.model import CustomerId
from candela_server.kernel.errors import NotFound, Reason, Refused
from candela_server.kernel.money import format_decimal

from .model import InvoiceId, LineId, TaxTerms

CreditNoteId = NewType("CreditNoteId", str)
PaymentId = NewType("PaymentId", str)
RefundId = NewType("RefundId", str)


class Purpose(StrEnum):
    """What becomes of a credit note's amount: the contract's CreditNoteUse."""

    REDUCE_DUE = "reduce_due"
    CREDIT_BALANCE = "credit_balance"
    REFUND = "refund"


class CreditNoteReason(StrEnum):
    """Why a credit note was made."""

    DUPLICATE = "duplicate"
    UNSATISFACTORY = "unsatisfactory"
    ORDER_CHANGE = "order_change"
    ORDER_CANCELLATION = "order_cancellation"
    FRAUD = "fraud"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteLine:
    """What is taken back of one invoice line: an amount as the line's own, and the tax that goes with it."""

    invoice_line_id: LineId
    amount: Decimal
    tax_amount: Decimal


@dataclass(frozen=True, slots=True)
class CreditedOfLine:
    """What notes gave back for days of a line that were not used, and what others took off it for whatever reason."""

    for_days: Decimal = Decimal(0)
    otherwise: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class UsageTakenBack:
    """Of which line's period a note gives back usage that was taken back, and how much less was used, as 0 or less.

    Of several notes for one correction, one says how much.
    """

    line_id: LineId
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNote:
    """A correction of a finalized invoice; a document that never changes. One that is only shown has no id.

    `unused_days_of` is the line whose days it gives back, where the end of a subscription made it by itself; the lines
    that it takes them off may be others. So it is with `usage`, where a correction after the end made it (EVT-9).
    """

    id: CreditNoteId
    number: str
    invoice_id: InvoiceId
    customer_id: CustomerId
    currency: str
    tax: TaxTerms
    lines: tuple[CreditNoteLine, ...]
    purpose: Purpose
    reason: CreditNoteReason
    memo: str
    grant_id: GrantId | None
    created_at: datetime
    unused_days_of: LineId | None = None
    usage: UsageTakenBack | None = None

    @property
    def subtotal(self) -> Decimal:
        """The sum of the lines: before tax, or with it when it is inclusive."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def tax_amount(self) -> Decimal:
        """The tax that is taken back."""
        return sum((line.tax_amount for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        """The sum of the lines with their tax."""
        return self.subtotal if self.tax.inclusive else self.subtotal + self.tax_amount


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflinePayment:
    """Money that came from outside for one invoice, as the merchant recorded it."""

    id: PaymentId
    invoice_id: InvoiceId
    amount: Decimal
    paid_at: datetime
    reference: str
    created_at: datetime


class RefundStatus(StrEnum):
    """Where a refund stands; one of an offline payment is paid back by the merchant."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money to be paid back because of a credit note."""

    id: RefundId
    payment_id: PaymentId
    credit_note_id: CreditNoteId
    amount: Decimal
    status: RefundStatus
    created_at: datetime


class CreditNoteNotFoundError(NotFound):
    """No credit note of this merchant has the id."""

    reason = Reason.CREDIT_NOTE_NOT_FOUND

    def __init__(self, credit_note_id: str) -> None:
        super().__init__(
            f"no credit note {credit_note_id}; ListCreditNotes shows what exists",
            credit_note_id=credit_note_id,
        )


class CreditNoteExceedsLineError(Refused):
    """More would be taken back of a line than earlier notes left of it."""

    reason = Reason.CREDIT_NOTE_EXCEEDS_LINE

    def __init__(self, line_id: str, remaining: Decimal, currency: str) -> None:
        super().__init__(
            f"line {line_id} has {format_decimal(remaining)} {currency} left to credit, before tax; "
            "credit at most that",
            line_id=line_id,
            remaining=remaining,
        )


class NothingToCreditError(Refused):
    """Earlier notes took back all that the invoice asked for, or it asked for nothing."""

    reason = Reason.CREDIT_NOTE_EXCEEDS_LINE

    def __init__(self, invoice_id: InvoiceId) -> None:
        super().__init__(
            f"nothing of invoice {invoice_id} is left to credit; ListCreditNotes shows what was",
            invoice_id=invoice_id,
            remaining=Decimal(0),
        )


class RefundExceedsPaymentError(Refused):
    """More would be paid back than was paid in money and is not paid back yet."""

    reason = Reason.REFUND_EXCEEDS_PAYMENT

    def __init__(self, payment_id: str, remaining: Decimal, currency: str) -> None:
        super().__init__(
            f"{format_decimal(remaining)} {currency} of what was paid is left to refund; refund at "
            "most that, or credit the rest to the customer's account",
            payment_id=payment_id,
            remaining=remaining,
        )
