"""Plan versions and edits of the catalog, between the contract and the model; nothing here decides."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import (
    credit_definition_service_pb2,
    feature_service_pb2,
    metric_service_pb2,
    plan_service_pb2,
    plan_version_pb2,
)

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import metadata, text, typed_id
from candela_server.kernel.read_names import line

from .add_credit_definition import AddCreditDefinition
from .archive_feature import ArchiveFeature
from .archive_metric import ArchiveMetric
from .archive_plan import ArchivePlan
from .create_credit_definition import NewCreditDefinition
from .create_plan_version import CreatePlanVersion
from .definition_wire import new_credit_definition_from_proto
from .granted_features import GrantedFeature
from .model import PlanVersionId
from .price import ComponentId, PriceId
from .rules.version_difference import Difference
from .update_feature import UpdateFeature
from .update_metric import UpdateMetric
from .update_plan import UpdatePlan
from .update_plan_version import UpdatePlanVersion
from .wire import (
    MAX_CREDIT_DEFINITIONS,
    MAX_FEATURES,
    feature_value_from_proto,
    granted_feature_from_proto,
    ref_from_proto,
)


def version_id_from_proto(version_id: str) -> PlanVersionId:
    """Which version. Raises ValueError."""
    return PlanVersionId(typed_id("plv")(version_id))


def create_plan_version_from_proto(
    request: plan_version_pb2.CreatePlanVersionRequest,
) -> CreatePlanVersion:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return CreatePlanVersion(
            plan=fields.read("plan", ref_from_proto, "plan", request.plan),
            features=_features(fields, request),
            credit_definitions=_credits(fields, request),
            message=fields.read("message", text(0, 500), request.message),
        )


def update_plan_version_from_proto(
    request: plan_version_pb2.UpdatePlanVersionRequest,
) -> UpdatePlanVersion:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return UpdatePlanVersion(
            version_id=fields.read(
                "plan_version_id", version_id_from_proto, request.plan_version_id
            ),
            features=_features(fields, request),
            credit_definitions=_credits(fields, request),
            message=fields.read("message", text(0, 500), request.message),
        )


def update_plan_from_proto(request: plan_service_pb2.UpdatePlanRequest) -> UpdatePlan:
    """The command; an absent field is None. Raises InvalidInput."""
    with FieldViolations() as fields:
        return UpdatePlan(
            plan=fields.read("plan", ref_from_proto, "plan", request.plan),
            name=fields.read_given(request, "name", line(1, 200)),
            description=fields.read_given(request, "description", text(0, 2000)),
            publicly_visible=request.publicly_visible
            if request.HasField("publicly_visible")
            else None,
            metadata=fields.read("metadata", metadata, request.metadata),
        )


def archive_plan_from_proto(request: plan_service_pb2.ArchivePlanRequest) -> ArchivePlan:
    """The command; raises InvalidInput."""
    with FieldViolations() as fields:
        return ArchivePlan(plan=fields.read("plan", ref_from_proto, "plan", request.plan))


def update_feature_from_proto(request: feature_service_pb2.UpdateFeatureRequest) -> UpdateFeature:
    """The command; an absent field is None. Raises InvalidInput."""
    with FieldViolations() as fields:
        return UpdateFeature(
            feature=fields.read("feature", ref_from_proto, "feat", request.feature),
            name=fields.read_given(request, "name", line(1, 200)),
            description=fields.read_given(request, "description", text(0, 2000)),
            default_value=fields.read_given(request, "default_value", feature_value_from_proto),
            metric=fields.read("metric", ref_from_proto, "met", request.metric)
            if request.HasField("metric")
            else None,
        )


def archive_feature_from_proto(
    request: feature_service_pb2.ArchiveFeatureRequest,
) -> ArchiveFeature:
    """The command; raises InvalidInput."""
    with FieldViolations() as fields:
        return ArchiveFeature(
            feature=fields.read("feature", ref_from_proto, "feat", request.feature)
        )


def update_metric_from_proto(request: metric_service_pb2.UpdateMetricRequest) -> UpdateMetric:
    """The command; an absent field is None. Raises InvalidInput."""
    with FieldViolations() as fields:
        return UpdateMetric(
            metric=fields.read("metric", ref_from_proto, "met", request.metric),
            name=fields.read_given(request, "name", line(1, 200)),
            unit_name=fields.read_given(request, "unit_name", line(0, 50)),
        )


def archive_metric_from_proto(request: metric_service_pb2.ArchiveMetricRequest) -> ArchiveMetric:
    """The command; raises InvalidInput."""
    with FieldViolations() as fields:
        return ArchiveMetric(metric=fields.read("metric", ref_from_proto, "met", request.metric))


def add_credit_definition_from_proto(
    request: credit_definition_service_pb2.CreateCreditDefinitionRequest,
) -> AddCreditDefinition:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return AddCreditDefinition(
            plan=fields.read("plan", ref_from_proto, "plan", request.plan),
            price_id=PriceId(fields.read("price_id", typed_id("price"), request.price_id))
            if request.HasField("price_id")
            else None,
            component_id=ComponentId(
                fields.read("price_component_id", typed_id("comp"), request.price_component_id)
            )
            if request.HasField("price_component_id")
            else None,
            new=fields.read(
                "credit_definition", new_credit_definition_from_proto, request.credit_definition
            ),
        )


def difference_to_proto(difference: Difference) -> plan_version_pb2.PlanVersionDifference:
    """The difference as the contract shows it."""
    return plan_version_pb2.PlanVersionDifference(
        path=difference.path, before=difference.before, after=difference.after
    )


def _features(fields: FieldViolations, request: Any) -> tuple[GrantedFeature, ...]:
    if len(request.features) > MAX_FEATURES:
        fields.add("features", f"must have at most {MAX_FEATURES}, not {len(request.features)}")
        return ()
    return fields.read_each("features", granted_feature_from_proto, request.features)


def _credits(fields: FieldViolations, request: Any) -> tuple[NewCreditDefinition, ...]:
    count = len(request.credit_definitions)
    if count > MAX_CREDIT_DEFINITIONS:
        fields.add("credit_definitions", f"must have at most {MAX_CREDIT_DEFINITIONS}, not {count}")
        return ()
    return fields.read_each(
        "credit_definitions", new_credit_definition_from_proto, request.credit_definitions
    )
