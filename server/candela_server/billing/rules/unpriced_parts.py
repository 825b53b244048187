"""The parts of periods whose usage no component bills, as they end (CRD-8, CRD-9)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from candela_server.catalog.model import MetricId, Offer, PlanVersionId
from candela_server.catalog.price import BillingTiming, PriceId
from candela_server.credit.model import CreditGrant, GrantId
from candela_server.kernel.interval import Interval
from candela_server.subscription.drawn_usage import DrawnPart
from candela_server.subscription.model import ScheduledPeriod, Subscription

from .terms_held import Terms

HeldPart = tuple[Subscription, Interval]
"""A version of a subscription, and a part of a period in which it was in force."""

Offers = Mapping[tuple[PlanVersionId, PriceId], Offer]
"""What versions of subscriptions bought, by their `offer_key`."""


@dataclass(frozen=True, slots=True)
class EndedPart:
    """A period that ends, of a metric that costs nothing, and the grants that can pay for it.

    `lapsed` are those that the ledger has let expire; they come with what they had at their ends.
    """

    held: Subscription
    metric_id: MetricId
    period: Interval
    grants: Sequence[CreditGrant]
    lapsed: Collection[GrantId] = ()

    @property
    def outlasted(self) -> bool:
        """Whether something that can pay for it goes on when it is over."""
        return any(
            grant.balance > 0
            and (grant.expires_at is None or self.period.end_at < grant.expires_at)
            for grant in self.grants
        )

    def carried_over(self, rolling: Collection[str]) -> bool:
        """Whether some of what can pay for it goes into the next period; `rolling` are the definitions of such."""
        return any(grant.balance > 0 and grant.definition_id in rolling for grant in self.grants)

    def drawn(self, draws: Mapping[str, Decimal]) -> DrawnPart:
        """The same once it is drawn."""
        return DrawnPart(
            subscription_id=self.held.id,
            metric_id=self.metric_id,
            part=self.period,
            draws=draws,
        )


def parts_of(terms: Terms, one: ScheduledPeriod, offers: Offers) -> list[HeldPart]:
    """What was held, of the terms in force, in the period of the price's first component that ends as this falls due.

    What is billed a last time was drawn when it was cut off.
    """
    held = terms.versions[-1]
    first = offers[offer_key(held)].price.components[0]
    if one.component_id != first.id or one.last_terms is not None:
        return []
    period = one.period
    if first.timing is BillingTiming.IN_ADVANCE:
        if one.period_number == 0:
            return []
        rule = first.recurrence_in(held.time_zone)
        period = rule.period(held.anchor_at, one.period_number - 1)
    return terms.held_in(period)


def offer_key(held: Subscription) -> tuple[PlanVersionId, PriceId]:
    """By what it is known what a version of a subscription bought."""
    return held.version.plan_version_id, held.version.price_id


def unpriced(offer: Offer) -> list[MetricId]:
    """The metrics of the plan's features that none of its components bills."""
    metrics = {
        metric_id
        for granted in offer.version.features
        if (metric_id := offer.features[granted.feature_id].metric_id) is not None
        and offer.component_for_metric(metric_id) is None
    }
    return sorted(metrics)
