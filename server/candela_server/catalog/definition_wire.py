"""Credit definitions, between the contract and the model; what is not granted yet is refused here."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from candela.catalog.v1 import credit_definition_pb2
from google.protobuf.duration_pb2 import Duration

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel import read_fields
from candela_server.kernel.errors import FieldViolations, Unserved
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import (
    currency_code,
    decimal,
    optional,
    positive_decimal,
    slug,
    text,
)

from .create_credit_definition import NewCreditDefinition
from .members import member_named
from .model import CreditApplicationType, CreditBasis, CreditDefinition, CreditScope

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
        if kind is CreditApplicationType.MONETARY:
            raise Unserved("CREDIT_APPLICATION_TYPE_MONETARY", "CRD-8", field="application_type")
        for name, set_, spec_ids in (
            ("renewal_rule", bool(new.renewal_rule), "CRD-5"),
            ("expires_after", new.HasField("expires_after"), "CRD-3"),
            ("rollover_cap", bool(new.rollover_cap), "CRD-3"),
        ):
            if set_:
                raise Unserved(f"NewCreditDefinition.{name}", spec_ids, field=name)
        if scope is not CreditScope.PLAN and scope in _CREDIT_SCOPES:
            raise Unserved(f"CREDIT_SCOPE_{scope.name}", "CRD-2", field="scope")
        if not new.renew_on_billing:
            raise Unserved("credits that are granted once", "CRD-5", field="renew_on_billing")
        if new.currency:
            fields.add("currency", "must be empty: usage credits are units, not money")
        default_amount = fields.read("default_amount", positive_decimal, new.default_amount)
        return NewCreditDefinition(
            name=fields.read("name", text(1, 200), new.name),
            scope=scope,
            application_type=kind,
            feature_slug=fields.read("feature", slug, new.feature),
            default_amount=default_amount,
            refill_amount=fields.read("refill_amount", decimal(least=Decimal(0)), new.refill_amount)
            if new.refill_amount
            else default_amount,
            currency=fields.read("currency", optional(currency_code), new.currency),
            renew_on_billing=new.renew_on_billing,
            renewal=None,
            billing_visible=new.billing_visible,
            basis=fields.read(
                "basis",
                member_named,
                _BASES,
                new.basis or credit_definition_pb2.CREDIT_BASIS_CUSTOMER,
            ),
            expires_after=None,
            rollover_cap=Decimal(0),
            priority=fields.read("priority", read_fields.whole_number(-1000, 1000), new.priority),
        )


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
        renewal_rule=str(definition.renewal) if definition.renewal else "",
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
