"""Checks, between the contract and the model. Data plane: requests are read in place, without a command object."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from candela.catalog.v1 import metric_pb2
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2

from candela_server.catalog.wire import feature_value_to_proto, limit_behavior_to_proto
from candela_server.contract.values import (
    interval_to_proto,
    optional_timestamp_to_proto,
)
from candela_server.customer.model import (
    CustomerByExternalId,
    CustomerById,
    CustomerId,
    UserByExternalId,
    UserById,
    UserId,
)
from candela_server.kernel.errors import FieldViolations, InvalidInput
from candela_server.kernel.ids import parse_id
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import decimal

from .model import Answer, Denial, Origin, Snapshot, Source
from .snapshot_facts import Who

ONE = Decimal(1)

_SOURCES = {
    Source.OVERRIDE: entitlement_pb2.ENTITLEMENT_SOURCE_OVERRIDE,
    Source.PLAN: entitlement_pb2.ENTITLEMENT_SOURCE_PLAN,
    Source.CREDITS: entitlement_pb2.ENTITLEMENT_SOURCE_CREDITS,
    Source.DEFAULT: entitlement_pb2.ENTITLEMENT_SOURCE_DEFAULT,
}
_DENIALS = {
    None: entitlement_pb2.DENIAL_REASON_UNSPECIFIED,
    Denial.FEATURE_NOT_IN_PLAN: entitlement_pb2.DENIAL_REASON_FEATURE_NOT_IN_PLAN,
    Denial.FEATURE_OFF: entitlement_pb2.DENIAL_REASON_FEATURE_OFF,
    Denial.LIMIT_REACHED: entitlement_pb2.DENIAL_REASON_LIMIT_REACHED,
    Denial.CREDITS_EXHAUSTED: entitlement_pb2.DENIAL_REASON_CREDITS_EXHAUSTED,
    Denial.NO_ACTIVE_SUBSCRIPTION: entitlement_pb2.DENIAL_REASON_NO_ACTIVE_SUBSCRIPTION,
    Denial.SUBSCRIPTION_PAST_DUE: entitlement_pb2.DENIAL_REASON_SUBSCRIPTION_PAST_DUE,
    Denial.SUBSCRIPTION_PAUSED: entitlement_pb2.DENIAL_REASON_SUBSCRIPTION_PAUSED,
    Denial.CUSTOMER_UNKNOWN: entitlement_pb2.DENIAL_REASON_CUSTOMER_UNKNOWN,
    Denial.FEATURE_DISABLED: entitlement_pb2.DENIAL_REASON_FEATURE_DISABLED,
    Denial.NO_SEAT: entitlement_pb2.DENIAL_REASON_NO_SEAT,
}
# In the order in which they are told of several answers: one that was read from the rollups makes all of them slow.
_ORIGINS = {
    Origin.ROLLUPS: entitlement_pb2.USAGE_ORIGIN_ROLLUPS,
    Origin.COUNTERS: entitlement_pb2.USAGE_ORIGIN_COUNTERS,
    Origin.DOUBTFUL_COUNTERS: entitlement_pb2.USAGE_ORIGIN_COUNTERS,
    Origin.NONE: entitlement_pb2.USAGE_ORIGIN_UNSPECIFIED,
}
MAX_EXTERNAL_ID_LENGTH = 255
_read_quantity = decimal(least=Decimal(0))


def who_from_proto(request: Any) -> Who:
    """Who is asked about. Raises InvalidInput when nobody is named or the id is another kind's."""
    kind = request.WhichOneof("who")
    try:
        match kind:
            case "external_user_id":
                return UserByExternalId(_present(request.external_user_id))
            case "customer_id":
                return CustomerById(CustomerId(parse_id("cus", request.customer_id)))
            case "external_customer_id":
                return CustomerByExternalId(_present(request.external_customer_id))
            case "user_id":
                return UserById(UserId(parse_id("usr", request.user_id)))
            case _:
                raise ValueError("must name a customer or a user, by one of the four ids")
    except ValueError as error:
        raise InvalidInput(str(error), field=kind or "who") from error


def quantity_from_proto(request: entitlement_service_pb2.CheckRequest) -> Decimal:
    """How much is asked for: 1 when nothing is said. Raises InvalidInput."""
    if not request.HasField("quantity"):
        return ONE
    with FieldViolations() as fields:
        return fields.read("quantity", _read_quantity, request.quantity)


def check_response_to_proto(
    answer: Answer, snapshot: Snapshot
) -> entitlement_service_pb2.CheckResponse:
    """The answer to one check."""
    return entitlement_service_pb2.CheckResponse(
        entitlement=entitlement_to_proto(answer, snapshot),
        freshness=freshness_to_proto(snapshot, [answer]),
    )


def entitlement_to_proto(answer: Answer, snapshot: Snapshot) -> entitlement_pb2.Entitlement:
    """The answer as the contract shows it."""
    state = answer.state
    return entitlement_pb2.Entitlement(
        feature=state.slug,
        entitled=answer.entitled,
        denial_reason=_DENIALS[answer.denial],
        source=_SOURCES[state.source],
        value=feature_value_to_proto(state.value),
        usage=_usage_to_proto(answer),
        credit_info=_credit_info_to_proto(answer),
        subscription_id=snapshot.subscription_of(state) or "",
        valid_until=optional_timestamp_to_proto(state.valid_until),
    )


def feature_usage_to_proto(answer: Answer) -> entitlement_service_pb2.FeatureUsage:
    """Where the customer stands with a metered feature."""
    metered = answer.state.metered
    assert metered is not None, "asked of metered features only"
    return entitlement_service_pb2.FeatureUsage(
        feature=answer.state.slug,
        metric=metric_pb2.MetricRef(id=metered.metric.id),
        window=interval_to_proto(metered.window),
        usage=_usage_to_proto(answer),
        credit_info=_credit_info_to_proto(answer),
    )


def freshness_to_proto(snapshot: Snapshot, answers: Sequence[Answer]) -> entitlement_pb2.Freshness:
    """How current these answers are."""
    origins = {answer.origin for answer in answers}
    return entitlement_pb2.Freshness(
        revision=snapshot.revision,
        stale=snapshot.stale or Origin.DOUBTFUL_COUNTERS in origins,
        usage_origin=next(_ORIGINS[origin] for origin in _ORIGINS if origin in origins)
        if origins
        else entitlement_pb2.USAGE_ORIGIN_UNSPECIFIED,
    )


def _usage_to_proto(answer: Answer) -> entitlement_pb2.Usage | None:
    usage = answer.usage
    if usage is None:
        return None
    return entitlement_pb2.Usage(
        used=format_decimal(usage.used),
        limit=None if usage.limit is None else format_decimal(usage.limit),
        remaining=None if usage.remaining is None else format_decimal(usage.remaining),
        resets_at=optional_timestamp_to_proto(usage.resets_at),
        limit_behavior=limit_behavior_to_proto(usage.behavior),
        overage=format_decimal(usage.overage),
        reserved=format_decimal(usage.reserved),
        scope=entitlement_pb2.USAGE_SCOPE_USER
        if usage.per_user
        else entitlement_pb2.USAGE_SCOPE_CUSTOMER,
    )


def _credit_info_to_proto(answer: Answer) -> entitlement_pb2.CreditInfo | None:
    metered = answer.state.metered
    if metered is None or metered.credits is None or answer.credits_remaining is None:
        return None
    return entitlement_pb2.CreditInfo(
        allowance=format_decimal(metered.credits.allowance),
        remaining=format_decimal(answer.credits_remaining),
        next_expiry_at=optional_timestamp_to_proto(metered.credits.next_expiry_at),
    )


def _present(value: str) -> str:
    if not value:
        raise ValueError("must not be empty")
    if len(value) > MAX_EXTERNAL_ID_LENGTH:
        raise ValueError(f"must have at most {MAX_EXTERNAL_ID_LENGTH} characters, as every id has")
    return value
