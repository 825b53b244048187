"""What else was billed of subscriptions, for those invoices whose lines depend on it; most do not (DSL-4, DSL-10)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.catalog.price import Component
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import Subscription, SubscriptionId

from .billed_before import reach_of, read_billed_lines, read_voided_lines
from .billing_context import Context
from .model import BilledLine, InvoiceLine
from .rules.rate_invoice import depends_on_earlier, may_follow_a_part
from .wanted_invoice import PeriodToBill, WantedInvoice


async def read_earlier(
    tx: Tx, context: Context, wanted: Sequence[WantedInvoice], seen_at: datetime
) -> dict[SubscriptionId, list[BilledLine]]:
    """The other lines of those subscriptions whose invoices depend on them; most do not."""
    ids = sorted({one.subscription_id for one in wanted if follows_others(context, one)})
    if not ids:
        return {}
    reach = reach_of(one.offer_in(context).price for one in wanted)
    return await read_billed_lines(tx, ids, seen_at, reach)


async def read_voided(
    tx: Tx, context: Context, wanted: Sequence[WantedInvoice], seen_at: datetime
) -> dict[SubscriptionId, list[InvoiceLine]]:
    """What void invoices billed of those subscriptions that a commitment binds; most are bound by none."""
    bound = [one for one in wanted if one.offer_in(context).price.minimum_commitment]
    if not bound:
        return {}
    ids = sorted({one.subscription_id for one in bound})
    reach = reach_of(one.offer_in(context).price for one in bound)
    return await read_voided_lines(tx, ids, seen_at, reach)


def follows_others(context: Context, one: WantedInvoice) -> bool:
    """Whether what it comes to depends on what else was billed of the subscription; of most it does not."""
    return depends_on_earlier(one.offer_in(context).price) or any(
        _may_follow_a_part(context, one, each) for each in one.periods
    )


def _may_follow_a_part(context: Context, one: WantedInvoice, each: PeriodToBill) -> bool:
    held = context.held_at(one.subscription_id, each.period.start_at)
    component = one.offer_in(context).price.component(each.component_id)
    return may_follow_a_part(component, each.period, whole_of(held, component, each))


def whole_of(held: Subscription, component: Component, one: PeriodToBill) -> Interval | None:
    """The whole period, where it may be another: a first one may be shorter, and a change cuts one of usage."""
    may_be_cut = held.version.number > 1 or held.version.valid_to is not None
    if one.number and not may_be_cut:
        return None
    return component.recurrence_in(held.time_zone).whole_period(held.anchor_at, one.number)
