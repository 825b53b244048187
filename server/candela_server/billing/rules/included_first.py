"""What a plan or an override includes as a number: it is used up before credits are (ENT-4, CRD-10).

| what says so                                 | included                                              |
|----------------------------------------------|-------------------------------------------------------|
| a number that overrides                      | the number                                            |
| a plan's number, with credits of the plan    | nothing: the credits are what is included             |
| a plan's number alone                        | the number                                            |
| a number of each user's own                  | nothing here: what credits pay is the whole customer's|
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import FeatureId, LimitScope, MetricId, Offer
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.waterfall import UsedSpan
from candela_server.kernel.money import exact
from candela_server.subscription.feature_override import FeatureOverride

_ZERO = Decimal(0)


def included_number(
    offer: Offer,
    metric_id: MetricId,
    overrides: Mapping[FeatureId, FeatureOverride],
    grants: Iterable[CreditGrant],
    at: datetime,
) -> Decimal:
    """How much of a metric a period includes beside credits, by what is in force at an instant of it."""
    by_credit = any(one.metric_id == metric_id for one in offer.credit_definitions) or any(
        grant.definition_id is not None and grant.counts_at(at) for grant in grants
    )
    numbers = [_ZERO]
    for granted in offer.version.features:
        if offer.features[granted.feature_id].metric_id != metric_id:
            continue
        if granted.limit_scope is LimitScope.USER:
            continue
        override = overrides.get(granted.feature_id)
        runs = override is not None and (override.expires_at is None or at < override.expires_at)
        value = override.value if override is not None and runs else granted.value
        if isinstance(value, Decimal) and (runs or not by_credit):
            numbers.append(value)
    return max(numbers)


def less_included(
    spans: Sequence[UsedSpan], amount: Decimal, included: Decimal
) -> tuple[list[UsedSpan], Decimal]:
    """What credits are asked for: the spans, and all of them together, without what is included; it covers the earliest
    usage first."""
    left, rest = included, []
    with exact():
        for one in spans:
            part = min(max(one.used, _ZERO), left)
            left -= part
            rest.append(UsedSpan(one.span, one.used - part))
        return rest, max(amount - (included - left), _ZERO)
