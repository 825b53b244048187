"""What others may ask about invoices."""

from __future__ import annotations

from datetime import datetime

from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import due_date_store, failure_store, lapse_store, store, threshold_store, top_up_store
from .failure_store import Work
from .model import Invoice, InvoiceId, InvoiceNotFoundError


async def get_invoice(tx: Tx, invoice_id: InvoiceId, *, lock: bool = False) -> Invoice:
    """The invoice with its lines; locked until commit when asked. Raises InvoiceNotFoundError."""
    found = await store.find_invoice(tx, invoice_id, lock=lock)
    if found is None:
        raise InvoiceNotFoundError(invoice_id)
    return found


async def next_finalization_at(tx: Tx, test_clock_id: TestClockId) -> datetime | None:
    """When the next draft on a test clock is finalized; None when there is none."""
    return await store.next_finalization_at(tx, test_clock_id)


async def list_merchants_with_lapsed(tx: Tx, until: datetime) -> list[str]:
    """The merchants who have grants whose time is over, in any time; in a system transaction."""
    return await lapse_store.list_merchants_with_lapsed(tx, until)


async def list_merchants_buying(tx: Tx) -> list[str]:
    """The merchants of whom a customer buys packs by itself; in a system transaction."""
    return await top_up_store.list_merchants_buying(tx)


async def list_merchants_with_thresholds(tx: Tx) -> list[str]:
    """The merchants who sell usage that is invoiced at a threshold; in a system transaction."""
    return await threshold_store.list_merchants_with_thresholds(tx)


async def list_merchants_with_drafts(tx: Tx, until: datetime) -> list[str]:
    """The merchants who have drafts to finalize in real time; in a system transaction."""
    return await store.list_merchants_with_drafts(tx, until)


async def count_failures(tx: Tx) -> dict[Work, int]:
    """How much the pipeline could not do and tries again later, by kind; in a system transaction."""
    return await failure_store.count_failures(tx)


async def list_merchants_owed(tx: Tx, until: datetime) -> list[str]:
    """The merchants with overdue invoices in real time; in a system transaction."""
    return await due_date_store.list_merchants_owed(tx, until)


async def next_due_date(tx: Tx, test_clock_id: TestClockId, after: datetime) -> datetime | None:
    """When an unpaid invoice on a test clock next falls due."""
    return await due_date_store.next_due_date(tx, test_clock_id, after)
