"""Every SQL text that moves a plan and its versions along; reading them is in `store.py`. Nothing here decides."""

from __future__ import annotations

from datetime import datetime

from candela_server.storage.postgres import Tx

from .model import Plan, PlanId, PlanVersion, PlanVersionId, PlanVersionStatus
from .terms_json import value_to_json


async def lock_plan(tx: Tx, plan_id: PlanId) -> None:
    """Makes others who change this plan or its versions wait until commit; sales and reading go on."""
    await tx.execute(
        "SELECT 1 FROM plan WHERE merchant_id = $1 AND id = $2 FOR NO KEY UPDATE",
        tx.merchant_id,
        plan_id,
    )


async def update_plan(tx: Tx, plan: Plan) -> None:
    """Stores what may change of a plan without a new version."""
    await tx.execute(
        """
        UPDATE plan SET name = $3, description = $4, publicly_visible = $5, metadata = $6,
                        archived_at = $7
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        plan.id,
        plan.name,
        plan.description,
        plan.publicly_visible,
        dict(plan.metadata),
        plan.archived_at,
    )


async def next_number(tx: Tx, plan_id: PlanId) -> int:
    """The number of the plan's next version; the plan must be locked."""
    number: int = await tx.fetchval(
        """
        SELECT coalesce(max(number), 0) + 1 FROM plan_version
        WHERE merchant_id = $1 AND plan_id = $2
        """,
        tx.merchant_id,
        plan_id,
    )
    return number


async def find_latest_draft(tx: Tx, plan_id: PlanId) -> PlanVersionId | None:
    """The plan's draft with the highest number."""
    found: str | None = await tx.fetchval(
        """
        SELECT id FROM plan_version WHERE merchant_id = $1 AND plan_id = $2 AND status = 'draft'
        ORDER BY number DESC LIMIT 1
        """,
        tx.merchant_id,
        plan_id,
    )
    return PlanVersionId(found) if found else None


async def latest_publication(tx: Tx, plan_id: PlanId) -> datetime | None:
    """When a version of the plan was last published, archived ones too."""
    found: datetime | None = await tx.fetchval(
        "SELECT max(published_at) FROM plan_version WHERE merchant_id = $1 AND plan_id = $2",
        tx.merchant_id,
        plan_id,
    )
    return found


async def insert_draft(tx: Tx, draft: PlanVersion) -> None:
    """Stores a new version, a draft, with the features it grants."""
    await tx.execute(
        """
        INSERT INTO plan_version (merchant_id, id, plan_id, number, status, message, author,
                                  created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        tx.merchant_id,
        draft.id,
        draft.plan_id,
        draft.number,
        draft.status,
        draft.message,
        draft.author,
        draft.created_at,
    )
    await insert_granted_features(tx, draft)


async def insert_granted_features(tx: Tx, draft: PlanVersion) -> None:
    """Stores the features of a draft that has none, in order."""
    await tx.executemany(
        """
        INSERT INTO plan_version_feature (merchant_id, plan_version_id, feature_id, position, value,
                                          limit_behavior, limit_scope)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        [
            (
                tx.merchant_id,
                draft.id,
                granted.feature_id,
                position,
                value_to_json(granted.value),
                granted.limit_behavior,
                granted.limit_scope,
            )
            for position, granted in enumerate(draft.features)
        ],
    )


async def empty_draft(tx: Tx, version_id: PlanVersionId) -> None:
    """Takes all features and credit definitions out of a draft."""
    for statement in (
        "DELETE FROM plan_version_feature WHERE merchant_id = $1 AND plan_version_id = $2",
        "DELETE FROM credit_definition WHERE merchant_id = $1 AND plan_version_id = $2",
    ):
        await tx.execute(statement, tx.merchant_id, version_id)


async def set_message(tx: Tx, version_id: PlanVersionId, message: str) -> None:
    """Says anew why a draft was made."""
    await tx.execute(
        "UPDATE plan_version SET message = $3 WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        version_id,
        message,
    )


async def set_status(
    tx: Tx, version_id: PlanVersionId, status: PlanVersionStatus, published_at: datetime | None
) -> None:
    """Moves a version to its next state."""
    await tx.execute(
        """
        UPDATE plan_version SET status = $3, published_at = $4
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        version_id,
        status,
        published_at,
    )
