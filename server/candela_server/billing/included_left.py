"""What is left of an included number for a part of a period: less what the period used of it before (ENT-4, CRD-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.catalog.model import Metric, Offer
from candela_server.credit.model import CreditGrant
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact
from candela_server.metering.rules.aggregation import parts_add_up
from candela_server.storage.events import EventStore
from candela_server.storage.postgres import Tx
from candela_server.subscription import read as subscription
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.model import Subscription

from .measure_usage import INSTANT, Ask, measure
from .rules.included_first import included_number
from .rules.outside import outside

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A part of a period under one version of a subscription, and the grants that can pay for it."""

    held: Subscription
    offer: Offer
    metric: Metric
    part: Interval
    grants: Sequence[CreditGrant]

    @property
    def before(self) -> Interval | None:
        """What came before the part in the period; None where nothing did, or parts cannot be told from each other."""
        rule = self.offer.price.components[0].recurrence_in(self.held.time_zone)
        period = rule.period_containing(self.held.anchor_at, self.part.start_at)
        if not parts_add_up(self.metric) or period.start_at == self.part.start_at:
            return None
        return Interval(period.start_at, self.part.start_at)


async def included_left(tx: Tx, events: EventStore, parts: Sequence[Included]) -> list[Decimal]:
    """How much of each part is included still, whatever credits there are, in order."""
    held = list({one.held.id: one.held for one in parts}.values())
    overrides = await subscription.list_overrides(tx, [one.id for one in held])
    numbers = [
        included_number(
            one.offer,
            one.metric.id,
            {o.feature_id: o for o in overrides if o.subscription_id == one.held.id},
            one.grants,
            one.part.end_at - INSTANT,
        )
        for one in parts
    ]
    cut = [one.before if number else None for one, number in zip(parts, numbers, strict=True)]
    if not any(cut):
        return numbers
    pauses = await subscription.list_pauses(tx, held)
    # What is used in a pause is nobody's.
    spans = [
        outside(before, pauses[one.held.id]) if before is not None else []
        for one, before in zip(parts, cut, strict=True)
    ]
    asks = [
        Ask(
            customer_id=one.held.customer_id,
            metric=one.metric,
            period=span,
            counts_events=False,
            grants=(),
        )
        for one, some in zip(parts, spans, strict=True)
        for span in some
    ]
    used = iter(await measure(events, tx.merchant_id, asks))
    drawn = await subscription.list_drawn_parts(tx, held)
    left = []
    for one, number, before, some in zip(parts, numbers, cut, spans, strict=True):
        if before is not None:
            with exact():
                taken = sum((next(used).value for _ in some), _ZERO)
                taken -= _by_credits(drawn[one.held.id], one.metric, before)
                number = max(number - max(taken, _ZERO), _ZERO)
        left.append(number)
    return left


def _by_credits(drawn: Sequence[DrawnPart], metric: Metric, span: Interval) -> Decimal:
    """What credits paid for of a span."""
    return sum(
        (
            sum(one.draws.values(), _ZERO)
            for one in drawn
            if one.metric_id == metric.id and span.contains(one.part.start_at)
        ),
        _ZERO,
    )
