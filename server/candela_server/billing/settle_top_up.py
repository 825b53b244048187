"""What follows for a pack of credits from what becomes of its invoice (CRD-9).

Whoever lets an invoice be paid, in whatever way, calls `invoice_paid` in the same transaction; whoever lets it never be
paid calls `invoice_ended`. For invoices that sell no pack both do nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from candela_server.credit import read as credit
from candela_server.credit.adjust_grant import correct_by
from candela_server.credit.model import GrantInsufficientError
from candela_server.credit.new_grant import fill_ordered_grant
from candela_server.kernel.currency import minor_digits
from candela_server.storage.postgres import Tx

from . import top_up_store
from .model import Invoice
from .top_up import TopUpStatus

_PLACES: Final = 12
"""A share of units is as fine as a quantity may be."""


async def invoice_paid(tx: Tx, invoice: Invoice, at: datetime) -> None:
    """Lets the credits of a paid pack be used; a second call changes nothing."""
    pack = await top_up_store.find_of_invoice(tx, invoice.id)
    if pack is None or pack.status is not TopUpStatus.PENDING:
        return
    await top_up_store.update_top_up(tx, replace(pack, status=TopUpStatus.PAID, ended_at=at))
    await fill_ordered_grant(tx, pack.grant_id, reason=f"invoice {invoice.number} is paid", at=at)
    await tx.audit("top_up.paid", pack.id, {"status": pack.status}, {"status": TopUpStatus.PAID})
    await tx.entitlements_changed(pack.customer_id)


async def pack_refunded(tx: Tx, invoice: Invoice, refunded: Decimal, at: datetime) -> None:
    """Takes back the share of a paid pack that is paid back of its invoice.

    Raises GrantInsufficientError when more of it is used: only what is unspent is given back money for.
    """
    pack = await top_up_store.find_of_invoice(tx, invoice.id)
    if pack is None or pack.status is not TopUpStatus.PAID:
        return
    grant = await credit.get_grant(tx, pack.grant_id, lock=True)
    places = minor_digits(grant.currency) if grant.currency else _PLACES
    share = Fraction(grant.amount) * Fraction(refunded) / Fraction(invoice.total)
    taken = Decimal((share * 10**places).__floor__()).scaleb(-places)
    if not taken:
        return
    if taken > grant.balance:
        raise GrantInsufficientError(grant.id, grant.balance)
    await correct_by(tx, grant, -taken, reason=f"paid back of invoice {invoice.number}", at=at)
    await tx.entitlements_changed(pack.customer_id)


async def invoice_ended(tx: Tx, invoice: Invoice, why: str, at: datetime) -> None:
    """Gives a pack up whose invoice will never be paid: it was voided, written off, or its payment failed for good.

    When the pack was bought by itself, none is any more until a person looks (the guard rail behind one in flight and
    the monthly cap).
    """
    pack = await top_up_store.find_of_invoice(tx, invoice.id)
    if pack is None or pack.status is not TopUpStatus.PENDING:
        return
    await top_up_store.update_top_up(tx, replace(pack, status=TopUpStatus.ENDED, ended_at=at))
    reason = f"invoice {invoice.number} {why}"
    stopped = pack.automatic and await top_up_store.stop_auto_top_up(
        tx, pack.customer_id, pack.feature_id, reason, at
    )
    await tx.audit(
        "top_up.ended",
        pack.id,
        {"status": pack.status},
        {"status": TopUpStatus.ENDED, "stopped_buying": stopped},
        reason=reason,
    )
