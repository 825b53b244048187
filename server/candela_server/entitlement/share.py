"""Keeps remembered snapshots small: what is equal for many customers exists once in a process.

A plan's customers have the same features with the same values; what differs is the window and the credits of those
features that are metered. Equal parts are found by their value when a snapshot is made, never when it is read.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

from .model import FeatureState, FeatureTable, Metered

_MAX_KNOWN: Final = 100_000
_MAX_INDEXES: Final = 1_000

_T = TypeVar("_T", bound=Hashable)
_known: dict[Hashable, Any] = {}
_indexes: dict[tuple[str, ...], dict[str, int]] = {}


def table_of(states: Sequence[FeatureState]) -> FeatureTable:
    """The states by slug, sharing with other customers' tables what is equal."""
    slugs = tuple(state.slug for state in states)
    index = _indexes.get(slugs)
    if index is None:
        if len(_indexes) >= _MAX_INDEXES:
            _indexes.clear()
        index = _indexes[slugs] = {slug: place for place, slug in enumerate(slugs)}
    own: dict[Hashable, Any] = {}
    return FeatureTable(index, tuple(_shared_state(state, own) for state in states))


def _shared_state(state: FeatureState, own: dict[Hashable, Any]) -> FeatureState:
    metered = state.metered
    if metered is None and state.valid_until is None:
        return _shared(state, type(state.value))
    return replace(
        state,
        slug=_shared(state.slug),
        value=_shared(state.value),
        metered=_shared_metered(metered, own) if metered else None,
        valid_until=own.setdefault(state.valid_until, state.valid_until),
    )


def _shared_metered(metered: Metered, own: dict[Hashable, Any]) -> Metered:
    """With a metric and amounts that all customers share, and a window that this customer's features do."""
    credits = metered.credits
    return replace(
        metered,
        metric=_shared(metered.metric),
        window=own.setdefault(metered.window, metered.window),
        limit=None if metered.limit is None else _shared(metered.limit),
        credits=replace(credits, allowance=_shared(credits.allowance)) if credits else None,
    )


def _shared(value: _T, kind: type | None = None) -> _T:
    """The first value that was equal to this one; of the same type, as True is no number here."""
    if len(_known) >= _MAX_KNOWN:
        # What is in use goes on living; only the sharing begins anew.
        _known.clear()
    shared: _T = _known.setdefault((kind or type(value), value), value)
    return shared
