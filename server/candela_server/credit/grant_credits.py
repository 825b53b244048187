"""Grants what comes with plans, for many subscriptions at once and once per period (CRD-5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from .model import CreditGrant, Funding, GrantId, PeriodGrant
from .new_grant import store_grants


async def grant_for_periods(tx: Tx, wanted: Sequence[PeriodGrant], *, at: datetime) -> int:
    """Grants what each definition gives for its period; what was granted before is left alone.

    Keyed by definition, subscription and period, so that a job which runs twice cannot grant twice. Returns how many
    grants are new.
    """
    return len(await store_grants(tx, grants_of(wanted, at=at), at=at))


def grants_of(wanted: Sequence[PeriodGrant], *, at: datetime) -> list[CreditGrant]:
    """The grants that are made of it; for previews as they are, for others to be stored."""
    return [_grant(one, at) for one in wanted if one.amount > 0]


def _grant(wanted: PeriodGrant, at: datetime) -> CreditGrant:
    definition = wanted.definition
    return CreditGrant(
        id=GrantId(new_id("grant")),
        customer_id=wanted.customer_id,
        subscription_id=wanted.subscription_id,
        definition_id=definition.id,
        application_type=definition.application_type,
        scope=definition.scope,
        feature_id=definition.feature_id,
        metric_id=definition.metric_id,
        component_id=definition.component_id,
        currency=definition.currency,
        amount=wanted.amount,
        balance=wanted.amount,
        effective_at=wanted.effective_at,
        expires_at=wanted.expires_at,
        priority=definition.priority,
        funding=Funding.INCLUDED,
        billing_visible=definition.billing_visible,
        reason="",
        created_at=at,
        ordinal=wanted.ordinal,
    )
