"""Whether and when one subscription moves to another version of its plan: asked by preview and job alike (CAT-9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from candela_server.catalog.model import Offer, PlanVersionStatus
from candela_server.catalog.rules.not_billable_yet import what_cannot_be_billed
from candela_server.subscription.migration import MigrationTerms, MoveTiming, Outcome
from candela_server.subscription.model import Subscription

from .lifecycle import RUNNING
from .schedule import current_period


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One subscription as it stands, and where it is to go.

    `offer` is the new version at the price that the subscription keeps. `due_at` is when an earlier decision scheduled
    it for, `waits_for` the other migration that a move of it is scheduled by already.
    """

    held: Subscription
    offer: Offer
    terms: MigrationTerms
    now: datetime
    due_at: datetime | None = None
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """MOVED or SCHEDULED at an instant, or FAILED with the reason."""

    outcome: Outcome
    at: datetime | None = None
    reason: str = ""


def decide(move: Move) -> Decision:
    """What becomes of the subscription at `move.now`, which is its customer's present.

    A scheduled move is decided anew when it is due, because things may have changed since; it then counts from the
    instant it was due at, however late that is noticed, but never from before the version that it follows.
    """
    hindrance = _hindrance(move)
    if hindrance is not None:
        return Decision(outcome=Outcome.FAILED, reason=hindrance)
    at = _instant(move) if move.due_at is None else move.due_at
    if at > move.now:
        return Decision(outcome=Outcome.SCHEDULED, at=at)
    return Decision(outcome=Outcome.MOVED, at=max(at, move.held.version.valid_from))


def _hindrance(move: Move) -> str | None:
    """Why it cannot move, as a word that stays the same and a sentence; None when it can."""
    version, terms, target = move.held.version, move.terms, move.offer.version
    if version.status not in RUNNING:
        return f"not_running: the subscription is {version.status}; only running ones are moved"
    if version.plan_version_id == terms.to_version_id:
        return f"already_moved: the subscription is on {terms.to_version_id} already"
    if version.plan_version_id != terms.from_version_id:
        return (
            f"version_changed: the subscription is on {version.plan_version_id}, "
            f"not on {terms.from_version_id}"
        )
    if move.waits_for is not None:
        return (
            f"change_in_flight: migration {move.waits_for} moves it later; "
            "cancel that one to move it by another"
        )
    if target.status is not PlanVersionStatus.PUBLISHED:
        return f"version_not_sold: {target.id} is {target.status}; only published ones take subscribers"
    if move.offer.price.plan_id != target.plan_id:
        return (
            f"price_not_of_plan: {version.price_id} belongs to another plan and could not be kept"
        )
    refused = what_cannot_be_billed(move.offer)
    if refused is not None:
        return f"not_billable: {refused.what} cannot be billed yet ({refused.spec_ids})"
    return None


def _instant(move: Move) -> datetime:
    """When the terms say that it moves; one that lies back means now."""
    terms = move.terms
    match terms.timing:
        case MoveTiming.NOW:
            return move.now
        case MoveTiming.AT:
            assert terms.effective_at is not None, "terms are born so"
            return max(terms.effective_at, move.now)
        case MoveTiming.PERIOD_END:
            period = current_period(move.held, move.offer.price, move.now)
            return move.held.anchor_at if period is None else period.end_at
        case _:
            assert_never(terms.timing)
