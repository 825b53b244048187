"""Adds to invoices what changed in periods that are closed: late events and corrections (EVT-9, EVT-4).

Few periods are looked at: those that ingestion, or whoever corrects events, noted as changed; those that were billed
within minutes of their end, when nothing is noted yet; and, on test clocks, all. Each is rated anew by its own terms as
a whole, and only the difference to what all its lines say goes on the invoice that is being made. A look too many
costs a query; it never bills anything twice.

Whoever stores what is found holds the subscriptions' locks, so that two invoices of one never bill the same
difference, and posts with it at once what adjustments draw from grants, because the next look counts on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from candela_server.credit.draw_credits import LateDraw
from candela_server.credit.model import GrantId
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from . import billed_store
from .adjust_closed_periods import adjustments_of
from .billed_before import reach_of, read_billed_lines, read_voided_lines
from .billed_store import ClosedPeriod
from .billing_context import Context, with_ended_grants
from .model import InvoiceLine, LineKind
from .read_closed_periods import periods_to_compare, read_closed_periods
from .rules.late_draws import count_draws
from .rules.late_usage import borne


@dataclass(frozen=True, slots=True)
class WithLateUsage:
    """The lines of each subscription's new invoice, adjustments of closed periods after the others, and what the
    adjustments draw."""

    lines: Mapping[SubscriptionId, list[InvoiceLine]]
    draws: Sequence[LateDraw] = ()


@dataclass(frozen=True, slots=True)
class LateUsage:
    """The same before it is known how much each invoice can give back."""

    lines: Mapping[SubscriptionId, Sequence[InvoiceLine]]
    context: Context
    at: datetime

    def borne(self, to_come: Mapping[SubscriptionId, Decimal]) -> WithLateUsage:
        """What the invoices bear, of late usage and of changes; `to_come` is what will be on them besides.

        The rest comes back by what follows them: see docs/giving-back.md.
        """
        found = {
            one_id: borne(
                some, to_come=to_come.get(one_id, Decimal(0)), returning=self._open_grants(one_id)
            )
            for one_id, some in self.lines.items()
        }
        adjusted = [
            line for some in found.values() for line in some if line.kind is LineKind.ADJUSTMENT
        ]
        return WithLateUsage(found, _draws(self.context, adjusted))

    def _open_grants(self, one_id: SubscriptionId) -> set[GrantId]:
        """The grants that can use what comes back to them, where no later invoice says it: after the end."""
        held = self.context.subscriptions[one_id]
        if held.version.status not in ENDED:
            return set()
        return {
            grant.id
            for grant in self.context.grants.get(held.customer_id, ())
            if grant.expires_at is None or grant.expires_at > self.at
        }


async def look_at_late_usage(
    tx: Tx,
    events: EventStore,
    context: Context,
    lines: Mapping[SubscriptionId, list[InvoiceLine]],
    *,
    seen_at: datetime,
    on_test_clock: bool,
) -> LateUsage:
    """Adds adjustments to the lines of each subscription's new invoice; writes nothing."""
    closed = await periods_to_compare(
        tx, context, sorted(lines), seen_at, on_test_clock=on_test_clock
    )
    if not closed:
        return LateUsage(lines, context, seen_at)
    # What paid for a closed period has most often ended with it.
    context = await with_ended_grants(
        tx,
        context,
        sorted({one.customer_id for one in closed}),
        since=min(one.period.start_at for one in closed),
        until=seen_at,
    )
    known = await read_closed_periods(tx, events, context, closed, seen_at)
    ids = sorted({one.subscription_id for one in closed})
    reach = reach_of(offer.price for offer in known.offers.values())
    billed = await read_billed_lines(tx, ids, seen_at, reach)
    voided: Mapping[SubscriptionId, Sequence[InvoiceLine]] = {}
    if any(offer.price.minimum_commitment for offer in known.offers.values()):
        voided = await read_voided_lines(tx, ids, seen_at, reach)
    drawn = await billed_store.sum_draws(tx, {one.customer_id for one in closed})
    for due in lines.values():
        # What they draw is not free for a closed period.
        count_draws(drawn, due)
    by_subscription: defaultdict[SubscriptionId, list[ClosedPeriod]] = defaultdict(list)
    for one in closed:
        by_subscription[one.subscription_id].append(one)
    found: dict[SubscriptionId, Sequence[InvoiceLine]] = dict(lines)
    for one_id, periods in by_subscription.items():
        due, held = lines[one_id], context.subscriptions[one_id]
        made = adjustments_of(
            known, held, periods, billed[one_id], voided.get(one_id, ()), due, drawn
        )
        found[one_id] = [*due, *made]
    return LateUsage(found, context, seen_at)


def _draws(context: Context, posted: Sequence[InvoiceLine]) -> list[LateDraw]:
    grants = {grant.id: grant for some in context.grants.values() for grant in some}
    return [
        LateDraw(grant=grants[draw.grant_id], amount=draw.amount, invoice_line_id=line.id)
        for line in posted
        for draw in line.draws
    ]
