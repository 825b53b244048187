"""Every SQL text that changes a feature, a metric or a credit definition after it was made. Nothing here decides."""

from __future__ import annotations

from datetime import datetime

from candela_server.storage.postgres import Tx

from .model import CreditDefinitionId, Feature, Metric
from .terms_json import value_to_json


async def update_feature(tx: Tx, feature: Feature) -> None:
    """Stores what may change of a feature; switching it off has a statement of its own."""
    await tx.execute(
        """
        UPDATE feature SET name = $3, description = $4, default_value = $5, metric_id = $6,
                           archived_at = $7
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        feature.id,
        feature.name,
        feature.description,
        value_to_json(feature.default_value),
        feature.metric_id,
        feature.archived_at,
    )


async def update_metric(tx: Tx, metric: Metric) -> None:
    """Stores what may change of a metric; what it counts is not among it."""
    await tx.execute(
        """
        UPDATE metric SET name = $3, unit_name = $4, archived_at = $5
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        metric.id,
        metric.name,
        metric.unit_name,
        metric.archived_at,
    )


async def archive_credit_definition(
    tx: Tx, definition_id: CreditDefinitionId, archived_at: datetime
) -> None:
    """Ends granting from a definition, unless that has ended already."""
    await tx.execute(
        """
        UPDATE credit_definition SET archived_at = $3
        WHERE merchant_id = $1 AND id = $2 AND archived_at IS NULL
        """,
        tx.merchant_id,
        definition_id,
        archived_at,
    )
