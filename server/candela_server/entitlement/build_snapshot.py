"""Resolves all features of one customer from what was read: what a check needs but for the usage itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from candela_server.catalog.model import Feature

from .model import Denial, FeatureState, Snapshot, Source
from .rules.resolve_feature import resolve_feature
from .rules.switched import switched_off
from .share import table_of
from .show_reserved import show_reserved
from .snapshot_facts import Facts, Who


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
    # As if all were on: what is off is off whatever they hold, and may be switched on without a reading.
    states = [
        resolve_feature(replace(feature, disabled_at=None), holdings, grants, facts.metrics, now)
        if feature.disabled_at is not None
        else resolve_feature(feature, holdings, grants, facts.metrics, now)
        for feature in facts.features
    ]
    open_ones = facts.open_reservations[holder.id]
    states = show_reserved(states, open_ones, user.id if user else None)
    behind = {}
    for place, feature in enumerate(facts.features):
        if feature.disabled_at is not None:
            behind[feature.slug] = states[place]
            states[place] = switched_off(states[place], feature.default_value)
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
        behind=behind or None,
        catalog=facts.features,
    )


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
