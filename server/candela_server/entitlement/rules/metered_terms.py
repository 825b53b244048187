"""How use of a metered feature is counted and bounded under one subscription (ENT-4, CRD-9, CRD-10).

| what is in force                       | the limit                                            | the window           |
|----------------------------------------|------------------------------------------------------|----------------------|
| a plan with credits for the metric     | the credits that count now, all of them              | the grants', if they |
|                                        |                                                      | renew                |
| a plan's number, or an override's      | the number, and what was given by hand or bought     | the component's      |
| a plan's yes, or an override's, without| none                                                 | the component's      |
| credits from the plan                  |                                                      |                      |

How the window and the credits are found is said in credits_compared.py, which packs that buy themselves go by, too.
Credits pay for what is used in their time only. Where some began or ended within the window, the terms say what parts
it has so, and who pays for each; how far the credits go is known with what each part used (bound.py). Credits that
began before the window have paid for what the period used before it, too, and so that counts as such a part.

What ended periods used is drawn, so that credits which last longer are compared with what the running one uses. Where
a change cut a period, what was used before it is drawn, too, if it has no price. Credits are then compared with what
was used since; where all of the window must be compared, because a number is the limit or parts of it cannot be told
apart, what was drawn counts as if it were there still. What invoices took of a period that runs, because usage has a
price and a cut was billed at once, counts so whatever the limit is: late usage of it is theirs, too (billed_within.py).

What a plan that was left used, and the next invoice is to bill, takes from credits before all that is used later: it is
a part that is over, too.

What is used while the subscription is paused is billed by nobody and counted nowhere, as far as parts of the period can
be told apart (SUB-6).

A number that overrides takes the place of all that the plan says, its credits too (CAT-8, SUB-8): these do not count
while it is in force. A yes that overrides says nothing of how much, so that the plan's credits go on counting.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import (
    CreditApplicationType,
    LimitBehavior,
    LimitScope,
    Metric,
    PlanFeature,
)
from candela_server.credit.model import CreditGrant
from candela_server.entitlement.model import Credits, Metered, Source, Value
from candela_server.kernel.money import exact
from candela_server.subscription.rules.credits_compared import compared, waiting_parts
from candela_server.subscription.rules.credits_held import counts_for

from .holding import Holding
from .precedence import Access, is_empty

_ZERO = Decimal(0)


def metered_terms(
    metric: Metric,
    holding: Holding,
    granted: PlanFeature | None,
    grants: Sequence[CreditGrant],
    value: Value,
    source: Source,
    now: datetime,
) -> Metered:
    """The terms under which `value`, of which the plan or an override of this subscription says so, may be used."""
    offer, held = holding.offer, holding.subscription
    component_id = offer.component_for_metric(metric.id)
    component = offer.price.component(component_id or offer.price.components[0].id)
    period = component.recurrence_in(held.time_zone).period_containing(held.anchor_at, now)
    overridden = replaces_credits(value, source)
    payers = [
        grant
        for grant in grants
        if _pays(grant, metric, holding) and not (overridden and _is_of_plan(grant, holding))
    ]
    paying = [grant for grant in payers if grant.counts_at(now)]
    by_definition = not overridden and any(
        definition.metric_id == metric.id for definition in offer.credit_definitions
    )
    has_credits = bool(paying) or by_definition
    # What was given by hand or bought comes on top of what a plan grants in another way (CRD-10).
    of_plan = by_definition or any(_is_by_definition(grant) for grant in paying)
    by_credit = has_credits and ((of_plan and not overridden) or is_empty(value))
    stated = _stated_limit(value)
    bounded = has_credits or stated is not None
    found = compared(
        metric,
        payers if bounded else [],
        period,
        now,
        drawn=[one for one in holding.drawn if one.metric_id == metric.id],
        terms_since=held.version.terms_since,
        included=None if by_credit else stated or _ZERO,
        has_credits=has_credits,
        pauses=holding.pauses,
        waiting=waiting_parts(holding.waiting, metric, grants) if bounded else (),
    )
    credits = None
    limit = stated
    if has_credits:
        expiries = [grant.expires_at for grant in found.paying if grant.expires_at is not None]
        credits = Credits(allowance=found.allowance, next_expiry_at=min(expiries, default=None))
        if by_credit:
            limit = _ZERO
        if limit is not None:
            with exact():
                limit += found.allowance + found.drawn
    explicit = granted.limit_behavior if granted else None
    return Metered(
        metric=metric,
        window=found.window,
        limit=limit,
        behavior=explicit or (LimitBehavior.OVERAGE if component_id else LimitBehavior.HARD),
        credits=credits,
        per_user=granted is not None and granted.limit_scope is LimitScope.USER,
        past=found.past,
    )


def replaces_credits(value: Value, source: Source) -> bool:
    """Whether a value stands for all that the plan grants of a metered feature: a number that overrides does, and a
    no."""
    return source is Source.OVERRIDE and (isinstance(value, Decimal) or is_empty(value))


def _pays(grant: CreditGrant, metric: Metric, holding: Holding) -> bool:
    return (
        grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == metric.id
        and counts_for(grant, holding.subscription, holding.offer)
        # What the plan that is not paid for has granted is not used up meanwhile.
        and (grant.subscription_id is None or holding.access is Access.FULL)
    )


def _is_of_plan(grant: CreditGrant, holding: Holding) -> bool:
    """Whether this subscription's plan granted it."""
    return _is_by_definition(grant) and grant.subscription_id == holding.subscription.id


def _is_by_definition(grant: CreditGrant) -> bool:
    return grant.definition_id is not None


def _stated_limit(value: Value) -> Decimal | None:
    """The bound that a value is by itself; a granted feature without a number has none."""
    return max(value, _ZERO) if isinstance(value, Decimal) else None
