"""Changes a feature's name, description, default value or metric; slug and type never change."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from candela_server.storage.postgres import Tx

from . import edit_store, read
from .create_feature import FeatureTypeMismatchError
from .model import Feature, FeatureValue
from .refs import Ref
from .terms_json import value_to_json, value_to_text


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateFeature:
    """What to change; None leaves a field as it is."""

    feature: Ref
    name: str | None
    description: str | None
    default_value: FeatureValue | None
    metric: Ref | None


async def update_feature(tx: Tx, command: UpdateFeature) -> Feature:
    """Changes what the command names; a new default or metric counts for every customer at once.

    Raises FeatureNotFoundError, MetricNotFoundError and FeatureTypeMismatchError.
    """
    before = await read.get_feature(tx, command.feature, lock=True)
    if command.default_value is not None and not before.type.admits(command.default_value):
        raise FeatureTypeMismatchError(before.slug, before.type, "default_value")
    metric = await read.get_metric_in_use(tx, command.metric) if command.metric else None
    after = replace(
        before,
        name=before.name if command.name is None else command.name,
        description=before.description if command.description is None else command.description,
        default_value=before.default_value
        if command.default_value is None
        else command.default_value,
        metric_id=metric.id if metric else before.metric_id,
    )
    await edit_store.update_feature(tx, after)
    await tx.audit("feature.updated", after.id, before=_trace(before), after=_trace(after))
    # Names and descriptions are in no answer.
    if after.metric_id != before.metric_id:
        await tx.entitlements_changed(None)
    elif after.default_value != before.default_value:
        await tx.feature_default_changed(after.slug, value_to_text(after.default_value))
    return after


def _trace(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "description": feature.description,
        "default_value": value_to_json(feature.default_value),
        "metric_id": feature.metric_id,
    }
