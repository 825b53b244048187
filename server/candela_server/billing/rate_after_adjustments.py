"""Rates what falls due with the adjustments that are on the same invoice (DSL-3, DSL-10, EVT-9).

What late usage changes in a closed period is known only when it is known what the invoice bills besides, because both
draw from the same grants. But the next part of that period goes on from the tiers, the free units and the packages that
the closed one has reached with it, and a commitment is filled by it. The invoice that says the one says the other:
nothing would look at it again once the closed period is adjusted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .bill_late_usage import LateUsage
from .bill_periods import rate_invoices
from .billing_context import Context
from .model import InvoiceLine, LineKind
from .other_lines import follows_others
from .rules.kept_ids import with_kept_ids
from .wanted_invoice import WantedInvoice


async def rated_after_adjustments(
    tx: Tx,
    events: EventStore,
    context: Context,
    wanted: Sequence[WantedInvoice],
    made: Sequence[Sequence[InvoiceLine]],
    late: LateUsage,
    *,
    seen_at: datetime,
) -> LateUsage:
    """The same invoices; the lines that were `made` of what is wanted are rated again where adjustments matter to them.

    What these lines draw from grants stays: adjustments draw only what they leave.
    """
    adjusted = {
        one_id: [line for line in lines if line.kind is LineKind.ADJUSTMENT]
        for one_id, lines in late.lines.items()
    }
    holders = {
        context.subscriptions[one.subscription_id].customer_id
        for one in wanted
        if adjusted[one.subscription_id] and follows_others(context, one)
    }
    # All that a customer has, because its grants pay for all of it.
    again = [
        (one, lines)
        for one, lines in zip(wanted, made, strict=True)
        if context.subscriptions[one.subscription_id].customer_id in holders
    ]
    if not again:
        return late
    found = await rate_invoices(
        tx, events, context, [one for one, _ in again], seen_at=seen_at, adjusted=adjusted
    )
    before: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    after: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    for (one, first), lines in zip(again, found, strict=True):
        before[one.subscription_id] += first
        after[one.subscription_id] += lines
    return replace(
        late,
        lines={
            one_id: [*with_kept_ids(before[one_id], after[one_id]), *lines[len(before[one_id]) :]]
            if one_id in after
            else lines
            for one_id, lines in late.lines.items()
        },
    )
