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
from typing import NamedTuple

from candela_server.catalog.model import Metric
from candela_server.credit import read as credit
from candela_server.credit.lapse_grants import Definitions
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.credit.rules.waterfall import UsedSpan, draw_in_spans
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription.model import SubscriptionId

from .billing_context import read_context
from .measure_usage import Ask, measure

_ZERO = Decimal(0)


class _Together(NamedTuple):
    """Whose grants, of what and until when, pay for the same usage."""

    subscription_id: SubscriptionId
    metric: Metric
    end_at: datetime


async def unused_credit(
    tx: Tx,
    events: EventStore,
    grants: Sequence[CreditGrant],
    definitions: Definitions,
    *,
    now: datetime,
) -> dict[GrantId, Decimal]:
    """What these grants, which have ended, were not used of; only of those that may be carried over, and whose usage no
    component bills."""
    rolling = _rolling(grants, definitions)
    if not rolling:
        return {}
    ids = sorted({_brought_by(one) for one in rolling})
    context = await read_context(tx, ids, until=now)
    granted = await credit.sum_granted(tx, [one.id for one in rolling])
    together: defaultdict[_Together, list[CreditGrant]] = defaultdict(list)
    for one in rolling:
        assert one.metric_id is not None, "selected by _rolling"
        assert one.expires_at is not None, "selected by _rolling"
        offer = context.offer_of(context.held_at(_brought_by(one), one.effective_at))
        if offer.component_for_metric(one.metric_id) is None:
            of = _Together(_brought_by(one), offer.metrics[one.metric_id], one.expires_at)
            together[of].append(replace(one, balance=granted.get(one.id, _ZERO)))
    asks = [
        Ask(
            customer_id=context.subscriptions[of.subscription_id].customer_id,
            metric=of.metric,
            period=Interval(min(one.effective_at for one in some), of.end_at),
            counts_events=False,
            grants=some,
        )
        for of, some in together.items()
    ]
    left = {one.id: one.balance for ask in asks for one in ask.grants}
    for ask, used in zip(asks, await measure(events, tx.merchant_id, asks), strict=True):
        spans = used.spans or (UsedSpan(ask.period, used.value),)
        draws, _ = draw_in_spans(ask.grants, spans, used.value)
        with exact():
            for draw in draws.draws:
                left[draw.grant_id] -= draw.amount
    return left


def _brought_by(grant: CreditGrant) -> SubscriptionId:
    assert grant.subscription_id is not None, "selected by _rolling"
    return SubscriptionId(grant.subscription_id)


def _rolling(grants: Sequence[CreditGrant], definitions: Definitions) -> list[CreditGrant]:
    """Those of metrics whose definition carries something over."""
    return [
        one
        for one in grants
        if one.definition_id is not None
        and one.subscription_id is not None
        and one.metric_id is not None
        and one.expires_at is not None
        and definitions[one.definition_id].rollover_cap > 0
    ]
