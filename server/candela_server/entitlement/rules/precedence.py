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
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from candela_server.entitlement.model import Denial, Source, Value


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


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The value that counts, who says so, and until when that holds if nothing else changes."""

    value: Value
    source: Source
    subscription_id: str | None
    denial: Denial | None
    valid_until: datetime | None


def value_in_force(
    default: Value, held: Sequence[Held], *, disabled: bool, now: datetime
) -> InForce:
    """The value of one feature for one customer at `now`."""
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
    offers = [offer for one in held if (offer := _offer(one, now)) is not None]
    if offers:
        value, source, subscription_id = max(offers, key=_generosity)
        return InForce(
            value=value,
            source=source,
            subscription_id=subscription_id,
            denial=Denial.FEATURE_OFF if is_empty(value) else None,
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


def _offer(held: Held, now: datetime) -> tuple[Value, Source, str] | None:
    if held.access is Access.REDUCED and held.plan_value is not None:
        return held.plan_value, Source.PLAN, held.subscription_id
    if held.access is not Access.FULL:
        return None
    runs = held.override_until is None or now < held.override_until
    if held.override_value is not None and runs:
        return held.override_value, Source.OVERRIDE, held.subscription_id
    if held.plan_value is not None:
        return held.plan_value, Source.PLAN, held.subscription_id
    return None


def _generosity(offer: tuple[Value, Source, str]) -> tuple[bool, Decimal, str, bool, str]:
    """Orders offers of one feature: true over false, more over less, and then by fixed ties.

    Texts have no natural order: a set one beats an empty one, then the alphabetically later one wins, so that the
    answer never depends on the order of reading. Among equals an override wins, then the older subscription (its id
    is smaller, so the comparison is turned round).
    """
    value, source, subscription_id = offer
    number = value if isinstance(value, Decimal) else Decimal(0)
    text = value if isinstance(value, str) else ""
    return (
        not is_empty(value),
        number,
        text,
        source is Source.OVERRIDE,
        "".join(chr(0x7F - ord(character)) for character in subscription_id),
    )


def _why_nothing(held: Sequence[Held]) -> Denial:
    accesses = {one.access for one in held}
    if Access.FULL in accesses:
        return Denial.FEATURE_NOT_IN_PLAN
    if accesses & {Access.PAST_DUE, Access.REDUCED}:
        return Denial.SUBSCRIPTION_PAST_DUE
    if Access.PAUSED in accesses:
        return Denial.SUBSCRIPTION_PAUSED
    return Denial.NO_ACTIVE_SUBSCRIPTION
