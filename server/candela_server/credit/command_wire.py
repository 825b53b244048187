"""What people do with credits by hand, from the contract to commands; nothing here decides."""

from __future__ import annotations

from candela.catalog.v1 import credit_definition_pb2
from candela.credit.v1 import credit_pb2, credit_service_pb2

from candela_server.catalog.members import member_named
from candela_server.catalog.model import CreditApplicationType
from candela_server.catalog.refs import Ref
from candela_server.catalog.wire import ref_from_proto
from candela_server.customer.wire import customer_ref_from_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import Money
from candela_server.kernel.read_fields import (
    currency_code,
    decimal,
    instant,
    optional,
    positive_decimal,
    text,
    typed_id,
    whole_number,
)

from .adjust_grant import AdjustGrant
from .grant_by_hand import GrantCredits
from .model import Funding, GrantId
from .revoke_grant import RevokeGrant

_BY_HAND = {
    Funding.FREE: credit_pb2.CREDIT_FUNDING_FREE,
    Funding.PROMOTION: credit_pb2.CREDIT_FUNDING_PROMOTION,
}
_TYPES = {
    CreditApplicationType.USAGE: credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
    CreditApplicationType.MONETARY: credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY,
}
_REASON = text(1, 500)


def grant_id_from_proto(value: str) -> GrantId:
    """A grant's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return GrantId(fields.read("grant_id", typed_id("grant"), value))


def optional_grant_id_from_proto(value: str) -> GrantId | None:
    """A grant's id, None when empty. Raises InvalidInput."""
    with FieldViolations() as fields:
        found = fields.read("grant_id", optional(typed_id("grant")), value)
        return GrantId(found) if found else None


def grant_credits_from_proto(request: credit_service_pb2.GrantCreditsRequest) -> GrantCredits:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        kind = fields.read("application_type", member_named, _TYPES, request.application_type)
        monetary = kind is CreditApplicationType.MONETARY
        amount = fields.read("amount", positive_decimal, request.amount)
        currency = None
        if monetary:
            currency = fields.read("currency", currency_code, request.currency)
            if (
                not fields.any
                and Money(currency=currency, amount=amount).rounded().amount != amount
            ):
                fields.add("amount", f"has more decimals than {currency} has; round it")
        elif kind is CreditApplicationType.USAGE and request.currency:
            fields.add("currency", "must be empty: usage credits are units, not money")
        return GrantCredits(
            customer=fields.read("customer", customer_ref_from_proto, request.customer),
            application_type=kind,
            feature=_feature(fields, kind, request),
            currency=currency,
            amount=amount,
            effective_at=fields.read("effective_at", instant, request.effective_at)
            if request.HasField("effective_at")
            else None,
            expires_at=fields.read("expires_at", instant, request.expires_at)
            if request.HasField("expires_at")
            else None,
            priority=fields.read("priority", whole_number(-1000, 1000), request.priority),
            funding=fields.read(
                "funding",
                member_named,
                _BY_HAND,
                request.funding or credit_pb2.CREDIT_FUNDING_FREE,
            ),
            reason=fields.read("reason", _REASON, request.reason),
        )


def _feature(
    fields: FieldViolations,
    kind: CreditApplicationType,
    request: credit_service_pb2.GrantCreditsRequest,
) -> Ref | None:
    if kind is CreditApplicationType.USAGE:
        return fields.read("feature", ref_from_proto, "feat", request.feature)
    if kind is CreditApplicationType.MONETARY and request.HasField("feature"):
        fields.add("feature", "must be absent: money is no feature's allowance")
    return None


def revoke_grant_from_proto(request: credit_service_pb2.RevokeGrantRequest) -> RevokeGrant:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return RevokeGrant(
            grant_id=GrantId(fields.read("grant_id", typed_id("grant"), request.grant_id)),
            reason=fields.read("reason", _REASON, request.reason),
        )


def adjust_grant_from_proto(request: credit_service_pb2.AdjustGrantRequest) -> AdjustGrant:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        amount = fields.read("amount", decimal(), request.amount)
        if not fields.any and not amount:
            fields.add("amount", "must not be 0; give what is added, or negative what is taken")
        return AdjustGrant(
            grant_id=GrantId(fields.read("grant_id", typed_id("grant"), request.grant_id)),
            amount=amount,
            reason=fields.read("reason", _REASON, request.reason),
        )
