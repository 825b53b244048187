"""Rates drafts once more as their grace ends: with all usage until then, and else as they were made (INV-3, DSL-10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx

from .bill_periods import rate_invoices
from .billed_before import REMEMBERED
from .billing_context import Context
from .draw_money import Charges, with_monetary_credits
from .model import Invoice, InvoiceLine
from .rules.counted_on import given_back
from .rules.cut_commitment import is_true_up_of
from .rules.kept_ids import with_kept_ids
from .rules.late_usage import within_total
from .rules.tax_amount import taxed
from .rules.threshold import still_taken_off
from .settle_commitments import Making, with_commitments_that_bear
from .wanted_drafts import FOLLOWING, wanted_of


async def rated_again(
    tx: Tx, events: EventStore, context: Context, drafts: Sequence[Invoice], now: datetime
) -> list[Invoice]:
    """The drafts with the lines that all events up to now make; other lines come out as they were.

    A draft is rated by the price and the quantities that it was made with, whatever the subscription changed to since;
    its tax is that of now, of the buyer as the invoice will print it.
    Adjustments stay as they are: another invoice may have been made meanwhile that counts on them.
    """
    wanted = await wanted_of(tx, context, drafts)
    lines = iter(
        await rate_invoices(
            tx, events, context, [one for some in wanted for one in some], seen_at=now
        )
    )
    rated = [
        with_kept_ids(draft.lines, [line for _ in some for line in next(lines)])
        for draft, some in zip(drafts, wanted, strict=True)
    ]
    kept = [_adjustments(context, draft, now) for draft in drafts]

    def make(counted: Sequence[Decimal]) -> list[Making]:
        # As when they were drafted: what is missing to a commitment bears what is given back.
        return [
            Making(
                subscription_id=draft.of_subscription,
                id=draft.id,
                lines=[
                    *made,
                    *within_total(made, still_taken_off(following, made), to_come=to_come),
                ],
            )
            for draft, made, following, to_come in zip(drafts, rated, kept, counted, strict=True)
        ]

    settled = await with_commitments_that_bear(
        tx, context, make, [given_back(some) for some in kept], now=now
    )
    charged = [
        Charges(context.subscriptions[draft.of_subscription], with_kept_ids(draft.lines, made))
        for draft, made in zip(drafts, settled, strict=True)
    ]
    found = await with_monetary_credits(tx, charged, made_at=now)
    return [
        taxed(
            replace(draft, lines=tuple(made)),
            context.customers[draft.customer_id],
            context.tax_settings,
        )
        for draft, made in zip(drafts, found, strict=True)
    ]


def _adjustments(context: Context, draft: Invoice, now: datetime) -> list[InvoiceLine]:
    """What is kept; what corrects a commitment that changes cut is found again, by what usage comes to now."""
    cut = context.cut_commitments(draft.of_subscription, now - REMEMBERED)
    return [
        line
        for line in draft.lines
        if line.kind in FOLLOWING and not any(is_true_up_of(line, one) for one in cut)
    ]
