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
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.credit import read as credit
from candela_server.credit.draw_credits import LateDraw
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.kernel.ids import new_id
from candela_server.metering.model import KnownSpan
from candela_server.metering.note_late_usage import customers_to_look_at, spans_changed
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.reschedule import ENDED

from . import billed_store
from .bill_periods import billed_period, counts_events
from .billed_before import LOOKS_BACK, reach_of, read_billed_lines
from .billed_store import ClosedPeriod
from .billing_context import Context, with_ended_grants
from .measure_usage import Ask, Measured, measure
from .model import BilledLine, InvoiceLine, LineId, LineKind
from .paying_grants import paying
from .rules.late_true_up import true_up_adjustments
from .rules.late_usage import LatePeriod, adjustment_of, borne
from .rules.rate_invoice import InvoiceToRate
from .wanted_invoice import PeriodToBill

HASTY_LOOKS_BACK: Final = timedelta(days=100)
"""The same for periods billed within minutes of their end; longer than events may be late."""

_OF_PERIOD = frozenset({LineKind.USAGE, LineKind.USAGE_CREDIT, LineKind.ADJUSTMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What the closed periods of a chunk are rated by, read for all of them."""

    context: Context
    offers: Mapping[ClosedPeriod, Offer]
    used: Mapping[ClosedPeriod, Measured]
    good_for: Mapping[GrantId, Decimal]
    now: datetime


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

        The next invoice finds the rest.
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
    closed = await _to_compare(tx, context, sorted(lines), seen_at, on_test_clock=on_test_clock)
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
    known = await _read(tx, events, context, closed, seen_at)
    billed = await read_billed_lines(
        tx,
        sorted({one.subscription_id for one in closed}),
        seen_at,
        reach_of(offer.price for offer in known.offers.values()),
    )
    drawn = await billed_store.sum_draws(tx, {one.customer_id for one in closed})
    for due in lines.values():
        # What they draw is not free for a closed period.
        _count_draws(drawn, due)
    by_subscription: defaultdict[SubscriptionId, list[ClosedPeriod]] = defaultdict(list)
    for one in closed:
        by_subscription[one.subscription_id].append(one)
    found: dict[SubscriptionId, Sequence[InvoiceLine]] = dict(lines)
    for one_id, periods in by_subscription.items():
        due, held = lines[one_id], context.subscriptions[one_id]
        made = _adjustments(known, held, periods, billed[one_id], due, drawn)
        found[one_id] = [*due, *made]
    return LateUsage(found, context, seen_at)


async def _to_compare(
    tx: Tx,
    context: Context,
    ids: Sequence[SubscriptionId],
    now: datetime,
    *,
    on_test_clock: bool,
) -> list[ClosedPeriod]:
    """The closed periods whose usage may not be what was billed."""
    found = await billed_store.list_closed_periods(
        tx,
        ids,
        await customers_to_look_at(tx, sorted(context.customers)),
        since=now - LOOKS_BACK,
        hasty_since=now - HASTY_LOOKS_BACK,
        everything=on_test_clock,
    )
    changed = await spans_changed(
        tx,
        [
            KnownSpan(
                customer_id=one.customer_id,
                metric_id=one.metric_id,
                window=one.period,
                seen_at=one.usage_seen_at,
            )
            for one in found
        ],
    )
    wanted = [one.anyway or is_changed for one, is_changed in zip(found, changed, strict=True)]
    touched = {
        (one.subscription_id, one.component_id, one.number)
        for one, is_wanted in zip(found, wanted, strict=True)
        if is_wanted
    }
    # What a part of a period costs depends on the parts before it.
    return [one for one in found if (one.subscription_id, one.component_id, one.number) in touched]


async def _read(
    tx: Tx,
    events: EventStore,
    context: Context,
    closed: Sequence[ClosedPeriod],
    now: datetime,
) -> _Known:
    offers = await catalog.get_offers(tx, [(one.plan_version_id, one.price_id) for one in closed])
    by_period = {one: offers[one.plan_version_id, one.price_id] for one in closed}
    asks = []
    for one, offer in by_period.items():
        component = offer.price.component(one.component_id)
        asks.append(
            Ask(
                customer_id=one.customer_id,
                metric=offer.metrics[one.metric_id],
                period=one.period,
                counts_events=counts_events(component, _to_bill(one)),
                grants=paying(context, _to_bill(one), offer),
            )
        )
    used = await measure(events, tx.merchant_id, asks)
    holders = {one.customer_id for one in closed}
    grants = [grant.id for holder in holders for grant in context.grants.get(holder, ())]
    return _Known(
        context=context,
        offers=by_period,
        used=dict(zip(by_period, used, strict=True)),
        good_for=await credit.sum_granted(tx, grants),
        now=now,
    )


def _adjustments(
    known: _Known,
    held: Subscription,
    periods: Sequence[ClosedPeriod],
    billed: Sequence[BilledLine],
    due: Sequence[InvoiceLine],
    drawn: dict[str, Decimal],
) -> list[InvoiceLine]:
    """The adjustments of one subscription; each counts for those after it, and keeps `drawn` up to date."""
    made: list[InvoiceLine] = []
    before = [one.line for one in billed]
    for one in periods:
        own = [line for line in before if _belongs(line, one)]
        others = [line for line in before if not _belongs(line, one)]
        offer, to_bill = known.offers[one], _to_bill(one)
        then = known.context.held_at(held.id, one.period.start_at)
        invoice = InvoiceToRate(
            offer=offer,
            anchor_at=then.anchor_at,
            time_zone=held.time_zone,
            periods=[
                billed_period(
                    then,
                    offer,
                    to_bill,
                    known.used[one],
                    [
                        replace(grant, balance=_available(known, grant, own, drawn))
                        for grant in paying(known.context, to_bill, offer)
                    ],
                    known.now,
                )
            ],
            earlier=[*others, *due, *made],
            same_tariff=known.context.same_tariff(held.id, offer.price),
        )
        adjustment = adjustment_of(
            LatePeriod(line_id=LineId(new_id("line")), invoice=invoice, billed=own)
        )
        if adjustment is not None:
            made.append(adjustment)
            _count_draws(drawn, [adjustment])
    return [
        *made,
        *true_up_adjustments(
            offers=[known.offers[one] for one in periods],
            anchor_of=lambda period: known.context.held_at(held.id, period.start_at).anchor_at,
            time_zone=held.time_zone,
            before=[*before, *due],
            # A draft's true-up is made anew when it is finalized, and counts these adjustments then.
            final={one.line.id for one in billed if not one.is_draft},
            made=made,
            line_id=lambda: LineId(new_id("line")),
            cut={
                (one.offer.price.sold_as, one.committed.period)
                for one in known.context.cut_commitments(held.id)
            },
        ),
    ]


def _available(
    known: _Known, grant: CreditGrant, own: Sequence[InvoiceLine], drawn: Mapping[str, Decimal]
) -> Decimal:
    """What a grant holds for a closed period: what the period drew, and what nobody did, lapsed since or not."""
    by_period = sum(
        (draw.amount for line in own for draw in line.draws if draw.grant_id == grant.id),
        Decimal(0),
    )
    unspent = known.good_for.get(grant.id, Decimal(0)) - drawn.get(grant.id, Decimal(0))
    return max(unspent, Decimal(0)) + by_period


def _count_draws(drawn: dict[str, Decimal], lines: Sequence[InvoiceLine]) -> None:
    for line in lines:
        for draw in line.draws:
            drawn[draw.grant_id] = drawn.get(draw.grant_id, Decimal(0)) + draw.amount


def _draws(context: Context, posted: Sequence[InvoiceLine]) -> list[LateDraw]:
    grants = {grant.id: grant for some in context.grants.values() for grant in some}
    return [
        LateDraw(grant=grants[draw.grant_id], amount=draw.amount, invoice_line_id=line.id)
        for line in posted
        for draw in line.draws
    ]


def _belongs(line: InvoiceLine, one: ClosedPeriod) -> bool:
    return (
        line.component_id == one.component_id
        and line.period == one.period
        and line.kind in _OF_PERIOD
    )


def _to_bill(one: ClosedPeriod) -> PeriodToBill:
    return PeriodToBill(
        subscription_id=one.subscription_id,
        component_id=one.component_id,
        number=one.number,
        period=one.period,
    )
