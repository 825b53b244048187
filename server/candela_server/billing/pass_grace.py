"""Finalizes a subscription's drafts before their time, for who only looks at what comes after them (INV-3, SUB-6).

The caller must roll back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from . import store
from .finalize_invoices import finalize_invoice
from .model import InvoiceStatus

_MAX_DRAFTS: Final = 60
"""How many drafts of a subscription are looked at; a grace holds one or two."""


async def pass_grace(
    tx: Tx, events: EventStore, subscription_id: SubscriptionId, *, until: datetime | None = None
) -> datetime | None:
    """Each draft is finalized as its grace is over, if that is by `until`; the last of these instants, None for none.

    So what was charged on one can be given back.
    """
    drafts = await store.page_invoices(
        tx,
        customer_id=None,
        subscription_id=subscription_id,
        statuses=[InvoiceStatus.DRAFT],
        limit=_MAX_DRAFTS,
        after=None,
    )
    last = None
    for draft in drafts:
        if draft.finalizes_at is not None and (until is None or draft.finalizes_at <= until):
            last = draft.finalizes_at
            await finalize_invoice(tx, events, draft.id, now=last)
    return last
