"""Feature overrides, between the contract and the model; nothing here decides."""

from __future__ import annotations

from candela.subscription.v1 import feature_override_pb2 as pb

from candela_server.catalog.wire import (
    feature_value_from_proto,
    feature_value_to_proto,
    ref_from_proto,
)
from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import instant, text, typed_id

from .feature_override import FeatureOverride
from .model import SubscriptionId
from .override_feature import RemoveFeatureOverride, SetFeatureOverride

_READ_REASON = text(0, 500)


def set_override_from_proto(request: pb.SetFeatureOverrideRequest) -> SetFeatureOverride:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return SetFeatureOverride(
            subscription_id=SubscriptionId(
                fields.read("subscription_id", typed_id("sub"), request.subscription_id)
            ),
            feature=fields.read("feature", ref_from_proto, "feat", request.feature),
            value=fields.read("value", feature_value_from_proto, request.value),
            expires_at=fields.read("expires_at", instant, request.expires_at)
            if request.HasField("expires_at")
            else None,
            reason=fields.read("reason", _READ_REASON, request.reason),
        )


def remove_override_from_proto(request: pb.RemoveFeatureOverrideRequest) -> RemoveFeatureOverride:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return RemoveFeatureOverride(
            subscription_id=SubscriptionId(
                fields.read("subscription_id", typed_id("sub"), request.subscription_id)
            ),
            feature=fields.read("feature", ref_from_proto, "feat", request.feature),
            reason=fields.read("reason", _READ_REASON, request.reason),
        )


def override_to_proto(override: FeatureOverride) -> pb.FeatureOverride:
    """The override as the contract shows it."""
    return pb.FeatureOverride(
        subscription_id=override.subscription_id,
        feature_id=override.feature_id,
        feature_slug=override.feature_slug,
        value=feature_value_to_proto(override.value),
        expires_at=optional_timestamp_to_proto(override.expires_at),
        reason=override.reason,
        created_at=timestamp_to_proto(override.created_at),
    )
