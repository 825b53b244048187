"""The features that a plan version grants: those that exist and those that are made with it (CAT-1, CAT-2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, Reason
from candela_server.storage.postgres import Tx

from . import read
from .create_feature import NewFeature, create_feature
from .errors import FeatureNotFoundError
from .model import (
    Feature,
    FeatureType,
    FeatureValue,
    LimitBehavior,
    LimitScope,
    MetricId,
    PlanFeature,
)
from .refs import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantedFeature:
    """A feature that the plan grants: one that exists, or one that is made with it. `value` None: granted in full."""

    feature: Ref | NewFeature
    value: FeatureValue | None
    limit_behavior: LimitBehavior | None
    limit_scope: LimitScope


async def find_or_create_features(
    tx: Tx, clock: Clock, granted: Sequence[GrantedFeature], metric_ids: Mapping[str, MetricId]
) -> list[Feature]:
    """The features that are granted, in order: found or made; `metric_ids` are the metrics in use by slug.

    Raises SlugTakenError, and InvalidInput whose violations point into the request.
    """
    found: list[Feature] = []
    with FieldViolations() as fields:
        for index, one in enumerate(granted):
            path = f"features[{index}]"
            if isinstance(one.feature, NewFeature):
                slug = one.feature.metric_slug
                if slug is not None and slug not in metric_ids:
                    fields.add(
                        f"{path}.new_feature.metric.slug",
                        f"no metric {slug!r} in use; create it first, or check the spelling",
                        Reason.METRIC_NOT_FOUND,
                    )
                    continue
                feature = await create_feature(
                    tx, clock, one.feature, metric_ids[slug] if slug else None
                )
            else:
                try:
                    feature = await read.get_feature(tx, one.feature)
                except FeatureNotFoundError as error:
                    fields.add(f"{path}.existing", error.message, error.reason)
                    continue
                if feature.archived_at is not None:
                    fields.add(
                        f"{path}.existing",
                        f"feature {feature.slug!r} is archived; name one that is in use",
                        Reason.FEATURE_NOT_FOUND,
                    )
                    continue
            if one.value is not None and not feature.type.admits(one.value):
                fields.add(
                    f"{path}.value",
                    f"feature {feature.slug!r} takes a {feature.type} value",
                    Reason.FEATURE_TYPE_MISMATCH,
                )
            if feature.id in {other.id for other in found}:
                fields.add(path, f"feature {feature.slug!r} is named twice; name it once")
            found.append(feature)
    return found


def plan_features(
    granted: Sequence[GrantedFeature], features: Sequence[Feature]
) -> tuple[PlanFeature, ...]:
    """What a version grants of the features that were found or made for it, in the same order."""
    return tuple(
        PlanFeature(
            feature_id=feature.id,
            value=_granted_value(feature) if one.value is None else one.value,
            limit_behavior=one.limit_behavior,
            limit_scope=one.limit_scope,
        )
        for one, feature in zip(granted, features, strict=True)
    )


def _granted_value(feature: Feature) -> FeatureValue:
    """What a plan grants when it names a feature without a value: yes, or the default of numbers and texts."""
    return True if feature.type is FeatureType.BOOLEAN else feature.default_value
