"""Reads, as sets, all that the lines of many invoices depend on, and lets the pure rules make the lines.

Used when a draft is made and again when it is finalized, so that both come from the same code (INV-3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import (
    CreditApplicationType,
    MetricId,
    Offer,
    PlanVersionId,
)
from candela_server.catalog.price import (
    BillingTiming,
    Component,
    ComponentId,
    ComponentKind,
    Price,
    PriceId,
)
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerId
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Proration, Subscription, SubscriptionId
from candela_server.subscription.rules.credits_held import counts_for
from candela_server.subscription.rules.history import PlanVersionSteps, plan_version_of_period
from candela_server.subscription.rules.reschedule import BILLED

from . import billed_store, tax_store
from .billed_store import BilledLine
from .measure_usage import Ask, Measured, measure
from .model import InvoiceId, InvoiceLine, LineId
from .rules.commitment import commitment_length, periods_ending
from .rules.cut_commitment import CutCommitment, Terms, committed_to_at, cut_commitments
from .rules.invoice_lines import BilledPeriod, has_event_fee
from .rules.rate_invoice import (
    InvoiceToRate,
    TrueUp,
    depends_on_earlier,
    draws_of,
    may_follow_a_part,
    rate,
)
from .rules.time_rules import charge_in_period
from .tax_settings import TaxSettings

_ZERO = Decimal(0)
LOOKS_BACK: Final = timedelta(days=400)
"""How long ago a period may have ended that late usage changes: a yearly one, and some weeks."""

REMEMBERED: Final = timedelta(days=800)
"""How far back lines are read that others depend on: two yearly periods of a commitment or a discount, and more.

Of commitments with longer periods it is further: see `reach_of`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodToBill:
    """One component's period of one subscription.

    `held` is the quantity that an earlier draft charged for; None means what the subscription holds now.
    """

    subscription_id: SubscriptionId
    component_id: ComponentId
    number: int
    period: Interval
    held: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedInvoice:
    """What falls due for one subscription at one instant.

    `id` is that of the draft that is rated again, and `offer` what it was made by, when that is not in force any more.
    `true_up_at` is when the commitment's period ended that its true-up is for: needed when it bills nothing besides.
    """

    subscription_id: SubscriptionId
    periods: Sequence[PeriodToBill]
    id: InvoiceId | None = None
    offer: Offer | None = None
    true_up_at: datetime | None = None

    def offer_in(self, context: Context) -> Offer:
        """What it is rated by."""
        return self.offer or context.offers[self.subscription_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a chunk of subscriptions depends on, read once for all of them.

    `offers` are those in force, `ever_held` all that their histories know.
    """

    subscriptions: Mapping[SubscriptionId, Subscription]
    offers: Mapping[SubscriptionId, Offer]
    ever_held: Mapping[catalog.OfferKey, Offer]
    customers: Mapping[CustomerId, Customer]
    grants: Mapping[CustomerId, Sequence[CreditGrant]]
    histories: Mapping[SubscriptionId, Sequence[Subscription]]
    tax_settings: TaxSettings

    def held_at(self, subscription_id: SubscriptionId, instant: datetime) -> Subscription:
        """The subscription in the version of an instant; the first one for what lies before it."""
        history = self.histories[subscription_id]
        return next(
            (one for one in reversed(history) if one.version.valid_from <= instant), history[0]
        )

    def offer_of(self, one: Subscription) -> Offer:
        """What was bought in one version of a subscription."""
        return self.ever_held[one.version.plan_version_id, one.version.price_id]

    def same_tariff(self, subscription_id: SubscriptionId, price: Price) -> frozenset[PriceId]:
        """The price, and those that the subscription held as variations of the same one: what counts for one counts
        for all of them (SUB-6)."""
        if len(self.histories[subscription_id]) == 1:
            return frozenset()
        held = {
            self.offer_of(one).price.id
            for one in self.histories[subscription_id]
            if self.offer_of(one).price.sold_as == price.sold_as
        }
        return frozenset({price.id, price.sold_as, *held})

    def terms_of(self, subscription_id: SubscriptionId) -> list[Terms]:
        """What was held of what is billed, since when, oldest first."""
        return [
            Terms(
                since=one.version.valid_from,
                offer=self.offer_of(one) if one.version.status in BILLED else None,
                anchor_at=one.anchor_at,
                prorated=one.version.proration is not Proration.NONE,
                quantities=one.version.quantities,
            )
            for one in self.histories[subscription_id]
        ]

    def cut_commitments(
        self, subscription_id: SubscriptionId, since: datetime | None = None
    ) -> list[CutCommitment]:
        """The periods of commitments that its changes cut or ended; none of one that never changed."""
        if len(self.histories[subscription_id]) == 1:
            return []
        time_zone = self.subscriptions[subscription_id].time_zone
        return cut_commitments(self.terms_of(subscription_id), time_zone, since=since)

    def plan_versions(self, subscription_id: SubscriptionId) -> PlanVersionSteps:
        """Since when it has been on which plan version, oldest first."""
        return [
            (one.version.valid_from, one.version.plan_version_id)
            for one in self.histories[subscription_id]
        ]


async def read_context(tx: Tx, ids: Sequence[SubscriptionId], *, until: datetime) -> Context:
    """Reads the subscriptions, what they bought, who bought it, and their grants that began before `until`.

    Of the grants that have ended, only those that may have something left: others pay for nothing any more. Who looks
    back at what they paid reads them by `with_ended_grants`.
    """
    subscriptions = await subscription.get_subscriptions(tx, ids)
    histories = await subscription.list_histories(tx, subscriptions.values())
    offers = await catalog.get_offers(
        tx, sorted({_key(one) for history in histories.values() for one in history})
    )
    holders = sorted({one.customer_id for one in subscriptions.values()})
    grants: defaultdict[CustomerId, list[CreditGrant]] = defaultdict(list)
    for grant in await credit.list_grants_of_customers(tx, holders, since=until, until=until):
        grants[grant.customer_id].append(grant)
    return Context(
        subscriptions=subscriptions,
        offers={one.id: offers[_key(one)] for one in subscriptions.values()},
        ever_held=offers,
        customers=await customer.get_customers(tx, holders),
        grants=grants,
        histories=histories,
        tax_settings=await tax_store.get_tax_settings(tx),
    )


async def with_ended_grants(
    tx: Tx, context: Context, holders: Sequence[CustomerId], *, since: datetime, until: datetime
) -> Context:
    """The context with those grants of these customers as well that ended after `since`, spent ones too.

    What the context says of a grant stays: something may be set aside of it.
    """
    known = {grant.id for grants in context.grants.values() for grant in grants}
    grants = {one: list(some) for one, some in context.grants.items()}
    for grant in await credit.list_grants_of_customers(tx, holders, since=since, until=until):
        if grant.id not in known:
            grants.setdefault(grant.customer_id, []).append(grant)
    return replace(context, grants=grants)


async def rate_invoices(
    tx: Tx,
    events: EventStore,
    context: Context,
    wanted: Sequence[WantedInvoice],
    *,
    seen_at: datetime,
) -> list[list[InvoiceLine]]:
    """The lines of all these invoices, in their order, each with its price's discounts and commitment.

    A grant pays once: what one line draws is gone for the lines after it. Rated in the order of subscriptions and
    periods, whatever the order they are asked in, so that the same grants pay for the same lines every time.
    """
    used = await _usage(events, tx.merchant_id, context, wanted)
    earlier = await _earlier(tx, context, wanted, seen_at)
    fresh: defaultdict[SubscriptionId, list[InvoiceLine]] = defaultdict(list)
    rated: defaultdict[SubscriptionId, set[InvoiceId]] = defaultdict(set)
    left: dict[GrantId, Decimal] = {
        grant.id: grant.balance for grants in context.grants.values() for grant in grants
    }
    made: dict[int, list[InvoiceLine]] = {}
    for index in sorted(range(len(wanted)), key=lambda index: _order(wanted[index])):
        one = wanted[index]
        offer, held = one.offer_in(context), _held_by(context, one)
        # What is rated again here is what it comes to now, not what its draft says.
        if one.id is not None:
            rated[one.subscription_id].add(one.id)
        periods = sorted(
            one.periods,
            key=lambda each: (
                each.period.start_at,
                offer.price.component(each.component_id).position,
            ),
        )
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
                        [_holding(grant, left[grant.id]) for grant in paying(context, each, offer)],
                        seen_at,
                    )
                    for each in periods
                ],
                earlier=[
                    *(
                        other.line
                        for other in earlier.get(one.subscription_id, ())
                        if other.invoice_id not in rated[one.subscription_id]
                    ),
                    *fresh[one.subscription_id],
                ],
                true_ups=_true_ups(context, held, offer, one, periods),
                same_tariff=context.same_tariff(held.id, offer.price),
            )
        )
        for grant_id, amount in draws_of(lines):
            left[grant_id] -= amount
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
        whole=_whole(held, component, one),
    )


def _whole(held: Subscription, component: Component, one: PeriodToBill) -> Interval | None:
    """The whole period, where it may be another: a first one may be shorter, and a change cuts one of usage."""
    may_be_cut = held.version.number > 1 or held.version.valid_to is not None
    if one.number and not may_be_cut:
        return None
    return component.recurrence_in(held.time_zone).whole_period(held.anchor_at, one.number)


def _key(one: Subscription) -> catalog.OfferKey:
    return one.version.plan_version_id, one.version.price_id


def _holding(grant: CreditGrant, balance: Decimal) -> CreditGrant:
    return grant if grant.balance == balance else replace(grant, balance=balance)


def pays_for(grant: CreditGrant, one: PeriodToBill, offer: Offer, held: Subscription) -> bool:
    """Whether a grant can pay for a component's usage, of a part of the period at least, that began under a version.

    Usage credits of a plan belong to the subscription they came with, while its terms last, unless they pay for
    everything (CRD-2).
    """
    component = offer.price.component(one.component_id)
    metric_id = component.metric_id
    return (
        metric_id is not None
        and grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == metric_id
        and grant.component_id in (None, component.id, component.sold_as)
        and counts_for(grant, held, offer)
        and grant.overlaps(one.period)
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


def paying(context: Context, one: PeriodToBill, offer: Offer) -> list[CreditGrant]:
    """The grants that can pay for a component's usage of a period, or of a part of it."""
    then = context.held_at(one.subscription_id, one.period.start_at)
    return [
        grant
        for grant in context.grants.get(then.customer_id, ())
        if pays_for(grant, one, offer, then)
    ]


def counts_events(component: Component, one: PeriodToBill) -> bool:
    """Whether the period's charge has a fee for each event."""
    charge = charge_in_period(component, one.number, one.period)
    return charge is not None and has_event_fee(charge)


async def _earlier(
    tx: Tx, context: Context, wanted: Sequence[WantedInvoice], seen_at: datetime
) -> dict[SubscriptionId, list[BilledLine]]:
    """The other lines of those subscriptions whose invoices depend on them; most do not."""
    ids = sorted(
        {
            one.subscription_id
            for one in wanted
            if depends_on_earlier(one.offer_in(context).price)
            or any(_may_follow_a_part(context, one, each) for each in one.periods)
        }
    )
    if not ids:
        return {}
    reach = reach_of(one.offer_in(context).price for one in wanted)
    return await read_billed_lines(tx, ids, seen_at, reach)


def reach_of(prices: Iterable[Price]) -> timedelta:
    """How far back the lines of these prices lie that others depend on: at least all of a commitment's period that
    ended as long ago as late usage is looked for.
    """
    return max((REMEMBERED, *(commitment_length(one) + LOOKS_BACK for one in prices)))


def _may_follow_a_part(context: Context, one: WantedInvoice, each: PeriodToBill) -> bool:
    held = context.held_at(one.subscription_id, each.period.start_at)
    component = one.offer_in(context).price.component(each.component_id)
    return may_follow_a_part(component, each.period, _whole(held, component, each))


async def read_billed_lines(
    tx: Tx, ids: Sequence[SubscriptionId], seen_at: datetime, reach: timedelta = REMEMBERED
) -> dict[SubscriptionId, list[BilledLine]]:
    """What is billed of these subscriptions, drafts included, as far back as anything depends on it."""
    found: defaultdict[SubscriptionId, list[BilledLine]] = defaultdict(list)
    for one in await billed_store.list_billed_lines(tx, ids, since=seen_at - reach):
        found[one.subscription_id].append(one)
    return found


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
    starts = [each.period.start_at for each in wanted.periods]
    return wanted.subscription_id, min(starts, default=datetime.max.replace(tzinfo=UTC))
