"""What one feature is for one customer: which subscription decides, what it says, and how its use is bounded.

Each subscription is asked alone, as if the customer held no other; what the most generous of them says is in force,
whole: its value, its limit, its window (ENT-3, ENT-4). So two allowances never add up, and what is shown is always
what one subscription grants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from candela_server.catalog.model import Feature, Metric, MetricId, PlanFeature
from candela_server.credit.model import CreditGrant
from candela_server.entitlement.model import FeatureState, Metered, Source

from .holding import Holding
from .metered_terms import metered_terms, replaces_credits
from .precedence import Held, Reach, stated, value_in_force


def resolve_feature(
    feature: Feature,
    holdings: Sequence[Holding],
    grants: Sequence[CreditGrant],
    metrics: Mapping[MetricId, Metric],
    now: datetime,
) -> FeatureState:
    """The feature at `now`. `grants` are those of the customer that can pay for use of the periods that run so far."""
    held = [_held(one, feature) for one in holdings]
    bounds: dict[str, Metered] = {}
    reaches: dict[str, Reach] = {}
    if feature.metric_id is not None:
        metric = metrics[feature.metric_id]
        for one, says in zip(holdings, held, strict=True):
            found = stated(says, now)
            if found is not None:
                value, source = found
                granted = _granted(one, feature)
                terms = metered_terms(metric, one, granted, grants, value, source, now)
                bounds[says.subscription_id] = terms
                reaches[says.subscription_id] = Reach.of(value, source, terms)
    in_force = value_in_force(
        feature.default_value,
        held,
        disabled=feature.disabled_at is not None,
        now=now,
        reaches=reaches,
    )
    decided = in_force.subscription_id
    metered = bounds.get(decided) if decided is not None else None
    by_credits = metered is not None and metered.credits is not None
    if replaces_credits(in_force.value, in_force.source):
        by_credits = False
    ends = [in_force.valid_until, metered.window.end_at if metered else None]
    ends += [one.access_until for one in holdings]
    # What ends of another subscription's credits may have another one decide.
    ends += [one.credits.next_expiry_at for one in bounds.values() if one.credits]
    return FeatureState(
        slug=feature.slug,
        value=in_force.value,
        source=Source.CREDITS if by_credits else in_force.source,
        denial=in_force.denial,
        holding=next(
            (place for place, one in enumerate(holdings) if one.subscription.id == decided), None
        ),
        metered=metered,
        valid_until=min((end for end in ends if end is not None), default=None),
    )


def _held(holding: Holding, feature: Feature) -> Held:
    granted = _granted(holding, feature)
    override = holding.overrides.get(feature.id)
    return Held(
        subscription_id=holding.subscription.id,
        access=holding.access,
        plan_value=granted.value if granted else None,
        override_value=override.value if override else None,
        override_until=override.expires_at if override else None,
    )


def _granted(holding: Holding, feature: Feature) -> PlanFeature | None:
    for granted in holding.offer.version.features:
        if granted.feature_id == feature.id:
            return granted
    return None
