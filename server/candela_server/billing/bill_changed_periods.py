"""Adds to invoices what changes in the middle of a period cost or give back (SEAT-1, SUB-6).

Every invoice of a subscription that was ever changed looks at the periods that a change cut; what is found is the
difference to all that was billed of them, on drafts too. So it is on one invoice, whichever comes first: the one that a
change asks for at once, or the next regular one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.catalog.price import ComponentKind
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.reschedule import BILLED

from . import credit_note_store
from .bill_periods import REMEMBERED, Context, read_billed_lines
from .model import InvoiceLine, LineId
from .rules.cut_period import OF_PERIOD, cut_difference
from .rules.cut_period import Cut as _Cut
from .rules.late_usage import within_total


async def with_changed_periods(
    tx: Tx,
    context: Context,
    lines: Mapping[SubscriptionId, list[InvoiceLine]],
    *,
    now: datetime,
) -> dict[SubscriptionId, list[InvoiceLine]]:
    """The lines of each subscription's new invoice with the differences of its cut periods behind them.

    What the invoice cannot give back, the next one does.
    """
    since = now - REMEMBERED
    changed = [
        one_id
        for one_id in lines
        if any(one.version.valid_from > since for one in context.histories[one_id][1:])
    ]
    found = dict(lines)
    if not changed:
        return found
    offers = await catalog.get_offers(
        tx, sorted({_key(one) for one_id in changed for one in context.histories[one_id]})
    )
    billed = await read_billed_lines(tx, changed, now)
    before = {one_id: [one.line for one in billed.get(one_id, ())] for one_id in changed}
    credited = await credit_note_store.sum_credited_of_lines(
        tx, [line.id for some in before.values() for line in some if line.kind in OF_PERIOD]
    )
    for one_id in changed:
        history, due = context.histories[one_id], lines[one_id]
        known = [*before[one_id], *due]
        cuts = {
            (cut.component.id, cut.period.start_at): cut
            for cut in sorted(_cuts(history, offers, since), key=lambda one: one.at, reverse=True)
        }
        made = []
        for cut in sorted(
            cuts.values(),
            key=lambda one: (one.period.start_at, one.offer.price.id, one.component.position),
        ):
            line = cut_difference(LineId(new_id("line")), history, cut, known, credited)
            if line is not None:
                made.append(line)
        if not due and sum(line.amount for line in made) <= 0:
            # No invoice that only gives back; the next one does.
            continue
        kept = [line for line in within_total(due, made) if line.amount]
        found[one_id] = [*due, *kept]
    return found


def _cuts(
    history: Sequence[Subscription],
    offers: Mapping[catalog.OfferKey, Offer],
    since: datetime,
) -> Iterator[_Cut]:
    """The periods of what is not usage within which a version began, of what was held before it or after."""
    for before, after in pairwise(history):
        at = after.version.valid_from
        if at <= since:
            continue
        for one in (before, after):
            if one.version.status not in BILLED or at < one.anchor_at:
                continue
            offer = offers[_key(one)]
            for component in offer.price.components:
                if component.kind is ComponentKind.USAGE:
                    continue
                rule = component.recurrence_in(one.time_zone)
                number = rule.period_number_at(one.anchor_at, at)
                period = rule.period(one.anchor_at, number)
                if period.start_at < at:
                    yield _Cut(
                        component=component,
                        offer=offer,
                        anchor_at=one.anchor_at,
                        number=number,
                        period=period,
                        at=at,
                    )


def _key(one: Subscription) -> catalog.OfferKey:
    return one.version.plan_version_id, one.version.price_id
