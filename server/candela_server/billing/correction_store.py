"""Every SQL text over what is done about finalized invoices, except credit notes; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.credit.model import Draw, GrantId
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .credit_note import OfflinePayment, Refund
from .model import Invoice, InvoiceId


async def update_standing(tx: Tx, invoice: Invoice) -> None:
    """Writes what alone may change of a finalized invoice: its state, what is still due, and when it ended."""
    await tx.execute(
        """
        UPDATE invoice SET status = $3, amount_due = $4, ended_at = $5
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        invoice.id,
        invoice.status,
        invoice.amount_due,
        invoice.ended_at,
    )


async def void_lines(tx: Tx, invoice_id: InvoiceId) -> None:
    """Lets a void invoice's lines bill nothing any more, so that their periods can be billed again."""
    await tx.execute(
        "UPDATE invoice_line SET voided = true WHERE merchant_id = $1 AND invoice_id = $2",
        tx.merchant_id,
        invoice_id,
    )


async def lock_final_invoices(tx: Tx, subscription_id: SubscriptionId) -> None:
    """Locks a subscription's invoices that credit notes can correct, in the order of their ids."""
    await tx.execute(
        """
        SELECT FROM invoice
        WHERE merchant_id = $1 AND subscription_id = $2 AND status IN ('finalized', 'paid')
        ORDER BY id FOR UPDATE
        """,
        tx.merchant_id,
        subscription_id,
    )


async def list_voided_of(tx: Tx, *, since: datetime) -> set[SubscriptionId]:
    """The subscriptions of which an invoice was voided after an instant."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT subscription_id FROM invoice
        WHERE merchant_id = $1 AND status = 'void' AND ended_at > $2 AND subscription_id IS NOT NULL
        """,
        tx.merchant_id,
        since,
    )
    return {SubscriptionId(row["subscription_id"]) for row in rows}


async def insert_reissue(tx: Tx, voided_id: InvoiceId, draft_id: InvoiceId) -> None:
    """Stores which draft took a void invoice's place."""
    await tx.execute(
        "INSERT INTO invoice_reissue (merchant_id, voided_id, draft_id) VALUES ($1, $2, $3)",
        tx.merchant_id,
        voided_id,
        draft_id,
    )


async def find_reissue(tx: Tx, voided_id: InvoiceId) -> InvoiceId | None:
    """The draft that took a void invoice's place."""
    found: InvoiceId | None = await tx.fetchval(
        "SELECT draft_id FROM invoice_reissue WHERE merchant_id = $1 AND voided_id = $2",
        tx.merchant_id,
        voided_id,
    )
    return found


async def insert_offline_payment(tx: Tx, payment: OfflinePayment) -> None:
    """Stores that an invoice was paid outside."""
    await tx.execute(
        """
        INSERT INTO offline_payment (merchant_id, id, invoice_id, amount, paid_at, reference,
                                     created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        tx.merchant_id,
        payment.id,
        payment.invoice_id,
        payment.amount,
        payment.paid_at,
        payment.reference,
        payment.created_at,
    )


async def find_offline_payment(tx: Tx, invoice_id: InvoiceId) -> OfflinePayment | None:
    """How an invoice was paid outside."""
    row = await tx.fetchrow(
        """
        SELECT id, invoice_id, amount, paid_at, reference, created_at FROM offline_payment
        WHERE merchant_id = $1 AND invoice_id = $2
        """,
        tx.merchant_id,
        invoice_id,
    )
    return _payment_from_row(row) if row else None


async def insert_refund(tx: Tx, refund: Refund) -> None:
    """Stores money to be paid back."""
    await tx.execute(
        """
        INSERT INTO refund (merchant_id, id, payment_id, credit_note_id, amount, status, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        tx.merchant_id,
        refund.id,
        refund.payment_id,
        refund.credit_note_id,
        refund.amount,
        refund.status,
        refund.created_at,
    )


async def sum_refunds(tx: Tx, payment_id: str) -> Decimal:
    """What is paid back of a payment, or on its way."""
    total: Decimal = await tx.fetchval(
        """
        SELECT COALESCE(sum(amount), 0) FROM refund
        WHERE merchant_id = $1 AND payment_id = $2 AND status IN ('pending', 'succeeded')
        """,
        tx.merchant_id,
        payment_id,
    )
    return total


async def insert_account_draws(tx: Tx, draws: Sequence[tuple[InvoiceId, Draw]]) -> None:
    """Stores what credit on account paid of invoices; negative amounts give it back."""
    await tx.executemany(
        """
        INSERT INTO account_draw (merchant_id, id, invoice_id, grant_id, amount)
        VALUES ($1, $2, $3, $4, $5)
        """,
        [
            (tx.merchant_id, new_id("adr"), invoice_id, draw.grant_id, draw.amount)
            for invoice_id, draw in draws
        ],
    )


async def list_account_draws(tx: Tx, invoice_id: InvoiceId) -> list[Draw]:
    """What credit on account pays of an invoice, after what was given back; in the order of drawing."""
    rows = await tx.fetch(
        """
        SELECT grant_id, sum(amount) AS amount FROM account_draw
        WHERE merchant_id = $1 AND invoice_id = $2
        GROUP BY grant_id HAVING sum(amount) > 0 ORDER BY min(id)
        """,
        tx.merchant_id,
        invoice_id,
    )
    return [Draw(row["grant_id"], row["amount"]) for row in rows]


async def sum_first_draws(tx: Tx, invoice_id: InvoiceId) -> Decimal:
    """What credit on account paid of an invoice when it was finalized, whatever was given back since."""
    total: Decimal = await tx.fetchval(
        """
        SELECT COALESCE(sum(amount), 0) FROM account_draw
        WHERE merchant_id = $1 AND invoice_id = $2 AND amount > 0
        """,
        tx.merchant_id,
        invoice_id,
    )
    return total


async def list_account_grants(tx: Tx, customer_ids: Sequence[str]) -> dict[str, list[GrantId]]:
    """The grants that hold credit on account, by customer, in the order of their ids."""
    rows = await tx.fetch(
        """
        SELECT customer_id, grant_id FROM credit_note
        WHERE merchant_id = $1 AND customer_id = ANY($2::text[]) AND grant_id IS NOT NULL
        ORDER BY customer_id, grant_id
        """,
        tx.merchant_id,
        list(customer_ids),
    )
    found: dict[str, list[GrantId]] = {}
    for row in rows:
        found.setdefault(row["customer_id"], []).append(row["grant_id"])
    return found


def _payment_from_row(row: Mapping[str, Any]) -> OfflinePayment:
    return OfflinePayment(
        id=row["id"],
        invoice_id=row["invoice_id"],
        amount=row["amount"],
        paid_at=row["paid_at"],
        reference=row["reference"],
        created_at=row["created_at"],
    )
