"""Reads, as sets, all that the lines of many periods depend on, and lets the pure rules make the lines.

Used when a draft is made and again when it is finalized, so that both come from the same code (INV-3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, MetricId, Offer
from candela_server.catalog.price import ComponentId, ComponentKind
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.customer import read as customer
from candela_server.customer.model import Customer, CustomerId
from candela_server.kernel.ids import new_id
from candela_server.kernel.interval import Interval
from candela_server.metering.model import UsageAsk, UsageOf
from candela_server.metering.query_usage import aggregate_many
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.model import Subscription, SubscriptionId
from candela_server.subscription.rules.history import PlanVersionSteps, plan_version_of_period

from .model import InvoiceLine, LineId
from .rules.invoice_lines import BilledPeriod, lines_of

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodToBill:
    """One component's period of one subscription."""

    subscription_id: SubscriptionId
    component_id: ComponentId
    number: int
    period: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a chunk of subscriptions depends on, read once for all of them."""

    subscriptions: Mapping[SubscriptionId, Subscription]
    offers: Mapping[SubscriptionId, Offer]
    customers: Mapping[CustomerId, Customer]
    grants: Mapping[CustomerId, Sequence[CreditGrant]]
    plan_versions: Mapping[SubscriptionId, PlanVersionSteps]


async def read_context(tx: Tx, ids: Sequence[SubscriptionId], *, until: datetime) -> Context:
    """Reads the subscriptions, what they bought, who bought it, and their grants that began before `until`."""
    subscriptions = await subscription.get_subscriptions(tx, ids)
    keys = {
        one.id: (one.version.plan_version_id, one.version.price_id)
        for one in subscriptions.values()
    }
    offers = await catalog.get_offers(tx, list(keys.values()))
    holders = sorted({one.customer_id for one in subscriptions.values()})
    grants: defaultdict[CustomerId, list[CreditGrant]] = defaultdict(list)
    for grant in await credit.list_grants_of_customers(tx, holders, until=until):
        grants[grant.customer_id].append(grant)
    return Context(
        subscriptions=subscriptions,
        offers={one_id: offers[key] for one_id, key in keys.items()},
        customers=await customer.get_customers(tx, holders),
        grants=grants,
        plan_versions=await subscription.list_plan_versions(tx, subscriptions.values()),
    )


async def lines_for(
    events: EventStore,
    merchant_id: str,
    context: Context,
    periods: Sequence[PeriodToBill],
    *,
    seen_at: datetime,
) -> dict[PeriodToBill, list[InvoiceLine]]:
    """The lines of all these periods, in the order of subscriptions and of their prices' components.

    A grant pays once: what one line draws is gone for the lines after it.
    """
    used = await _usage(events, merchant_id, context, periods)
    left: dict[GrantId, Decimal] = {
        grant.id: grant.balance for grants in context.grants.values() for grant in grants
    }
    lines: dict[PeriodToBill, list[InvoiceLine]] = {}
    for one in _in_order(context, periods):
        held = context.subscriptions[one.subscription_id]
        offer = context.offers[one.subscription_id]
        component = offer.price.component(one.component_id)
        made = lines_of(
            BilledPeriod(
                offer=offer,
                component=component,
                number=one.number,
                period=one.period,
                time_zone=held.time_zone,
                held=held.version.quantities.get(component.id, _ZERO),
                used=used.get(one, _ZERO),
                usage_seen_at=seen_at if component.kind is ComponentKind.USAGE else None,
                grants=[
                    replace(grant, balance=left[grant.id])
                    for grant in context.grants.get(held.customer_id, ())
                    if _pays_for(grant, one, component.metric_id)
                ],
                line_id=LineId(new_id("line")),
                credit_line_id=LineId(new_id("line")),
            )
        )
        for line in made:
            for draw in line.draws:
                left[draw.grant_id] -= draw.amount
        version_id = plan_version_of_period(
            context.plan_versions[held.id], one.period, component.timing
        )
        lines[one] = [replace(line, plan_version_id=version_id) for line in made]
    return lines


async def _usage(
    events: EventStore, merchant_id: str, context: Context, periods: Sequence[PeriodToBill]
) -> dict[PeriodToBill, Decimal]:
    """What the metrics of the usage components measured, in one statement for all."""
    keys, asks = [], []
    for one in periods:
        offer = context.offers[one.subscription_id]
        component = offer.price.component(one.component_id)
        if component.metric_id is not None:
            keys.append(one)
            asks.append(
                UsageAsk(
                    metric=offer.metrics[MetricId(component.metric_id)],
                    who=UsageOf(customer_id=context.subscriptions[one.subscription_id].customer_id),
                    window=one.period,
                )
            )
    values = await aggregate_many(events, merchant_id, asks)
    return dict(zip(keys, values, strict=True))


def _in_order(context: Context, periods: Sequence[PeriodToBill]) -> list[PeriodToBill]:
    return sorted(
        periods,
        key=lambda one: (
            one.subscription_id,
            one.period.start_at,
            context.offers[one.subscription_id].price.component(one.component_id).position,
        ),
    )


def _pays_for(grant: CreditGrant, one: PeriodToBill, metric_id: str | None) -> bool:
    """Whether a grant can pay for a component's usage of the whole period.

    Usage credits of a plan belong to the subscription they came with.
    """
    return (
        metric_id is not None
        and grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == metric_id
        and grant.component_id in (None, one.component_id)
        and grant.subscription_id in (None, one.subscription_id)
        and grant.covers(one.period)
    )
