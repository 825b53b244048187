"""Gives a customer credit by hand: an allowance of usage, or money off invoices (CRD-10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from candela_server.catalog import read as catalog
from candela_server.catalog.model import CreditApplicationType, CreditScope, Feature
from candela_server.catalog.refs import Ref
from candela_server.customer import read as customer
from candela_server.customer.model import CustomerRef
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, InvalidInput
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from .model import CreditGrant, Funding, GrantId
from .new_grant import store_grants

MAX_BACKDATING: Final = timedelta(days=366)
"""How long ago a grant may begin: what was used before that is on final invoices for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantCredits:
    """Who gets how much of what. Usage credits name a feature, monetary ones a currency; `effective_at` None: now."""

    customer: CustomerRef
    application_type: CreditApplicationType
    feature: Ref | None
    currency: str | None
    amount: Decimal
    effective_at: datetime | None
    expires_at: datetime | None
    priority: int
    funding: Funding
    reason: str


async def grant_by_hand(tx: Tx, clock: Clock, command: GrantCredits) -> CreditGrant:
    """The grant; the next check sees it, and invoices of usage from `effective_at` on.

    Raises CustomerNotFoundError, CustomerArchivedError, FeatureNotFoundError, and InvalidInput for a feature that is
    not metered and for instants that cannot be.
    """
    holder = await customer.get_customer_in_business(tx, command.customer)
    now = (await customer.customer_clock(tx, clock, holder)).now()
    feature = await usage_feature(tx, command.feature) if command.feature else None
    effective_at = command.effective_at or now
    check_span(effective_at, command.expires_at, now)
    grant = CreditGrant(
        id=GrantId(new_id("grant")),
        customer_id=holder.id,
        subscription_id=None,
        definition_id=None,
        application_type=command.application_type,
        scope=CreditScope.MERCHANT,
        feature_id=feature.id if feature else None,
        metric_id=feature.metric_id if feature else None,
        component_id=None,
        currency=command.currency,
        amount=command.amount,
        balance=command.amount,
        effective_at=effective_at,
        expires_at=command.expires_at,
        priority=command.priority,
        funding=command.funding,
        billing_visible=True,
        reason=command.reason,
        created_at=now,
    )
    await store_grants(tx, [grant], at=now)
    await tx.audit(
        "grant.created",
        grant.id,
        after={
            "customer_id": holder.id,
            "application_type": grant.application_type,
            "feature_id": grant.feature_id,
            "currency": grant.currency,
            "amount": grant.amount,
            "effective_at": grant.effective_at,
            "expires_at": grant.expires_at,
            "priority": grant.priority,
            "funding": grant.funding,
        },
        reason=command.reason,
    )
    await tx.entitlements_changed(holder.id)
    return grant


async def usage_feature(tx: Tx, ref: Ref) -> Feature:
    """The feature, if it has a metric whose usage credit can cover. Raises FeatureNotFoundError and InvalidInput."""
    feature = await catalog.get_feature(tx, ref)
    if feature.metric_id is None:
        raise InvalidInput(
            f"feature {feature.slug!r} has no metric, so there is no usage that credit could cover; "
            "name a usage feature",
            field="feature",
        )
    return feature


def check_span(effective_at: datetime, expires_at: datetime | None, now: datetime) -> None:
    """Raises InvalidInput when a grant with this life could pay for nothing any more."""
    with FieldViolations() as fields:
        if effective_at < now - MAX_BACKDATING:
            fields.add(
                "effective_at",
                f"is {effective_at:%Y-%m-%dT%H:%M:%SZ}, which is more than {MAX_BACKDATING.days} days "
                "before the customer's present; give a later instant, or none for the present",
            )
        if expires_at is not None and expires_at <= max(effective_at, now):
            fields.add(
                "expires_at",
                f"is {expires_at:%Y-%m-%dT%H:%M:%SZ}; it must lie after "
                f"{max(effective_at, now):%Y-%m-%dT%H:%M:%SZ}, when the grant begins or it is now",
            )
