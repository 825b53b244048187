"""Reads the closed periods whose usage may not be what was billed, and what they are rated by (EVT-9, EVT-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import Offer
from candela_server.credit import read as credit
from candela_server.credit.model import GrantId
from candela_server.metering.model import KnownSpan
from candela_server.metering.note_late_usage import customers_to_look_at, spans_changed
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from . import billed_store
from .bill_periods import counts_events
from .billed_before import LOOKS_BACK
from .billed_store import ClosedPeriod
from .billing_context import Context
from .measure_usage import Ask, Measured, measure
from .paying_grants import paying
from .wanted_invoice import PeriodToBill

HASTY_LOOKS_BACK: Final = timedelta(days=100)
"""How long ago a period may have ended that was billed within minutes of its end; longer than events may be late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPeriods:
    """What the closed periods of a chunk are rated by, read for all of them."""

    context: Context
    offers: Mapping[ClosedPeriod, Offer]
    used: Mapping[ClosedPeriod, Measured]
    good_for: Mapping[GrantId, Decimal]
    now: datetime


async def periods_to_compare(
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


async def read_closed_periods(
    tx: Tx,
    events: EventStore,
    context: Context,
    closed: Sequence[ClosedPeriod],
    now: datetime,
) -> ClosedPeriods:
    """What was used in these periods, by their own terms, and what can pay for it."""
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
                counts_events=counts_events(component, to_bill(one)),
                grants=paying(context, to_bill(one), offer),
            )
        )
    used = await measure(events, tx.merchant_id, asks)
    holders = {one.customer_id for one in closed}
    grants = [grant.id for holder in holders for grant in context.grants.get(holder, ())]
    return ClosedPeriods(
        context=context,
        offers=by_period,
        used=dict(zip(by_period, used, strict=True)),
        good_for=await credit.sum_granted(tx, grants),
        now=now,
    )


def to_bill(one: ClosedPeriod) -> PeriodToBill:
    """The period as it was billed at first."""
    return PeriodToBill(
        subscription_id=one.subscription_id,
        component_id=one.component_id,
        number=one.number,
        period=one.period,
    )
