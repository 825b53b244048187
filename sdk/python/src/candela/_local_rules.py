"""What a watched state answers: the server's own rules, over the messages of the contract (ENT-4, ENT-6, ENT-8).

Pure. The state of a feature comes as the answer to a check of quantity 1; everything that another quantity needs is in
it: what was used, the limit, and what happens there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from enum import Enum
from typing import Literal

from candela.catalog.v1 import feature_pb2
from candela.entitlement.v1 import entitlement_pb2

from ._requests import plain

_ONE = Decimal(1)
_ZERO = Decimal(0)
_BY_QUANTITY = frozenset(
    {
        entitlement_pb2.DENIAL_REASON_LIMIT_REACHED,
        entitlement_pb2.DENIAL_REASON_CREDITS_EXHAUSTED,
    }
)

# Exact for every number of the contract, whatever context the application computes in.
_EXACT = Context(prec=100)
MAX_PLACES = 12
MAX_DIGITS = 38

Value = bool | Decimal | str
"""A feature's value: yes or no, a number, or a text."""

Policy = Literal["allow", "deny", "cached"]
"""What to answer when neither a fresh state nor the server can: yes, no, or what was last known."""


class Origin(Enum):
    """Where an answer comes from."""

    LOCAL = "local"
    """From the state that the server keeps current."""
    SERVER = "server"
    """Asked of the server just now."""
    POLICY = "policy"
    """Neither was to be had: the feature's policy answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalUsage:
    """Where the customer stands with a usage feature; amounts are exact. None where nothing bounds or resets it."""

    used: Decimal
    limit: Decimal | None
    remaining: Decimal | None
    overage: Decimal
    resets_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAnswer:
    """What a customer may do with a feature.

    `denial_reason` is "" when entitled, else the reason's name in the contract without its prefix, in lower case, for
    example "limit_reached"; `source` likewise ("plan"). `degraded` says that the answer rests on the policy for an
    unreachable server. `age` is how old the state behind a local answer is; None for the server's own.
    """

    feature: str
    entitled: bool
    denial_reason: str
    source: str
    value: Value | None
    usage: LocalUsage | None
    origin: Origin
    degraded: bool
    age: timedelta | None


def decide(
    entitlement: entitlement_pb2.Entitlement, quantity: Decimal | None = None
) -> tuple[bool, entitlement_pb2.DenialReason]:
    """Whether the quantity (1 when None) is allowed, and why not.

    A quantity that exactly fits is allowed; only a hard limit refuses.
    """
    if quantity is None or quantity == _ONE:
        return entitlement.entitled, entitlement.denial_reason
    reason = entitlement.denial_reason
    if reason in _BY_QUANTITY:
        # Not the feature itself, but the one unit that was asked for.
        reason = entitlement_pb2.DENIAL_REASON_UNSPECIFIED
    usage = entitlement.usage
    if (
        reason == entitlement_pb2.DENIAL_REASON_UNSPECIFIED
        and entitlement.HasField("usage")
        and usage.HasField("limit")
        and usage.limit_behavior == feature_pb2.LIMIT_BEHAVIOR_HARD
        and _sum(usage.used, usage.reserved or "0", quantity) > Decimal(usage.limit)
    ):
        reason = (
            entitlement_pb2.DENIAL_REASON_CREDITS_EXHAUSTED
            if entitlement.HasField("credit_info")
            else entitlement_pb2.DENIAL_REASON_LIMIT_REACHED
        )
    return reason == entitlement_pb2.DENIAL_REASON_UNSPECIFIED, reason


def is_of_user(entitlement: entitlement_pb2.Entitlement) -> bool:
    """Whether the limit is each user's own, so that a customer's state does not answer for a user (ENT-7)."""
    return (
        entitlement.HasField("usage")
        and entitlement.usage.scope == entitlement_pb2.USAGE_SCOPE_USER
    )


def readable_quantity(quantity: Decimal | int | None) -> Decimal | None:
    """The quantity as local rules take it; None for one that only the server should judge."""
    if quantity is None:
        return None
    number = Decimal(quantity)
    if not number.is_finite() or number < _ZERO:
        return None
    _, _, places = plain(number).partition(".")
    if len(places) > MAX_PLACES or len(plain(number).replace(".", "")) > MAX_DIGITS:
        return None
    return number


def answer_of(
    entitlement: entitlement_pb2.Entitlement,
    quantity: Decimal | None,
    *,
    origin: Origin,
    degraded: bool = False,
    age: timedelta | None = None,
) -> LocalAnswer:
    """The answer that an entitlement of the contract is, for this quantity."""
    entitled, reason = decide(entitlement, quantity)
    return LocalAnswer(
        feature=entitlement.feature,
        entitled=entitled,
        denial_reason=_name(entitlement_pb2.DenialReason.Name(reason), "DENIAL_REASON_"),
        source=_name(
            entitlement_pb2.EntitlementSource.Name(entitlement.source), "ENTITLEMENT_SOURCE_"
        ),
        value=_value(entitlement.value),
        usage=_usage(entitlement.usage) if entitlement.HasField("usage") else None,
        origin=origin,
        degraded=degraded,
        age=age,
    )


def answer_by_policy(feature: str, entitled: bool, *, age: timedelta | None) -> LocalAnswer:
    """The answer where nothing is known but what the application prefers."""
    return LocalAnswer(
        feature=feature,
        entitled=entitled,
        denial_reason="" if entitled else "server_unreachable",
        source="",
        value=None,
        usage=None,
        origin=Origin.POLICY,
        degraded=True,
        age=age,
    )


def _sum(used: str, reserved: str, quantity: Decimal) -> Decimal:
    return _EXACT.add(_EXACT.add(Decimal(used), Decimal(reserved)), quantity)


def _name(full: str, prefix: str) -> str:
    short = full.removeprefix(prefix).lower()
    return "" if short == "unspecified" else short


def _value(value: feature_pb2.FeatureValue) -> Value | None:
    match value.WhichOneof("value"):
        case "boolean":
            return value.boolean
        case "number":
            return Decimal(value.number)
        case "text":
            return value.text
        case _:
            return None


def _usage(usage: entitlement_pb2.Usage) -> LocalUsage:
    return LocalUsage(
        used=Decimal(usage.used),
        limit=Decimal(usage.limit) if usage.HasField("limit") else None,
        remaining=Decimal(usage.remaining) if usage.HasField("remaining") else None,
        overage=Decimal(usage.overage),
        resets_at=usage.resets_at.ToDatetime(UTC) if usage.HasField("resets_at") else None,
    )
