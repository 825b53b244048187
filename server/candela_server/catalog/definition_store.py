"""Every SQL text over credit definitions; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from candela_server.storage.postgres import Tx

from .model import (
    CreditApplicationType,
    CreditBasis,
    CreditDefinition,
    CreditDefinitionId,
    CreditScope,
    PlanId,
)
from .store import Position

_DEFINITION = """id, name, scope, application_type, plan_id, plan_version_id, price_id, component_id,
                 feature_id, metric_id, default_amount, refill_amount, currency, renew_on_billing,
                 renewal_rule, billing_visible, basis, expires_after, rollover_cap, priority,
                 created_at, archived_at"""


async def insert_credit_definition(tx: Tx, definition: CreditDefinition) -> None:
    """Stores a new credit definition."""
    await tx.execute(
        """
        INSERT INTO credit_definition (
            merchant_id, id, name, scope, application_type, plan_id, plan_version_id, price_id,
            component_id, feature_id, metric_id, default_amount, refill_amount, currency,
            renew_on_billing, renewal_rule, billing_visible, basis, expires_after, rollover_cap,
            priority, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                $19, $20, $21, $22)
        """,
        tx.merchant_id,
        definition.id,
        definition.name,
        definition.scope,
        definition.application_type,
        definition.plan_id,
        definition.plan_version_id,
        definition.price_id,
        definition.component_id,
        definition.feature_id,
        definition.metric_id,
        definition.default_amount,
        definition.refill_amount,
        definition.currency,
        definition.renew_on_billing,
        definition.renewal_rule,
        definition.billing_visible,
        definition.basis,
        definition.expires_after,
        definition.rollover_cap,
        definition.priority,
        definition.created_at,
    )


async def list_credit_definitions(
    tx: Tx, *, plan_version_ids: Sequence[str]
) -> list[CreditDefinition]:
    """The definitions in use that come with these versions, oldest first."""
    rows = await tx.fetch(
        f"""
        SELECT {_DEFINITION} FROM credit_definition
        WHERE merchant_id = $1 AND plan_version_id = ANY($2::text[]) AND archived_at IS NULL
        ORDER BY created_at, id
        """,
        tx.merchant_id,
        list(plan_version_ids),
    )
    return [_definition_from_row(row) for row in rows]


async def list_credit_definitions_by_id(tx: Tx, ids: Sequence[str]) -> list[CreditDefinition]:
    """The definitions with these ids, archived ones too."""
    rows = await tx.fetch(
        f"""
        SELECT {_DEFINITION} FROM credit_definition
        WHERE merchant_id = $1 AND id = ANY($2::text[])
        """,
        tx.merchant_id,
        list(ids),
    )
    return [_definition_from_row(row) for row in rows]


async def page_credit_definitions(
    tx: Tx, *, plan_id: PlanId | None, limit: int, after: Position | None
) -> list[CreditDefinition]:
    """One page of definitions by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_DEFINITION} FROM credit_definition
        WHERE merchant_id = $1 AND ($2::text IS NULL OR plan_id = $2)
          AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
        ORDER BY created_at, id LIMIT $5
        """,
        tx.merchant_id,
        plan_id,
        after_at,
        after_id,
        limit,
    )
    return [_definition_from_row(row) for row in rows]


async def find_credit_definition(
    tx: Tx, definition_id: CreditDefinitionId
) -> CreditDefinition | None:
    """The definition with this id."""
    row = await tx.fetchrow(
        f"SELECT {_DEFINITION} FROM credit_definition WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        definition_id,
    )
    return _definition_from_row(row) if row else None


def _definition_from_row(row: Mapping[str, Any]) -> CreditDefinition:
    return CreditDefinition(
        id=CreditDefinitionId(row["id"]),
        name=row["name"],
        scope=CreditScope(row["scope"]),
        application_type=CreditApplicationType(row["application_type"]),
        plan_id=row["plan_id"],
        plan_version_id=row["plan_version_id"],
        price_id=row["price_id"],
        component_id=row["component_id"],
        feature_id=row["feature_id"],
        metric_id=row["metric_id"],
        default_amount=row["default_amount"],
        refill_amount=row["refill_amount"],
        currency=row["currency"],
        renew_on_billing=row["renew_on_billing"],
        renewal_rule=row["renewal_rule"],
        billing_visible=row["billing_visible"],
        basis=CreditBasis(row["basis"]),
        expires_after=row["expires_after"],
        rollover_cap=row["rollover_cap"],
        priority=row["priority"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
    )
