"""Rates what many invoices bill: reads usage and what was billed before as sets; the pure rules make the lines.

Used when a draft is made and again when it is finalized, so that both come from the same code (INV-3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from candela_server.catalog.model import MetricId, Offer, PlanVersionId
from candela_server.catalog.price import BillingTiming, Component, ComponentKind
from candela_server.credit.model import CreditGrant
from candela_server.kernel.ids import new_id
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.history import plan_version_of_period

from .billing_context import Context
from .left_by_waiting import credits_left, used_beside
from .measure_usage import Ask, Measured, measure
from .model import InvoiceId, InvoiceLine, LineId, LineKind
from .other_lines import read_earlier, read_voided, whole_of
from .paying_grants import paying
from .rules.commitment import periods_ending
from .rules.cut_commitment import committed_to_at
from .rules.invoice_lines import BilledPeriod, has_event_fee
from .rules.rate_invoice import (
    InvoiceToRate,
    TrueUp,
    draws_of,
    rate,
)
from .rules.time_rules import charge_in_period
from .wanted_invoice import PeriodToBill, WantedInvoice

_ZERO = Decimal(0)


async def rate_invoices(
    tx: Tx,
    events: EventStore,
    context: Context,
    wanted: Sequence[WantedInvoice],
    *,
    seen_at: datetime,
    adjusted: Mapping[SubscriptionId, Sequence[InvoiceLine]] | None = None,
) -> list[list[InvoiceLine]]:
    """The lines of all these invoices, in their order, each with its price's discounts and commitment.

    A grant pays once: what one line draws is gone for the lines after it, and what waits for another invoice is left
    what it will draw. Rated in the order of subscriptions and periods, whatever the order they are asked in, so that
    the same grants pay for the same lines every time.

    `adjusted` are adjustments that will be on these very invoices: they count as what was billed before.
    """
    adjusted = adjusted or {}
    used = await _usage(events, tx.merchant_id, context, wanted)
    earlier = await read_earlier(tx, context, wanted, seen_at)
    voided = await read_voided(tx, context, wanted, seen_at)
    fresh: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    rated: defaultdict[SubscriptionId, set[InvoiceId]] = defaultdict(set)
    left = await credits_left(tx, events, context, wanted)
    made: dict[int, list[InvoiceLine]] = {}
    order = sorted(range(len(wanted)), key=lambda index: _order(wanted[index]))
    for place, index in enumerate(order, 1):
        one = wanted[index]
        offer, held = one.offer_in(context), _held_by(context, one)
        # What is rated again here is what it comes to now, not what its draft says; but its adjustments stay.
        if one.id is not None:
            rated[one.subscription_id].add(one.id)
        periods = sorted(
            one.periods,
            key=lambda each: (
                each.period.start_at,
                offer.price.component(each.component_id).position,
            ),
        )
        left.set_aside(held.customer_id, _starts_at(one))
        lines = rate(
            InvoiceToRate(
                offer=offer,
                anchor_at=held.anchor_at,
                time_zone=held.time_zone,
                periods=[
                    billed_period(
                        context.held_at(held.id, each.period.start_at),
                        offer,
                        each,
                        used.get(each, Measured()),
                        [left.of(grant) for grant in paying(context, each, offer)],
                        seen_at,
                    )
                    for each in periods
                ],
                earlier=[
                    *(
                        other.line
                        for other in earlier.get(one.subscription_id, ())
                        if other.invoice_id not in rated[one.subscription_id]
                        or other.line.kind is LineKind.ADJUSTMENT
                    ),
                    *adjusted.get(one.subscription_id, ()),
                    *fresh[one.subscription_id],
                ],
                voided=voided.get(one.subscription_id, ()),
                true_ups=_true_ups(context, held, offer, one, periods),
                same_tariff=context.same_tariff(held.id, offer.price),
                beside=used_beside(
                    context,
                    one,
                    (wanted[order[after]] for after in range(place, len(order))),
                    used,
                    left,
                ),
            )
        )
        left.take(draws_of(lines))
        fresh[one.subscription_id] += lines
        made[index] = [_of_version(line, _version_of(context, held, offer, line)) for line in lines]
    return [made[index] for index in range(len(wanted))]


def billed_period(
    held: Subscription,
    offer: Offer,
    one: PeriodToBill,
    used: Measured,
    grants: Sequence[CreditGrant],
    seen_at: datetime,
) -> BilledPeriod:
    """What the rules need to know of one period, by the version of the subscription that it began under."""
    component = offer.price.component(one.component_id)
    return BilledPeriod(
        offer=offer,
        component=component,
        number=one.number,
        period=one.period,
        time_zone=held.time_zone,
        held=held.version.quantities.get(component.id, _ZERO) if one.held is None else one.held,
        used=used.value,
        event_count=used.event_count,
        spans=used.spans,
        usage_seen_at=seen_at if component.kind is ComponentKind.USAGE else None,
        grants=grants,
        line_id=LineId(new_id("line")),
        credit_line_id=LineId(new_id("line")),
        whole=whole_of(held, component, one),
    )


async def _usage(
    events: EventStore, merchant_id: str, context: Context, wanted: Sequence[WantedInvoice]
) -> dict[PeriodToBill, Measured]:
    """What the metrics of the usage components measured, in one statement for all."""
    keys, asks = [], []
    for one in wanted:
        offer, held = one.offer_in(context), context.subscriptions[one.subscription_id]
        for each in one.periods:
            component = offer.price.component(each.component_id)
            if component.metric_id is not None:
                metric = offer.metrics[MetricId(component.metric_id)]
                keys.append(each)
                asks.append(
                    Ask(
                        customer_id=held.customer_id,
                        metric=metric,
                        period=each.period,
                        counts_events=counts_events(component, each),
                        grants=paying(context, each, offer),
                    )
                )
    return dict(zip(keys, await measure(events, merchant_id, asks), strict=True))


def counts_events(component: Component, one: PeriodToBill) -> bool:
    """Whether the period's charge has a fee for each event."""
    charge = charge_in_period(component, one.number, one.period)
    return charge is not None and has_event_fee(charge)


def _true_ups(
    context: Context,
    held: Subscription,
    offer: Offer,
    one: WantedInvoice,
    periods: Sequence[PeriodToBill],
) -> list[TrueUp]:
    """The whole periods of the commitment that end; what changes cut is settled with them (`settle_commitments`)."""
    due_at = one.true_up_at
    if periods:
        component, period = offer.price.component(periods[0].component_id), periods[0].period
        in_advance = component.timing is BillingTiming.IN_ADVANCE
        due_at = period.start_at if in_advance else period.end_at
    if offer.price.minimum_commitment is None or due_at is None:
        return []
    cut = {each.key for each in context.cut_commitments(held.id)}
    history = context.terms_of(held.id)
    return [
        TrueUp(line_id=LineId(new_id("line")), committed=committed)
        for committed in periods_ending(offer.price, held.anchor_at, held.time_zone, due_at)
        if (offer.price.sold_as, held.anchor_at, committed.number) not in cut
        # One that nothing cuts is in force for all of its period, or for none of it.
        and committed_to_at(history, committed.period.start_at)
        == (offer.price.sold_as, held.anchor_at)
    ]


def _held_by(context: Context, wanted: WantedInvoice) -> Subscription:
    """The subscription in the version that what is wanted began under; in force when that is not known."""
    starts = [each.period.start_at for each in wanted.periods]
    if not starts:
        return context.subscriptions[wanted.subscription_id]
    return context.held_at(wanted.subscription_id, min(starts))


def _version_of(
    context: Context, held: Subscription, offer: Offer, line: InvoiceLine
) -> PlanVersionId:
    if context.subscriptions[held.id].version.plan_id != offer.plan.id:
        # It has moved to another plan since.
        return offer.version.id
    timing = (
        BillingTiming.IN_ARREARS
        if line.component_id is None
        else offer.price.component(line.component_id).timing
    )
    return plan_version_of_period(context.plan_versions(held.id), line.period, timing)


def _of_version(line: InvoiceLine, version_id: PlanVersionId) -> InvoiceLine:
    if line.plan_version_id == version_id:
        return line
    return replace(line, plan_version_id=version_id)


def _order(wanted: WantedInvoice) -> tuple[str, datetime]:
    return wanted.subscription_id, _starts_at(wanted)


def _starts_at(wanted: WantedInvoice) -> datetime:
    starts = [each.period.start_at for each in wanted.periods]
    return min(starts, default=datetime.max.replace(tzinfo=UTC))
