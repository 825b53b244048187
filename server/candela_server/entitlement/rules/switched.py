"""What the switch of a feature makes of customers' answers: nothing else needs to be read again (ENT-11).

A switched-off feature has its default value for everybody, whatever they hold (precedence.py). So a remembered snapshot
keeps, for each feature that is off, what it would be if it were on, and switching exchanges the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from candela_server.entitlement.model import Denial, FeatureState, Snapshot, Source, Value


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


def after_switches(snapshot: Snapshot, switches: Mapping[str, bool]) -> Snapshot:
    """The snapshot where these features, by slug, are on or off, as good as one read after they were switched.

    Its revision stays: it need not hold anything else that was changed since. Features that it lacks, it lacks still.
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
            default = snapshot.catalog[place].default_value
            features = features.with_state(place, switched_off(state, default))
    return replace(snapshot, features=features, behind=behind or None)
