"""Reads two versions of a plan and says what differs (CAT-9)."""

from __future__ import annotations

from candela_server.kernel.errors import InvalidInput
from candela_server.storage.postgres import Tx

from . import read
from .model import PlanVersion, PlanVersionId
from .rules.version_difference import Difference, Terms, version_difference


async def diff_plan_versions(
    tx: Tx, from_id: PlanVersionId, to_id: PlanVersionId
) -> list[Difference]:
    """What differs from one version to another of the same plan. Raises PlanVersionNotFoundError and InvalidInput."""
    before = await read.get_plan_version(tx, from_id)
    after = await read.get_plan_version(tx, to_id)
    if before.plan_id != after.plan_id:
        raise InvalidInput(
            f"is a version of {after.plan_id}, not of {before.plan_id}; name two versions of one plan",
            field="to_plan_version_id",
        )
    feature_slugs = {feature.id: feature.slug for feature in await read.list_features(tx)}
    metric_slugs = {metric.id: metric.slug for metric in await read.list_metrics(tx)}

    async def terms(version: PlanVersion) -> Terms:
        return Terms(
            features=version.features,
            credit_definitions=await read.list_credit_definitions(tx, version.id),
            feature_slugs=feature_slugs,
            metric_slugs=metric_slugs,
        )

    return version_difference(await terms(before), await terms(after))
