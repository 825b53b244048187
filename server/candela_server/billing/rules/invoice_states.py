"""An invoice's life as one table: what may be done in which state, and what the state is afterwards (INV-1, INV-7).

Whatever is not in the table is refused by name. The database holds the same table (candela_freeze_invoice).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from candela_server.billing.model import Invoice, InvoiceStatus, InvoiceTransitionRefusedError


class InvoiceAct(StrEnum):
    """What is done with an invoice; the word is that of the refusal: "cannot be voided"."""

    FINALIZE = "finalized"
    RENDER = "rendered"
    PAY = "paid"
    VOID = "voided"
    WRITE_OFF = "written off"
    REISSUE = "reissued"
    REDUCE = "reduced by a credit note"
    CREDIT = "credited to the customer's account"
    REFUND = "refunded"


_DRAFT, _FINALIZED, _PAID, _VOID, _UNCOLLECTIBLE = InvoiceStatus
TRANSITIONS: Final[Mapping[tuple[InvoiceStatus, InvoiceAct], InvoiceStatus]] = MappingProxyType(
    {
        (_DRAFT, InvoiceAct.FINALIZE): _FINALIZED,
        (_FINALIZED, InvoiceAct.RENDER): _FINALIZED,
        (_FINALIZED, InvoiceAct.PAY): _PAID,
        (_FINALIZED, InvoiceAct.VOID): _VOID,
        (_FINALIZED, InvoiceAct.WRITE_OFF): _UNCOLLECTIBLE,
        (_FINALIZED, InvoiceAct.REISSUE): _VOID,
        (_FINALIZED, InvoiceAct.REDUCE): _FINALIZED,
        (_PAID, InvoiceAct.RENDER): _PAID,
        (_PAID, InvoiceAct.CREDIT): _PAID,
        (_PAID, InvoiceAct.REFUND): _PAID,
        (_VOID, InvoiceAct.RENDER): _VOID,
        # One that was voided without a successor can get it later; invoice_reissue sees that it is one.
        (_VOID, InvoiceAct.REISSUE): _VOID,
        (_UNCOLLECTIBLE, InvoiceAct.RENDER): _UNCOLLECTIBLE,
    }
)
_ADVICE: Final = MappingProxyType(
    {
        _DRAFT: "finalize it first",
        _FINALIZED: "void it, reduce it, or wait until it is paid",
        _PAID: "add a credit note",
        _VOID: "ReissueInvoice makes a new draft of its periods",
        _UNCOLLECTIBLE: "nothing is done with it any more",
    }
)


def after(invoice: Invoice, act: InvoiceAct) -> InvoiceStatus:
    """The state after an act. Raises InvoiceTransitionRefusedError for what the table does not have."""
    status = TRANSITIONS.get((invoice.status, act))
    if status is None:
        raise InvoiceTransitionRefusedError(
            invoice.id, invoice.status, act, _ADVICE[invoice.status]
        )
    return status
