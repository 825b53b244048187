"""Resolves all features of one customer from what was read: what a check needs but for the usage itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import (
    CreditApplicationType,
    Feature,
    LimitBehavior,
    LimitScope,
    Metric,
    MetricId,
    PlanFeature,
)
from candela_server.credit.model import CreditGrant
from candela_server.kernel.clock import Clock
from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx
from candela_server.subscription.rules.credits_held import counts_for

from .holdings import Holding
from .model import Credits, Denial, FeatureState, Metered, Snapshot, Source
from .remembered_catalog import Catalog, ReadCatalog
from .rules.precedence import Access, Held, InForce, value_in_force
from .share import table_of
from .show_reserved import show_reserved
from .snapshot_facts import Facts, read_facts
from .snapshot_facts import Who as Who


async def build_snapshot(
    tx: Tx, clock: Clock, who: Who, catalog: Catalog | None = None
) -> Snapshot:
    """All features of one, read alone; see cold_reader.py for many."""
    return snapshot_of(await read_facts(tx, clock, [who], catalog or ReadCatalog()), who)


def snapshot_of(facts: Facts, who: Who) -> Snapshot:
    """All features of whoever is meant, as of what was read.

    Nobody with that id gets a snapshot too, in which everything is denied: an answer, and as good to cache.
    """
    meant = facts.people.get(who)
    if meant is None:
        return _of_nobody(facts.features, facts.revision)
    holder, user = meant.customer, meant.user
    now, holdings = facts.nows[holder.id], facts.holdings[holder.id]
    grants = facts.grants[holder.id]
    begins_at = facts.grants_begin_at.get(holder.id)
    states = [_state(feature, holdings, grants, facts.metrics, now) for feature in facts.features]
    open_ones = facts.open_reservations[holder.id]
    states = show_reserved(states, open_ones, user.id if user else None)
    return Snapshot(
        customer_id=holder.id,
        user_id=user.id if user else None,
        subscription_ids=tuple(one.subscription.id for one in holdings),
        features=table_of(states),
        revision=facts.revision,
        frozen_now=now if holder.test_clock_id is not None else None,
        valid_until=min(
            (
                end
                for end in (begins_at, *(state.valid_until for state in states))
                if end is not None
            ),
            default=None,
        ),
    )


def _state(
    feature: Feature,
    holdings: Sequence[Holding],
    grants: Sequence[CreditGrant],
    metrics: Mapping[MetricId, Metric],
    now: datetime,
) -> FeatureState:
    granted = {one.subscription.id: _granted(one, feature) for one in holdings}
    held = [
        Held(
            subscription_id=one.subscription.id,
            access=one.access,
            plan_value=found.value if (found := granted[one.subscription.id]) else None,
            override_value=override.value if (override := one.overrides.get(feature.id)) else None,
            override_until=override.expires_at if override else None,
        )
        for one in holdings
    ]
    in_force = value_in_force(
        feature.default_value, held, disabled=feature.disabled_at is not None, now=now
    )
    winner = next(
        (one for one in holdings if one.subscription.id == in_force.subscription_id), None
    )
    metered = (
        _metered(feature, winner, granted[winner.subscription.id], grants, metrics, in_force, now)
        if winner is not None
        else None
    )
    by_credits = metered is not None and metered.credits is not None
    ends = [in_force.valid_until, metered.window.end_at if metered else None]
    ends += [one.access_until for one in holdings]
    if metered and metered.credits:
        ends.append(metered.credits.next_expiry_at)
    return FeatureState(
        slug=feature.slug,
        value=in_force.value,
        source=Source.CREDITS if by_credits else in_force.source,
        # An allowance of credits grants the feature, whatever number stands beside it.
        denial=None if by_credits and in_force.denial is Denial.FEATURE_OFF else in_force.denial,
        holding=holdings.index(winner) if winner is not None else None,
        metered=metered,
        valid_until=min((end for end in ends if end is not None), default=None),
    )


def _granted(holding: Holding, feature: Feature) -> PlanFeature | None:
    for granted in holding.offer.version.features:
        if granted.feature_id == feature.id:
            return granted
    return None


def _metered(
    feature: Feature,
    winner: Holding,
    granted: PlanFeature | None,
    grants: Sequence[CreditGrant],
    metrics: Mapping[MetricId, Metric],
    in_force: InForce,
    now: datetime,
) -> Metered | None:
    """How the feature is counted for this customer; None for features without a metric (ENT-4)."""
    if feature.metric_id is None:
        return None
    offer, held = winner.offer, winner.subscription
    component_id = offer.component_for_metric(feature.metric_id)
    paying = [
        grant
        for grant in grants
        if grant.application_type is CreditApplicationType.USAGE
        and grant.metric_id == feature.metric_id
        and counts_for(grant, held, offer)
        # What the plan that is not paid for has granted is not used up meanwhile.
        and (grant.subscription_id is None or winner.access is Access.FULL)
    ]
    component = offer.price.component(component_id or offer.price.components[0].id)
    window = component.recurrence_in(held.time_zone).period_containing(held.anchor_at, now)
    by_definition = any(
        definition.metric_id == feature.metric_id for definition in offer.credit_definitions
    )
    credits = None
    limit: Decimal | None = None
    if paying or by_definition:
        allowance = sum((grant.balance for grant in paying), Decimal(0))
        expiries = [grant.expires_at for grant in paying if grant.expires_at is not None]
        credits = Credits(allowance=allowance, next_expiry_at=min(expiries, default=None))
        # What was given by hand or bought comes on top of what a plan grants in another way (CRD-10).
        of_plan = by_definition or any(grant.definition_id is not None for grant in paying)
        limit = allowance if of_plan else _on_top(allowance, in_force)
        window = _window_of(paying, window)
    elif isinstance(in_force.value, Decimal):
        limit = in_force.value
    explicit = granted.limit_behavior if granted else None
    default = LimitBehavior.OVERAGE if component_id else LimitBehavior.HARD
    return Metered(
        metric=metrics[feature.metric_id],
        window=window,
        limit=limit,
        behavior=explicit or default,
        credits=credits,
        per_user=granted is not None and granted.limit_scope is LimitScope.USER,
    )


def _on_top(allowance: Decimal, in_force: InForce) -> Decimal | None:
    """The limit where no credit comes with the plan: a granted feature without a number has none."""
    if in_force.denial is not None:
        return allowance
    return in_force.value + allowance if isinstance(in_force.value, Decimal) else None


def _window_of(paying: Sequence[CreditGrant], fallback: Interval) -> Interval:
    """The window of the grant that renews soonest: usage before it was covered by grants that are over.

    What was given by hand or bought lasts as long as it lasts, and has no window of its own.
    """
    renewing = [
        grant
        for grant in paying
        if grant.subscription_id is not None and grant.expires_at is not None
    ]
    if not renewing:
        return fallback
    latest = max(renewing, key=lambda grant: grant.effective_at)
    assert latest.expires_at is not None, "selected above"
    return Interval(latest.effective_at, latest.expires_at)


def _of_nobody(features: Sequence[Feature], revision: int) -> Snapshot:
    return Snapshot(
        customer_id=None,
        user_id=None,
        subscription_ids=(),
        features=table_of(
            [
                FeatureState(
                    slug=feature.slug,
                    value=feature.default_value,
                    source=Source.DEFAULT,
                    denial=Denial.CUSTOMER_UNKNOWN,
                    holding=None,
                    metered=None,
                    valid_until=None,
                )
                for feature in features
            ]
        ),
        revision=revision,
        frozen_now=None,
        valid_until=None,
    )
