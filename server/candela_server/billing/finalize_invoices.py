"""Ends drafts' grace: they are rated a last time, their credits drawn, numbered and frozen (INV-3, INV-4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from candela_server.credit.draw_credits import draw_credits
from candela_server.credit.lapse_grants import lapse_grants
from candela_server.credit.model import CreditGrant, GrantId, LineDraw
from candela_server.customer.address_json import address_to_json
from candela_server.customer.model import Customer
from candela_server.merchant import read as merchant
from candela_server.merchant.model import Merchant, TestClockId
from candela_server.merchant.numbering import Series
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Postgres, Tx
from candela_server.subscription.rules.credits_held import counts_for
from candela_server.subscription.rules.reschedule import ENDED

from . import lapse_store, store
from .account import pay_from_accounts
from .billing_context import Context, read_context
from .failure_store import Work
from .give_back_days import give_back_days
from .model import Invoice, InvoiceFinalizedError, InvoiceId, InvoiceStatus, LineKind
from .number_documents import number_documents
from .pass_by_failures import Attempt, Passing
from .rate_drafts_again import rated_again
from .read import get_invoice
from .rules.payment_terms import due_at
from .tax_settings import TaxSettings

CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Finalized:
    """How many drafts a run finalized, and those that were left, each with its reason."""

    count: int
    failures: Mapping[str, str]


async def finalize_due(
    db: Postgres,
    events: EventStore,
    merchant_id: str,
    *,
    now: datetime,
    test_clock_id: TestClockId | None = None,
    chunk: int = CHUNK,
    again: bool = False,
) -> Finalized:
    """Finalizes a merchant's drafts whose grace is over at `now`; one that fails is left for later.

    `again` tries at once what failed before and waits to be tried again.
    """
    passing = Passing(
        db,
        merchant_id,
        Work.DRAFT,
        now=now,
        chunk=chunk,
        passes_by=test_clock_id is None,
        again=again,
    )

    async def finalize_chunk(tx: Tx, attempt: Attempt) -> int:
        drafts = await store.lock_drafts_to_finalize(
            tx,
            until=now,
            test_clock_id=test_clock_id,
            limit=attempt.limit,
            passing_by=attempt.passing_by,
        )
        attempt.took = [draft.id for draft in drafts]
        await _finalize(tx, events, drafts, now)
        return len(drafts)

    count = 0
    while done := await passing.do(finalize_chunk):
        count += done
    return Finalized(count, passing.failures)


async def finalize_invoice(
    tx: Tx, events: EventStore, invoice_id: InvoiceId, *, now: datetime
) -> Invoice:
    """Finalizes one draft ahead of its grace. Raises InvoiceNotFoundError and InvoiceFinalizedError."""
    draft = await get_invoice(tx, invoice_id, lock=True)
    if draft.status is not InvoiceStatus.DRAFT:
        raise InvoiceFinalizedError(draft)
    return (await _finalize(tx, events, [draft], now))[0]


async def finalized(
    tx: Tx,
    seller: Merchant,
    context: Context,
    drafts: Sequence[Invoice],
    now: datetime,
) -> list[Invoice]:
    """The drafts with their numbers, frozen, in the same order; the numbers are taken from now on.

    What the lines draw from grants is posted. Credit on the customer's account pays first. One on which nothing is due
    is paid at once (SUB-2).
    """
    if not drafts:
        return []
    await draw_credits(
        tx,
        [
            LineDraw(grant_id=draw.grant_id, amount=draw.amount, invoice_line_id=line.id, at=now)
            for draft in drafts
            for line in draft.lines
            if line.kind is not LineKind.ADJUSTMENT  # posted when it was made
            for draw in line.draws
        ],
    )
    # Before the numbers: their row is locked by whoever takes them, and should be for as short as possible.
    due = await pay_from_accounts(tx, drafts, now)
    numbers = await number_documents(tx, seller, Series.INVOICE, len(drafts), at=now)
    return [
        replace(
            draft,
            number=number,
            status=InvoiceStatus.FINALIZED if due[draft.id] else InvoiceStatus.PAID,
            amount_due=due[draft.id],
            finalizes_at=None,
            finalized_at=now,
            due_at=due_at(seller, context.customers[draft.customer_id], draft.time_zone, now),
            ended_at=None if due[draft.id] else now,
            seller=_seller(seller, context.tax_settings),
            buyer=_party(context.customers[draft.customer_id]),
        )
        for draft, number in zip(drafts, numbers, strict=True)
    ]


async def _finalize(
    tx: Tx, events: EventStore, drafts: Sequence[Invoice], now: datetime
) -> list[Invoice]:
    if not drafts:
        return []
    seller = await merchant.get_merchant(tx)
    context = await read_context(tx, sorted({draft.of_subscription for draft in drafts}), until=now)
    rated = await rated_again(tx, events, context, drafts, now)
    frozen = await finalized(tx, seller, context, rated, now)
    await store.replace_drafts(tx, frozen)
    lapsed = _lapsed(context, frozen)
    # What still waits for an earlier part lapses once that is billed (expire_lapsed.py).
    awaited = await lapse_store.list_awaited(tx, [one.id for one in lapsed])
    await lapse_grants(tx, [one for one in lapsed if one.id not in awaited], at=now)
    await give_back_days(tx, context, context.subscriptions, now=now)
    await tx.audit_many(
        "invoice.finalized",
        [
            (
                after.id,
                {"status": before.status, "total": before.total},
                {"status": after.status, "total": after.total, "number": after.number},
            )
            for before, after in zip(drafts, frozen, strict=True)
        ],
    )
    await tx.entitlements_changed_of(invoice.customer_id for invoice in frozen)
    return frozen


def _lapsed(context: Context, invoices: Sequence[Invoice]) -> list[CreditGrant]:
    """The grants that no later invoice can draw from, with what these invoices left of them.

    A grant lapses when it ends with a period that is now invoiced and that it could pay for, or when that period was
    the last one of the terms that it came with. One of an earlier period stays: its own invoice may still be a draft,
    whatever order the drafts are finalized in.
    """
    drawn: defaultdict[GrantId, Decimal] = defaultdict(Decimal)
    for invoice in invoices:
        for line in invoice.lines:
            if line.kind is LineKind.ADJUSTMENT:
                continue
            for draw in line.draws:
                drawn[draw.grant_id] += draw.amount
    lapsed: dict[GrantId, CreditGrant] = {}
    for invoice in invoices:
        used = {
            (line.metric_id, line.period) for line in invoice.lines if line.kind is LineKind.USAGE
        }
        for grant in context.grants.get(invoice.customer_id, ()):
            of_this = grant.subscription_id == invoice.subscription_id
            held = context.subscriptions[invoice.of_subscription]
            over = grant.definition_id is not None and (
                held.version.status in ENDED or not counts_for(grant, held, context.offers[held.id])
            )
            if of_this and any(
                grant.metric_id == metric_id
                and grant.covers(period)
                and (grant.expires_at == period.end_at or over)
                for metric_id, period in used
            ):
                lapsed[grant.id] = replace(grant, balance=grant.balance - drawn[grant.id])
    return list(lapsed.values())


def _seller(seller: Merchant, settings: TaxSettings) -> dict[str, Any]:
    return {
        "name": seller.name,
        "business_name": settings.seller_business_name or None,
        "tax_id": settings.seller_tax_id or None,
        "address": address_to_json(settings.seller_address),
    }


def _party(buyer: Customer) -> dict[str, Any]:
    return {
        "name": buyer.name,
        "business_name": buyer.business_name,
        "tax_id": buyer.tax_id,
        "email": buyer.email,
        "address": address_to_json(buyer.address),
    }
