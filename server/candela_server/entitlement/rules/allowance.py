"""How much of a usage feature is left, and whether the asked quantity still fits (ENT-4, ENT-6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal

from candela_server.catalog.model import LimitBehavior
from candela_server.entitlement.model import (
    Answer,
    Denial,
    FeatureState,
    HeldQuantity,
    Origin,
    UsageNow,
)

from .bound import bound_of

ONE = Decimal(1)
_ZERO = Decimal(0)


def reserved_at(held: Iterable[HeldQuantity], now: datetime) -> Decimal:
    """What reservations hold at `now` on the customer's clock; those that have expired hold nothing (ENT-9)."""
    return sum(
        (one.quantity for one in held if one.expires_at is None or now < one.expires_at), _ZERO
    )


def decide(
    state: FeatureState,
    *,
    used: Decimal | None,
    quantity: Decimal,
    origin: Origin = Origin.NONE,
    reserved: Decimal = _ZERO,
    past: Sequence[Decimal] = (),
) -> Answer:
    """The answer for a resolved feature.

    `used` is what the feature's metric measured in its window; None for features that are not metered. `past` is what
    it measured in each part of the window that is over, where the terms name such parts. A `quantity` that exactly fits
    beside what is used and `reserved` is allowed; only a hard limit refuses.
    """
    metered = state.metered
    if metered is None or used is None:
        return Answer(
            state=state,
            entitled=state.denial is None,
            denial=state.denial,
            usage=None,
            credits_remaining=None,
            origin=Origin.NONE,
        )
    bound = bound_of(metered, past)
    limit, used = bound.limit, bound.counted(used)
    left = None if limit is None else max(limit - used - reserved, _ZERO)
    denial = state.denial
    if (
        denial is None
        and left is not None
        and limit is not None
        and metered.behavior is LimitBehavior.HARD
        and used + reserved + quantity > limit
    ):
        denial = Denial.CREDITS_EXHAUSTED if metered.credits else Denial.LIMIT_REACHED
    return Answer(
        state=state,
        entitled=denial is None,
        denial=denial,
        usage=UsageNow(
            used=used,
            limit=limit,
            remaining=left,
            overage=bound.overage(used),
            resets_at=None if metered.metric.gauge else metered.window.end_at,
            behavior=metered.behavior,
            per_user=metered.per_user,
            reserved=reserved,
        ),
        credits_remaining=None
        if metered.credits is None
        # What the plan grants besides is used up first.
        else min(metered.credits.allowance, max(bound.of_credits - used, _ZERO)),
        origin=origin,
    )
