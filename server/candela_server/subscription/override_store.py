"""Every SQL text over feature overrides; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from candela_server.catalog.model import FeatureId
from candela_server.catalog.terms_json import value_from_json, value_to_json
from candela_server.storage.postgres import Row, Tx

from .feature_override import FeatureOverride
from .model import SubscriptionId


async def insert_override(tx: Tx, override: FeatureOverride) -> None:
    """Stores an override; an earlier one of the feature must have been ended before."""
    await tx.execute(
        """
        INSERT INTO feature_override (merchant_id, id, subscription_id, feature_id, value,
                                      expires_at, reason, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        tx.merchant_id,
        override.id,
        override.subscription_id,
        override.feature_id,
        value_to_json(override.value),
        override.expires_at,
        override.reason,
        override.created_at,
    )


async def end_override(tx: Tx, override_id: str, at: datetime) -> None:
    """Makes an override history."""
    await tx.execute(
        """
        UPDATE feature_override SET removed_at = $3
        WHERE merchant_id = $1 AND id = $2 AND removed_at IS NULL
        """,
        tx.merchant_id,
        override_id,
        at,
    )


async def list_overrides(
    tx: Tx, subscription_ids: Sequence[SubscriptionId]
) -> list[FeatureOverride]:
    """The overrides of these subscriptions that were not removed, expired ones too, by subscription and slug."""
    rows = await tx.fetch(
        """
        SELECT o.id, o.subscription_id, o.feature_id, f.slug, o.value, o.expires_at, o.reason,
               o.created_at
        FROM feature_override o
        JOIN feature f ON f.merchant_id = o.merchant_id AND f.id = o.feature_id
        WHERE o.merchant_id = $1 AND o.subscription_id = ANY($2::text[]) AND o.removed_at IS NULL
        ORDER BY o.subscription_id, f.slug
        """,
        tx.merchant_id,
        list(subscription_ids),
    )
    return [_override_from_row(row) for row in rows]


def _override_from_row(row: Row) -> FeatureOverride:
    return FeatureOverride(
        id=row["id"],
        subscription_id=SubscriptionId(row["subscription_id"]),
        feature_id=FeatureId(row["feature_id"]),
        feature_slug=row["slug"],
        value=value_from_json(row["value"]),
        expires_at=row["expires_at"],
        reason=row["reason"],
        created_at=row["created_at"],
    )
