"""What the switch of a feature, or a new default, makes of customers' answers: nothing else is read again (ENT-11).

A switched-off feature has its default value for everybody, whatever they hold (precedence.py). So a remembered snapshot
keeps, for each feature that is off, what it would be if it were on, and switching exchanges the two. A new default is
in the answers of those alone whom nothing else gives a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from candela_server.entitlement.model import Denial, FeatureState, Snapshot, Source, Value

from .precedence import is_empty


def switched_off(state: FeatureState, default: Value) -> FeatureState:
    """The state of a feature that is off, from the one it would have; it is looked at anew when that one would be."""
    return FeatureState(
        slug=state.slug,
        value=default,
        source=Source.DEFAULT,
        denial=Denial.FEATURE_DISABLED,
        holding=None,
        metered=None,
        valid_until=state.valid_until,
    )


def with_default(state: FeatureState, default: Value) -> FeatureState | None:
    """The state of a feature that is on once it has another default; None where why nothing is granted is not known."""
    if state.source is not Source.DEFAULT:
        return state
    if state.denial is Denial.CUSTOMER_UNKNOWN:
        return replace(state, value=default)
    if not is_empty(default):
        return replace(state, value=default, denial=None)
    return None if state.denial is None else replace(state, value=default)


def after_defaults(snapshot: Snapshot, defaults: Mapping[str, Value]) -> Snapshot | None:
    """The snapshot where these features, by slug, have these defaults; None if it must be read again for that."""
    features, behind = snapshot.features, dict(snapshot.behind or {})
    for slug, default in defaults.items():
        place = features.place_of(slug)
        if place is None:
            continue
        state = with_default(behind.get(slug, features[slug]), default)
        if state is None:
            return None
        if slug in behind:
            behind[slug], state = state, switched_off(state, default)
        features = features.with_state(place, state)
    return replace(snapshot, features=features, behind=behind or None)


def after_switches(
    snapshot: Snapshot, switches: Mapping[str, bool], defaults: Mapping[str, Value]
) -> Snapshot:
    """The snapshot where these features, by slug, are on or off, as good as one read after they were switched.

    `defaults` are those that are newer than the snapshot. Its revision stays: it need not hold anything else that was
    changed since. Features that it lacks, it lacks still.
    """
    if snapshot.customer_id is None:
        # Nobody is refused for being nobody, whatever is on.
        return replace(snapshot)
    features, behind = snapshot.features, dict(snapshot.behind or {})
    for slug, on in switches.items():
        place = features.place_of(slug)
        if place is None or on is (slug not in behind):
            continue
        if on:
            features = features.with_state(place, behind.pop(slug))
        else:
            state = behind[slug] = features[slug]
            default = defaults.get(slug, snapshot.catalog[place].default_value)
            features = features.with_state(place, switched_off(state, default))
    return replace(snapshot, features=features, behind=behind or None)
