"""Adds a feature."""

from __future__ import annotations

from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput, Reason
from candela_server.kernel.ids import new_id
from candela_server.storage.postgres import Tx

from . import store
from .model import Feature, FeatureId, FeatureType, FeatureValue, MetricId
from .terms_json import value_to_json


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeature:
    """What the new feature is. `metric_slug` names the metric that counts its use."""

    slug: str
    name: str
    description: str
    type: FeatureType
    default_value: FeatureValue
    metric_slug: str | None


class FeatureTypeMismatchError(InvalidInput):
    """A value is of another type than its feature."""

    reason = Reason.FEATURE_TYPE_MISMATCH

    def __init__(self, feature: str, expected: FeatureType, field: str) -> None:
        super().__init__(
            f"feature {feature!r} takes a {expected} value",
            field=field,
            feature=feature,
            expected=expected,
        )


async def create_feature(
    tx: Tx, clock: Clock, new: NewFeature, metric_id: MetricId | None
) -> Feature:
    """Adds a feature, which grants nothing until a plan or an override has it (ENT-1). Raises SlugTakenError."""
    feature = Feature(
        id=FeatureId(new_id("feat")),
        slug=new.slug,
        name=new.name,
        description=new.description,
        type=new.type,
        default_value=new.default_value,
        metric_id=metric_id,
        created_at=clock.now(),
    )
    await store.insert_feature(tx, feature)
    await tx.audit(
        "feature.created",
        feature.id,
        after={
            "slug": feature.slug,
            "type": feature.type,
            "default_value": value_to_json(feature.default_value),
            "metric_id": feature.metric_id,
        },
    )
    await tx.catalog_grew()
    return feature
