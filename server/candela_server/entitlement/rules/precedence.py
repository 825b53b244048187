"""Which value of a feature is in force: override, then plan, then default; of several, the most generous (ENT-3).

| the customer has …                                   | value        | source   | denied because    |
|------------------------------------------------------|--------------|----------|-------------------|
| the feature switched off for everybody               | its default  | default  | feature disabled  |
| an override on a subscription with access            | the override | override | "off", if empty   |
| the feature in the plan of a subscription with access| the plan's   | plan     | "off", if empty   |
| subscriptions with access, none with the feature     | its default  | default  | not in plan, if empty |
| a past-due subscription reduced to a plan that has it | that plan's | plan     | "off", if empty   |
| only past-due subscriptions whose grace is over      | its default  | default  | past due          |
| only paused subscriptions                            | its default  | default  | paused            |
| no subscription                                      | its default  | default  | none, if empty    |

"Empty" is false, a number of 0 or below, and the empty text. An override belongs to one subscription and hides that
subscription's plan, not another subscription's.

Of a metered feature a plan grants more than its number says: an allowance of credits grants it beside a number of 0,
and so does a price that bills what is beyond a limit, from the first unit on (ENT-4). An override that is empty denies
it all the same. The most generous subscription is then the one whose limit refuses nothing, or else the one with the
highest limit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from candela_server.catalog.model import LimitBehavior
from candela_server.entitlement.model import Denial, Metered, Source, Value

_ZERO: Final = Decimal(0)
_ENDLESS: Final = Decimal("Infinity")


class Access(StrEnum):
    """What a subscription's state lets its customer do (SUB-7, ENT-10)."""

    FULL = "full"
    REDUCED = "reduced"
    PAUSED = "paused"
    PAST_DUE = "past_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one subscription says of one feature: None where it says nothing.

    Of one with reduced access, `plan_value` is what the plan that is left says, and overrides do not count.
    `override_until` is when the override ends by itself, exclusive; None when it does not.
    """

    subscription_id: str
    access: Access
    plan_value: Value | None
    override_value: Value | None
    override_until: datetime | None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a metered feature carries under one subscription: whether it is granted, whether a check ever says no for
    what is used, and how much is included; None: all of it."""

    granted: bool
    refuses: bool
    limit: Decimal | None

    @classmethod
    def of(cls, value: Value, source: Source, terms: Metered) -> Reach:
        """The reach of what the plan or an override states."""
        hard = terms.behavior is LimitBehavior.HARD
        besides = terms.credits is not None or (isinstance(value, Decimal) and not hard)
        return cls(
            granted=not is_empty(value) or (source is Source.PLAN and besides),
            refuses=hard and terms.limit is not None,
            limit=terms.limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The value that counts, who says so, and until when that holds if nothing else changes."""

    value: Value
    source: Source
    subscription_id: str | None
    denial: Denial | None
    valid_until: datetime | None


_NO_REACHES: Final[Mapping[str, Reach]] = {}


def value_in_force(
    default: Value,
    held: Sequence[Held],
    *,
    disabled: bool,
    now: datetime,
    reaches: Mapping[str, Reach] = _NO_REACHES,
) -> InForce:
    """The value of one feature for one customer at `now`.

    `reaches` are those of a metered feature by subscription, of each that states something.
    """
    if disabled:
        return InForce(
            value=default,
            source=Source.DEFAULT,
            subscription_id=None,
            denial=Denial.FEATURE_DISABLED,
            valid_until=None,
        )
    open_overrides = [
        one.override_until
        for one in held
        if one.access is Access.FULL
        and one.override_value is not None
        and one.override_until is not None
        and now < one.override_until
    ]
    valid_until = min(open_overrides, default=None)
    offers = [
        _Offer(one.subscription_id, *found, _reach(reaches.get(one.subscription_id), found[0]))
        for one in held
        if (found := stated(one, now)) is not None
    ]
    if offers:
        best = max(offers, key=_generosity)
        return InForce(
            value=best.value,
            source=best.source,
            subscription_id=best.subscription_id,
            denial=None if best.reach.granted else Denial.FEATURE_OFF,
            valid_until=valid_until,
        )
    return InForce(
        value=default,
        source=Source.DEFAULT,
        subscription_id=None,
        denial=_why_nothing(held) if is_empty(default) else None,
        valid_until=valid_until,
    )


def is_empty(value: Value) -> bool:
    """Whether a value grants nothing: false, a number of 0 or below, the empty text."""
    if isinstance(value, Decimal):
        return value <= 0
    return not value


def stated(held: Held, now: datetime) -> tuple[Value, Source] | None:
    """What one subscription says of the feature at `now`, and whether its override or its plan says so."""
    if held.access is Access.REDUCED and held.plan_value is not None:
        return held.plan_value, Source.PLAN
    if held.access is not Access.FULL:
        return None
    runs = held.override_until is None or now < held.override_until
    if held.override_value is not None and runs:
        return held.override_value, Source.OVERRIDE
    if held.plan_value is not None:
        return held.plan_value, Source.PLAN
    return None


@dataclass(frozen=True, slots=True)
class _Offer:
    """What one subscription offers of the feature."""

    subscription_id: str
    value: Value
    source: Source
    reach: Reach


def _generosity(offer: _Offer) -> tuple[bool, bool, Decimal, Decimal, bool, str, bool, str]:
    """Orders offers of one feature: true over false, more over less, and then by fixed ties.

    Of a metered feature one that refuses nothing is over one that does, then the higher limit over the lower.
    Texts have no natural order: a set one beats an empty one, then what a person set by an override beats what plans
    say, then the alphabetically later one wins, so that the answer never depends on the order of reading. Among equals
    an override wins, then the older subscription (its id is smaller, so the comparison is turned round).
    """
    value, reach = offer.value, offer.reach
    overrides = offer.source is Source.OVERRIDE
    return (
        reach.granted,
        not reach.refuses,
        _ENDLESS if reach.limit is None else reach.limit,
        value if isinstance(value, Decimal) else _ZERO,
        overrides and isinstance(value, str),
        value if isinstance(value, str) else "",
        overrides,
        "".join(chr(0x7F - ord(character)) for character in offer.subscription_id),
    )


def _reach(known: Reach | None, value: Value) -> Reach:
    """The reach that is known, of a metered feature; others carry as far as their value says."""
    return known or Reach(granted=not is_empty(value), refuses=False, limit=None)


def _why_nothing(held: Sequence[Held]) -> Denial:
    accesses = {one.access for one in held}
    if Access.FULL in accesses:
        return Denial.FEATURE_NOT_IN_PLAN
    if accesses & {Access.PAST_DUE, Access.REDUCED}:
        return Denial.SUBSCRIPTION_PAST_DUE
    if Access.PAUSED in accesses:
        return Denial.SUBSCRIPTION_PAUSED
    return Denial.NO_ACTIVE_SUBSCRIPTION
