"""What was left of credits that end within a period and whose usage costs nothing, so that no more is carried over.

What ends with a period is drawn as that is billed (draw_unpriced.py). Credits that are renewed by a rule of their own
end before, and the ledger does not know of their usage yet: it is measured here. What was used in their time counts
against them first, as they end before all others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from candela_server.catalog import read as catalog
from candela_server.catalog.model import MetricId
from candela_server.credit import read as credit
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans
from candela_server.kernel.interval import Interval
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .billing_context import read_context
from .measure_usage import Ask, measure

_ZERO = Decimal(0)


async def unused_credit(
    tx: Tx, events: EventStore, grants: Sequence[CreditGrant], *, now: datetime
) -> dict[GrantId, Decimal]:
    """What these grants, which have ended, were not used of; only of those that may be carried over, and whose usage no
    component bills."""
    rolling = await _rolling(tx, grants)
    ids = sorted({SubscriptionId(one.subscription_id) for one in rolling if one.subscription_id})
    if not ids:
        return {}
    context = await read_context(tx, ids, until=now)
    granted = await credit.sum_granted(tx, [one.id for one in rolling])
    together: defaultdict[tuple[SubscriptionId, MetricId, datetime], list[CreditGrant]] = (
        defaultdict(list)
    )
    for one in rolling:
        if one.subscription_id is None or one.metric_id is None or one.expires_at is None:
            continue
        offer = context.offer_of(
            context.held_at(SubscriptionId(one.subscription_id), one.effective_at)
        )
        if offer.component_for_metric(one.metric_id) is None:
            had = replace(one, balance=granted.get(one.id, _ZERO))
            together[
                SubscriptionId(one.subscription_id), MetricId(one.metric_id), one.expires_at
            ].append(had)
    asks = [
        Ask(
            customer_id=some[0].customer_id,
            metric=context.offers[subscription_id].metrics[metric_id],
            period=Interval(min(one.effective_at for one in some), end_at),
            counts_events=False,
            grants=some,
        )
        for (subscription_id, metric_id, end_at), some in together.items()
    ]
    left: dict[GrantId, Decimal] = {}
    for ask, used in zip(asks, await measure(events, tx.merchant_id, asks), strict=True):
        spans = used.spans or (UsedSpan(ask.period, used.value),)
        draws, _ = draw_in_spans(ask.grants, spans, used.value)
        left |= {one.id: one.balance for one in ask.grants}
        for draw in draws.draws:
            left[draw.grant_id] -= draw.amount
    return left


async def _rolling(tx: Tx, grants: Sequence[CreditGrant]) -> list[CreditGrant]:
    """Those whose definition carries something over."""
    ids = sorted({one.definition_id for one in grants if one.definition_id is not None})
    definitions = await catalog.get_credit_definitions(tx, ids) if ids else {}
    return [
        one
        for one in grants
        if one.definition_id is not None and definitions[one.definition_id].rollover_cap > 0
    ]
