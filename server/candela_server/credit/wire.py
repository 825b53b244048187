"""Credits, between the contract and the model; nothing here decides."""

from __future__ import annotations

from candela.catalog.v1 import credit_definition_pb2
from candela.credit.v1 import credit_pb2, credit_service_pb2

from candela_server.catalog.model import CreditApplicationType, CreditScope
from candela_server.contract.values import (
    money_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.kernel.money import format_decimal

from .model import CreditGrant, CreditTransaction, Funding, TransactionKind
from .rules.balance import FeatureBalance

_TYPES = {
    CreditApplicationType.USAGE: credit_definition_pb2.CREDIT_APPLICATION_TYPE_USAGE,
    CreditApplicationType.MONETARY: credit_definition_pb2.CREDIT_APPLICATION_TYPE_MONETARY,
}
_SCOPES = {
    CreditScope.COMPONENT: credit_definition_pb2.CREDIT_SCOPE_COMPONENT,
    CreditScope.PRICE: credit_definition_pb2.CREDIT_SCOPE_PRICE,
    CreditScope.PLAN: credit_definition_pb2.CREDIT_SCOPE_PLAN,
    CreditScope.MERCHANT: credit_definition_pb2.CREDIT_SCOPE_MERCHANT,
}
_FUNDINGS = {
    Funding.INCLUDED: credit_pb2.CREDIT_FUNDING_INCLUDED,
    Funding.FREE: credit_pb2.CREDIT_FUNDING_FREE,
    Funding.PROMOTION: credit_pb2.CREDIT_FUNDING_PROMOTION,
    Funding.PAID: credit_pb2.CREDIT_FUNDING_PAID,
    Funding.ROLLOVER: credit_pb2.CREDIT_FUNDING_ROLLOVER,
}
_KINDS = {
    TransactionKind.GRANT: credit_pb2.CREDIT_TRANSACTION_KIND_GRANT,
    TransactionKind.DRAW: credit_pb2.CREDIT_TRANSACTION_KIND_DRAW,
    TransactionKind.EXPIRE: credit_pb2.CREDIT_TRANSACTION_KIND_EXPIRE,
    TransactionKind.REVOKE: credit_pb2.CREDIT_TRANSACTION_KIND_REVOKE,
    TransactionKind.RESTORE: credit_pb2.CREDIT_TRANSACTION_KIND_RESTORE,
    TransactionKind.ADJUST: credit_pb2.CREDIT_TRANSACTION_KIND_ADJUST,
}


def grant_to_proto(grant: CreditGrant) -> credit_pb2.CreditGrant:
    """The grant as the contract shows it."""
    return credit_pb2.CreditGrant(
        id=grant.id,
        customer_id=grant.customer_id,
        subscription_id=grant.subscription_id,
        credit_definition_id=grant.definition_id,
        application_type=_TYPES[grant.application_type],
        scope=_SCOPES[grant.scope],
        feature_id=grant.feature_id,
        metric_id=grant.metric_id,
        price_component_id=grant.component_id,
        currency=grant.currency,
        amount=format_decimal(grant.amount),
        balance=format_decimal(grant.balance),
        effective_at=timestamp_to_proto(grant.effective_at),
        expires_at=optional_timestamp_to_proto(grant.expires_at),
        priority=grant.priority,
        funding=_FUNDINGS[grant.funding],
        reason=grant.reason,
        created_at=timestamp_to_proto(grant.created_at),
        cost_basis=money_to_proto(grant.cost_basis) if grant.cost_basis else None,
    )


def transaction_to_proto(transaction: CreditTransaction) -> credit_pb2.CreditTransaction:
    """The change of a balance as the contract shows it."""
    return credit_pb2.CreditTransaction(
        id=transaction.id,
        grant_id=transaction.grant_id,
        kind=_KINDS[transaction.kind],
        amount=format_decimal(transaction.amount),
        invoice_line_id=transaction.invoice_line_id,
        reason=transaction.reason,
        at=timestamp_to_proto(transaction.at),
    )


def feature_balance_to_proto(
    balance: FeatureBalance, slug: str
) -> credit_service_pb2.FeatureBalance:
    """What is left of one feature's credits, as the contract shows it."""
    return credit_service_pb2.FeatureBalance(
        feature_id=balance.feature_id,
        feature_slug=slug,
        granted=format_decimal(balance.granted),
        balance=format_decimal(balance.balance),
        next_expiry_at=optional_timestamp_to_proto(balance.next_expiry_at),
    )
