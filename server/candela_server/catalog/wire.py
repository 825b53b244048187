"""Features, metrics and plans, between the contract and the model; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from candela.catalog.v1 import (
    feature_pb2,
    metric_pb2,
    plan_pb2,
    plan_service_pb2,
)

from candela_server.contract.values import optional_timestamp_to_proto, timestamp_to_proto
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import (
    decimal,
    metadata,
    optional,
    slug,
    text,
)
from candela_server.kernel.read_names import line

from .create_feature import NewFeature
from .create_metric import NewMetric
from .create_plan import CreatePlan
from .definition_wire import credit_definition_to_proto, new_credit_definition_from_proto
from .granted_features import GrantedFeature
from .members import member_named
from .metric_filter_wire import filter_to_proto, filters_from_proto, group_by_from_proto
from .model import (
    Aggregation,
    CreditDefinition,
    Feature,
    FeatureType,
    FeatureValue,
    LimitBehavior,
    LimitScope,
    Metric,
    Plan,
    PlanVersion,
    PlanVersionStatus,
    UniqueOf,
)
from .price_wire import price_from_proto
from .ref_wire import ref_from_proto as ref_from_proto
from .refs import BySlug, Ref
from .rules.event_names import event_name, property_name
from .sql_metric_wire import new_sql_metric_from_proto, sql_to_proto
from .trial_wire import trial_ending_to_proto, trial_from_proto

MAX_METRICS = 50
MAX_FEATURES = 200
MAX_PRICES = 20
MAX_CREDIT_DEFINITIONS = 50
MAX_EVENT_NAMES = 20

_FEATURE_TYPES = {
    FeatureType.BOOLEAN: feature_pb2.FEATURE_TYPE_BOOLEAN,
    FeatureType.NUMBER: feature_pb2.FEATURE_TYPE_NUMBER,
    FeatureType.STRING: feature_pb2.FEATURE_TYPE_STRING,
}
_AGGREGATIONS = {
    Aggregation.COUNT: metric_pb2.AGGREGATION_COUNT,
    Aggregation.SUM: metric_pb2.AGGREGATION_SUM,
    Aggregation.AVERAGE: metric_pb2.AGGREGATION_AVERAGE,
    Aggregation.MAX: metric_pb2.AGGREGATION_MAX,
    Aggregation.MIN: metric_pb2.AGGREGATION_MIN,
    Aggregation.LAST: metric_pb2.AGGREGATION_LAST,
    Aggregation.UNIQUE: metric_pb2.AGGREGATION_UNIQUE,
    Aggregation.WEIGHTED_SUM: metric_pb2.AGGREGATION_WEIGHTED_SUM,
}
_UNIQUE_OF = {
    UniqueOf.PROPERTY: metric_pb2.UNIQUE_OF_PROPERTY,
    UniqueOf.USER: metric_pb2.UNIQUE_OF_USER,
    UniqueOf.CUSTOMER: metric_pb2.UNIQUE_OF_CUSTOMER,
}
_BEHAVIORS = {
    LimitBehavior.HARD: feature_pb2.LIMIT_BEHAVIOR_HARD,
    LimitBehavior.SOFT: feature_pb2.LIMIT_BEHAVIOR_SOFT,
    LimitBehavior.OVERAGE: feature_pb2.LIMIT_BEHAVIOR_OVERAGE,
}
_LIMIT_SCOPES = {
    LimitScope.CUSTOMER: feature_pb2.LIMIT_SCOPE_CUSTOMER,
    LimitScope.USER: feature_pb2.LIMIT_SCOPE_USER,
}
_GAUGES = frozenset({Aggregation.SUM, Aggregation.LAST})
"""What can measure a present state: values are its changes, or the state itself."""

_VERSION_STATUSES = {
    PlanVersionStatus.DRAFT: plan_pb2.PLAN_VERSION_STATUS_DRAFT,
    PlanVersionStatus.PUBLISHED: plan_pb2.PLAN_VERSION_STATUS_PUBLISHED,
    PlanVersionStatus.ARCHIVED: plan_pb2.PLAN_VERSION_STATUS_ARCHIVED,
}


def feature_value_from_proto(value: feature_pb2.FeatureValue) -> FeatureValue:
    """The value. Raises ValueError when nothing is set or the number is none."""
    match value.WhichOneof("value"):
        case "boolean":
            return value.boolean
        case "number":
            return decimal()(value.number)
        case "text":
            return text(0, 500)(value.text)
        case _:
            raise ValueError("must be set")


def feature_value_to_proto(value: FeatureValue) -> feature_pb2.FeatureValue:
    """The value as the contract shows it."""
    if isinstance(value, bool):
        return feature_pb2.FeatureValue(boolean=value)
    if isinstance(value, Decimal):
        return feature_pb2.FeatureValue(number=format_decimal(value))
    return feature_pb2.FeatureValue(text=value)


def new_metric_from_proto(new: metric_pb2.NewMetric) -> NewMetric:
    """The new metric; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if new.HasField("sql"):
            return new_sql_metric_from_proto(fields, new)
        if len(new.event_names) > MAX_EVENT_NAMES:
            fields.add("event_names", f"must have at most {MAX_EVENT_NAMES} names")
        aggregation = fields.read("aggregation", member_named, _AGGREGATIONS, new.aggregation)
        unique_of = _unique_of_from_proto(fields, aggregation, new)
        if new.gauge and aggregation not in _GAUGES:
            fields.add(
                "gauge", "must be false: only SUM and LAST metrics can measure a present state"
            )
        if new.gauge and new.group_by:
            fields.add("gauge", "must be false with group_by: a present state is not kept by group")
        return NewMetric(
            slug=fields.read("slug", slug, new.slug),
            name=fields.read("name", line(1, 200), new.name),
            aggregation=aggregation,
            event_names=fields.read_each("event_names", event_name, new.event_names),
            property=fields.read("property", optional(property_name), new.property),
            unit_name=fields.read("unit_name", line(0, 50), new.unit_name),
            unique_of=unique_of,
            filters=fields.read("filters", filters_from_proto, new.filters),
            group_by=fields.read("group_by", group_by_from_proto, new.group_by),
            gauge=new.gauge,
        )


def _unique_of_from_proto(
    fields: FieldViolations, aggregation: Aggregation, new: metric_pb2.NewMetric
) -> UniqueOf | None:
    """What a UNIQUE metric tells apart; None for the others, which count events or measure their value."""
    if aggregation is not Aggregation.UNIQUE:
        if new.unique_of:
            fields.add("unique_of", "must be absent: only UNIQUE metrics tell things apart")
        if new.property and aggregation is Aggregation.COUNT:
            fields.add("property", "must be empty: COUNT counts events, whatever they carry")
        return None
    told_apart = UniqueOf.PROPERTY
    if new.unique_of:
        told_apart = fields.read("unique_of", member_named, _UNIQUE_OF, new.unique_of)
    if told_apart is UniqueOf.PROPERTY and not new.property:
        fields.add("property", "must name the property whose values are told apart")
    if told_apart in (UniqueOf.USER, UniqueOf.CUSTOMER) and new.property:
        fields.add("property", f"must be empty: it is {told_apart}s that are told apart")
    return told_apart


def new_feature_from_proto(new: feature_pb2.NewFeature) -> NewFeature:
    """The new feature; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        kind = fields.read("type", member_named, _FEATURE_TYPES, new.type)
        default = _no_value(kind) if kind in _FEATURE_TYPES else False
        if new.HasField("default_value"):
            default = fields.read("default_value", feature_value_from_proto, new.default_value)
            if kind in _FEATURE_TYPES and not kind.admits(default):
                fields.add("default_value", f"must be a {kind} value")
        if new.HasField("metric") and new.metric.WhichOneof("ref") != "slug":
            fields.add("metric", "must name the metric by its slug")
        return NewFeature(
            slug=fields.read("slug", slug, new.slug),
            name=fields.read("name", line(1, 200), new.name),
            description=fields.read("description", text(0, 2000), new.description),
            type=kind,
            default_value=default,
            metric_slug=new.metric.slug if new.HasField("metric") else None,
        )


def create_plan_from_proto(request: plan_service_pb2.CreatePlanRequest) -> CreatePlan:
    """The command; raises InvalidInput whose violations point into the request."""
    with FieldViolations() as fields:
        for name, most in (
            ("metrics", MAX_METRICS),
            ("features", MAX_FEATURES),
            ("prices", MAX_PRICES),
            ("credit_definitions", MAX_CREDIT_DEFINITIONS),
        ):
            count = len(getattr(request, name))
            if count > most:
                fields.add(name, f"must have at most {most}, not {count}")
        if not request.prices and not request.is_enterprise_plan:
            fields.add("prices", "must have at least one price, unless is_enterprise_plan is set")
        return CreatePlan(
            slug=fields.read("slug", slug, request.slug),
            name=fields.read("name", line(1, 200), request.name),
            description=fields.read("description", text(0, 2000), request.description),
            metrics=fields.read_each("metrics", new_metric_from_proto, request.metrics),
            features=fields.read_each("features", granted_feature_from_proto, request.features),
            prices=fields.read_each("prices", price_from_proto, request.prices),
            credit_definitions=fields.read_each(
                "credit_definitions", new_credit_definition_from_proto, request.credit_definitions
            ),
            is_enterprise_plan=request.is_enterprise_plan,
            publicly_visible=request.publicly_visible,
            metadata=fields.read("metadata", metadata, request.metadata),
            keep_draft=request.keep_draft,
            message=fields.read("message", text(0, 500), request.message),
            trial=trial_from_proto(fields, request),
        )


def metric_to_proto(metric: Metric) -> metric_pb2.Metric:
    """The metric as the contract shows it."""
    return metric_pb2.Metric(
        id=metric.id,
        slug=metric.slug,
        name=metric.name,
        aggregation=_AGGREGATIONS.get(metric.aggregation, metric_pb2.AGGREGATION_UNSPECIFIED),
        event_names=metric.event_names,
        property=metric.property or "",
        unique_of=_UNIQUE_OF[metric.unique_of or UniqueOf.PROPERTY]
        if metric.aggregation is Aggregation.UNIQUE
        else metric_pb2.UNIQUE_OF_UNSPECIFIED,
        filters=[filter_to_proto(one) for one in metric.filters],
        group_by=metric.group_by,
        sql=sql_to_proto(metric.sql) if metric.sql else None,
        gauge=metric.gauge,
        unit_name=metric.unit_name,
        created_at=timestamp_to_proto(metric.created_at),
        archived_at=optional_timestamp_to_proto(metric.archived_at),
    )


def feature_to_proto(feature: Feature) -> feature_pb2.Feature:
    """The feature as the contract shows it."""
    return feature_pb2.Feature(
        id=feature.id,
        slug=feature.slug,
        name=feature.name,
        type=_FEATURE_TYPES[feature.type],
        default_value=feature_value_to_proto(feature.default_value),
        metric_id=feature.metric_id,
        description=feature.description,
        disabled_at=optional_timestamp_to_proto(feature.disabled_at),
        archived_at=optional_timestamp_to_proto(feature.archived_at),
        created_at=timestamp_to_proto(feature.created_at),
    )


def plan_to_proto(plan: Plan, *, free: bool) -> plan_pb2.Plan:
    """The plan as the contract shows it."""
    return plan_pb2.Plan(
        id=plan.id,
        slug=plan.slug,
        name=plan.name,
        description=plan.description,
        current_version_id=plan.current_version_id,
        is_trial_plan=plan.trial is not None,
        trial_parent_plan_id=plan.trial.parent_plan_id if plan.trial else None,
        trial_days=plan.trial.days if plan.trial else 0,
        **trial_ending_to_proto(plan.trial.ending if plan.trial else None),
        is_enterprise_plan=plan.is_enterprise_plan,
        publicly_visible=plan.publicly_visible,
        # What follows a trial costs something, so it is not the merchant's free plan (D18).
        free=free and plan.trial is None,
        metadata=plan.metadata,
        created_at=timestamp_to_proto(plan.created_at),
        archived_at=optional_timestamp_to_proto(plan.archived_at),
    )


def plan_version_to_proto(
    version: PlanVersion,
    slugs: Mapping[str, str],
    definitions: tuple[CreditDefinition, ...],
) -> plan_pb2.PlanVersion:
    """The version as the contract shows it; `slugs` are the features' by id."""
    return plan_pb2.PlanVersion(
        id=version.id,
        plan_id=version.plan_id,
        number=version.number,
        status=_VERSION_STATUSES[version.status],
        features=[
            plan_pb2.PlanFeature(
                feature_id=granted.feature_id,
                feature_slug=slugs[granted.feature_id],
                value=feature_value_to_proto(granted.value),
                limit_behavior=_BEHAVIORS[granted.limit_behavior]
                if granted.limit_behavior
                else feature_pb2.LIMIT_BEHAVIOR_UNSPECIFIED,
                limit_scope=_LIMIT_SCOPES[granted.limit_scope],
            )
            for granted in version.features
        ],
        credit_definitions=[credit_definition_to_proto(one) for one in definitions],
        message=version.message,
        author=version.author,
        created_at=timestamp_to_proto(version.created_at),
        published_at=optional_timestamp_to_proto(version.published_at),
    )


def limit_behavior_to_proto(behavior: LimitBehavior) -> feature_pb2.LimitBehavior:
    """What happens at a limit, as the contract shows it."""
    return _BEHAVIORS[behavior]


def granted_feature_from_proto(granted: plan_pb2.PlanFeatureInput) -> GrantedFeature:
    """The feature and what is granted of it; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        feature: Ref | NewFeature
        match granted.WhichOneof("feature"):
            case "existing":
                feature = fields.read("existing", ref_from_proto, "feat", granted.existing)
            case "new_feature":
                feature = fields.read("new_feature", new_feature_from_proto, granted.new_feature)
            case _:
                fields.add("feature", "must name an existing feature or describe a new one")
                feature = BySlug("")
        return GrantedFeature(
            feature=feature,
            value=fields.read_given(granted, "value", feature_value_from_proto),
            limit_behavior=fields.read(
                "limit_behavior", member_named, _BEHAVIORS, granted.limit_behavior
            )
            if granted.limit_behavior
            else None,
            limit_scope=fields.read(
                "limit_scope",
                member_named,
                _LIMIT_SCOPES,
                granted.limit_scope or feature_pb2.LIMIT_SCOPE_CUSTOMER,
            ),
        )


def _no_value(kind: FeatureType) -> FeatureValue:
    match kind:
        case FeatureType.BOOLEAN:
            return False
        case FeatureType.NUMBER:
            return Decimal(0)
        case FeatureType.STRING:
            return ""
