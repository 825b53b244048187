"""Adds to invoices what changes in the middle of a period cost or give back (SEAT-1, SUB-6).

Every invoice of a subscription that was ever changed looks at the periods that a change cut; what is found is the
difference to all that was billed of them, on drafts too. So it is on one invoice, whichever comes first: the one that a
change asks for at once, or the next regular one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from candela_server.catalog.model import Offer
from candela_server.catalog.price import BillingTiming, ComponentId, ComponentKind
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.reschedule import BILLED

from . import credit_note_store
from .billed_before import REMEMBERED, read_billed_lines
from .billing_context import Context
from .credit_note import CreditedOfLine
from .model import BilledLine, InvoiceLine, LineId, LineKind
from .rules.cut_period import OF_PERIOD, cut_difference
from .rules.cut_period import Cut as _Cut


async def with_changed_periods(
    tx: Tx,
    context: Context,
    lines: Mapping[SubscriptionId, list[InvoiceLine]],
    *,
    now: datetime,
) -> dict[SubscriptionId, list[InvoiceLine]]:
    """The lines of each subscription's new invoice with the differences of its cut periods behind them.

    They may give back more than the invoice can bear: only who knows all its lines can tell (`borne`).
    """
    found = dict(lines)
    for one_id, seen in (await look_at_cuts(tx, context, list(lines), now=now)).items():
        found[one_id] = [*lines[one_id], *(line for _, line in seen.differences(lines[one_id]))]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCuts:
    """A changed subscription's cut periods, and all that is billed of it."""

    history: Sequence[Subscription]
    cuts: Sequence[_Cut]
    billed: Sequence[BilledLine]
    credited: Mapping[LineId, CreditedOfLine]
    offer_of: Callable[[Subscription], Offer]

    def differences(self, due: Sequence[InvoiceLine] = ()) -> list[tuple[_Cut, InvoiceLine]]:
        """What each cut period still costs or gives back, besides what `due` bills of it."""
        known = [*(one.line for one in self.billed), *due]
        return [
            (cut, line)
            for cut in self.cuts
            if (
                line := cut_difference(
                    LineId(new_id("line")), self.history, self.offer_of, cut, known, self.credited
                )
            )
        ]


async def look_at_cuts(
    tx: Tx, context: Context, ids: Sequence[SubscriptionId], *, now: datetime
) -> dict[SubscriptionId, SeenCuts]:
    """What is to be known of those of these subscriptions that were ever changed."""
    since = now - REMEMBERED
    changed = [
        one_id
        for one_id in ids
        if any(one.version.valid_from > since for one in context.histories[one_id][1:])
    ]
    if not changed:
        return {}
    billed = await read_billed_lines(tx, changed, now)
    credited = await credit_note_store.sum_credited_of_lines(
        tx, [one.line.id for some in billed.values() for one in some if one.line.kind in OF_PERIOD]
    )
    found = {}
    for one_id in changed:
        history = context.histories[one_id]
        known = [one.line for one in billed.get(one_id, ())]
        cuts = {
            (cut.component.id, cut.period.start_at): cut
            for cut in sorted(
                [*_cuts(history, context, since), *_begun_after(history, context, known, since)],
                key=lambda one: one.at,
                reverse=True,
            )
        }
        found[one_id] = SeenCuts(
            history=history,
            cuts=sorted(
                cuts.values(),
                key=lambda one: (one.period.start_at, one.offer.price.id, one.component.position),
            ),
            billed=billed.get(one_id, ()),
            credited=credited,
            offer_of=context.offer_of,
        )
    return found


def _cuts(history: Sequence[Subscription], context: Context, since: datetime) -> Iterator[_Cut]:
    """The periods of what is not usage that a version began in, of what was held before it or after."""
    for before, after in pairwise(history):
        at = after.version.valid_from
        if at <= since:
            continue
        for one in (before, after):
            if one.version.status not in BILLED or at < one.anchor_at:
                continue
            offer = context.offer_of(one)
            for component in offer.price.components:
                if component.kind is ComponentKind.USAGE:
                    continue
                rule = component.recurrence_in(one.time_zone)
                number = rule.period_number_at(one.anchor_at, at)
                period = rule.period(one.anchor_at, number)
                if period.start_at <= at:
                    yield _Cut(
                        component=component,
                        offer=offer,
                        anchor_at=one.anchor_at,
                        number=number,
                        period=period,
                        at=at,
                    )


def _begun_after(
    history: Sequence[Subscription],
    context: Context,
    known: Sequence[InvoiceLine],
    since: datetime,
) -> Iterator[_Cut]:
    """The billed periods that began when their component was not held any more: a change from before was made late."""
    for line in known:
        at = line.period.start_at
        if line.kind is not LineKind.RECURRING or at <= since:
            continue
        so_far = [one for one in history if one.version.valid_from <= at]
        holders = [
            one
            for one in so_far
            if one.version.status in BILLED
            and any(each.id == line.component_id for each in context.offer_of(one).price.components)
        ]
        if not holders or holders[-1] is so_far[-1]:
            continue
        offer = context.offer_of(holders[-1])
        component = offer.price.component(ComponentId(line.component_id or ""))
        if component.timing is BillingTiming.IN_ADVANCE:
            yield _Cut(
                component=component,
                offer=offer,
                anchor_at=holders[-1].anchor_at,
                number=line.period_number,
                period=line.period,
                at=at,
            )
