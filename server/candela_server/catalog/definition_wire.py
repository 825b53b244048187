"""Credit definitions, between the contract and the model; what could never be granted is refused here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from candela.catalog.v1 import credit_definition_pb2
from google.protobuf.duration_pb2 import Duration

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel import read_fields
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import (
    currency_code,
    decimal,
    positive_decimal,
    slug,
)
from candela_server.kernel.read_names import line

from .create_credit_definition import NewCreditDefinition
from .members import member_named
from .model import CreditApplicationType, CreditBasis, CreditDefinition, CreditScope
from .price_terms_wire import rule_with_zone

MAX_EXPIRY = timedelta(days=36_525)
"""A century: what lasts longer is meant to last for ever, which needs no expiry."""

_ZERO = Decimal(0)

_CREDIT_SCOPES = {
    CreditScope.COMPONENT: credit_definition_pb2.CREDIT_SCOPE_COMPONENT,
    CreditScope.PRICE: credit_definition_pb2.CREDIT_SCOPE_PRICE,
    CreditScope.PLAN: credit_definition_pb2.CREDIT_SCOPE_PLAN,
    CreditScope.MERCHANT: credit_definition_pb2.CREDIT_SCOPE_MERCHANT,
}
_APPLICATION_TYPES = {
    CreditApplicationType.USAGE: credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
    CreditApplicationType.MONETARY: credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY,
}
_BASES = {
    CreditBasis.CUSTOMER: credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
    CreditBasis.SEAT: credit_definition_pb2.CREDIT_BASIS_SEAT,
}


def new_credit_definition_from_proto(
    new: credit_definition_pb2.NewCreditDefinition,
) -> NewCreditDefinition:
    """The new definition; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        kind = fields.read(
            "application_type", member_named, _APPLICATION_TYPES, new.application_type
        )
        scope = fields.read("scope", member_named, _CREDIT_SCOPES, new.scope)
        default_amount = fields.read("default_amount", positive_decimal, new.default_amount)
        return NewCreditDefinition(
            name=fields.read("name", line(1, 200), new.name),
            scope=scope,
            application_type=kind,
            feature_slug=_feature_from_proto(fields, kind, new),
            default_amount=default_amount,
            refill_amount=fields.read("refill_amount", decimal(least=_ZERO), new.refill_amount)
            if new.refill_amount
            else default_amount,
            currency=_currency_from_proto(fields, kind, new),
            renew_on_billing=new.renew_on_billing,
            renewal_rule=_renewal_from_proto(fields, new),
            billing_visible=new.billing_visible,
            basis=fields.read(
                "basis",
                member_named,
                _BASES,
                new.basis or credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
            ),
            expires_after=_expiry_from_proto(fields, new),
            rollover_cap=_rollover_from_proto(fields, new),
            priority=fields.read("priority", read_fields.whole_number(-1000, 1000), new.priority),
        )


def _feature_from_proto(
    fields: FieldViolations,
    kind: CreditApplicationType,
    new: credit_definition_pb2.NewCreditDefinition,
) -> str | None:
    if kind is CreditApplicationType.USAGE:
        return fields.read("feature", slug, new.feature)
    if kind is CreditApplicationType.MONETARY and new.feature:
        fields.add("feature", "must be empty: money is no feature's allowance")
    return None


def _currency_from_proto(
    fields: FieldViolations,
    kind: CreditApplicationType,
    new: credit_definition_pb2.NewCreditDefinition,
) -> str | None:
    if kind is CreditApplicationType.MONETARY:
        return fields.read("currency", currency_code, new.currency)
    if kind is CreditApplicationType.USAGE and new.currency:
        fields.add("currency", "must be empty: usage credits are units, not money")
    return None


def _renewal_from_proto(
    fields: FieldViolations, new: credit_definition_pb2.NewCreditDefinition
) -> str | None:
    if not new.renewal_rule:
        return None
    if new.renew_on_billing:
        fields.add("renewal_rule", "must be empty with renew_on_billing; choose one of the two")
    return fields.read("renewal_rule", rule_with_zone, new.renewal_rule)


def _expiry_from_proto(
    fields: FieldViolations, new: credit_definition_pb2.NewCreditDefinition
) -> timedelta | None:
    if not new.HasField("expires_after"):
        return None
    if new.renew_on_billing:
        fields.add(
            "expires_after", "must be absent with renew_on_billing: a grant ends with its period"
        )
    return fields.read("expires_after", _expiry, new.expires_after)


def _expiry(value: Duration) -> timedelta:
    try:
        span = value.ToTimedelta()
    except (OverflowError, ValueError) as error:
        raise ValueError("is not a duration") from error
    if not timedelta(0) < span <= MAX_EXPIRY:
        raise ValueError(f"must be above 0 and at most {MAX_EXPIRY.days} days, not {span}")
    return span


def _rollover_from_proto(
    fields: FieldViolations, new: credit_definition_pb2.NewCreditDefinition
) -> Decimal:
    if not new.rollover_cap:
        return _ZERO
    cap = fields.read("rollover_cap", decimal(least=_ZERO), new.rollover_cap)
    if isinstance(cap, Decimal) and cap and not (new.renew_on_billing or new.renewal_rule):
        fields.add("rollover_cap", "must be empty: what is granted once has no next period")
    return cap


def credit_definition_to_proto(
    definition: CreditDefinition,
) -> credit_definition_pb2.CreditDefinition:
    """The definition as the contract shows it."""
    return credit_definition_pb2.CreditDefinition(
        id=definition.id,
        name=definition.name,
        scope=_CREDIT_SCOPES[definition.scope],
        application_type=_APPLICATION_TYPES[definition.application_type],
        plan_id=definition.plan_id,
        price_id=definition.price_id,
        price_component_id=definition.component_id,
        feature_id=definition.feature_id,
        metric_id=definition.metric_id,
        default_amount=format_decimal(definition.default_amount),
        refill_amount=format_decimal(definition.refill_amount),
        currency=definition.currency,
        renew_on_billing=definition.renew_on_billing,
        renewal_rule=definition.renewal_rule or "",
        billing_visible=definition.billing_visible,
        basis=_BASES[definition.basis],
        expires_after=_optional_duration(definition.expires_after),
        rollover_cap=format_decimal(definition.rollover_cap),
        priority=definition.priority,
        created_at=timestamp_to_proto(definition.created_at),
        archived_at=optional_timestamp_to_proto(definition.archived_at),
    )


def _optional_duration(span: timedelta | None) -> Duration | None:
    if span is None:
        return None
    duration = Duration()
    duration.FromTimedelta(span)
    return duration
