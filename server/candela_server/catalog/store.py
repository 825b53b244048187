"""Every SQL text over features, metrics and plans; prices and credit definitions have files of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from candela_server.storage.postgres import Tx, unique_or

from .errors import SlugTakenError
from .model import (
    Aggregation,
    Feature,
    FeatureId,
    FeatureType,
    LimitBehavior,
    LimitScope,
    Metric,
    MetricId,
    Plan,
    PlanFeature,
    PlanId,
    PlanVersion,
    PlanVersionId,
    PlanVersionStatus,
    SqlMetric,
    TrialEndBehavior,
    TrialEnding,
    TrialTerms,
    UniqueOf,
)
from .terms_json import filters_from_json, filters_to_json, value_from_json, value_to_json

Position = tuple[datetime, str]

_METRIC = """id, slug, name, aggregation, event_names, property, unique_of, filters, group_by,
             sql_query, sql_indexed, gauge, unit_name, created_at, archived_at"""
_FEATURE = """id, slug, name, description, type, default_value, metric_id, created_at, disabled_at,
              archived_at"""
_PLAN = """p.id, p.slug, p.name, p.description, p.is_enterprise_plan, p.publicly_visible, p.metadata,
           p.trial_parent_plan_id, p.trial_days, p.trial_end_behavior, p.trial_end_plan_id, p.created_at,
           p.archived_at,
           (SELECT v.id FROM plan_version v
            WHERE v.merchant_id = p.merchant_id AND v.plan_id = p.id AND v.status = 'published'
            ORDER BY v.published_at DESC LIMIT 1) AS current_version_id"""
_VERSION = "id, plan_id, number, status, message, author, created_at, published_at"


async def insert_metric(tx: Tx, metric: Metric) -> None:
    """Stores a new metric. Raises SlugTakenError."""
    with unique_or("metric_slug_key", SlugTakenError("metric", metric.slug)):
        await tx.execute(
            """
            INSERT INTO metric (merchant_id, id, slug, name, aggregation, event_names, property,
                                unique_of, filters, group_by, sql_query, sql_indexed, unit_name,
                                created_at, gauge)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            """,
            tx.merchant_id,
            metric.id,
            metric.slug,
            metric.name,
            metric.aggregation,
            list(metric.event_names),
            metric.property,
            metric.unique_of,
            filters_to_json(metric.filters),
            list(metric.group_by),
            metric.sql.query if metric.sql else None,
            metric.sql is not None and metric.sql.indexed,
            metric.unit_name,
            metric.created_at,
            metric.gauge,
        )


async def list_metrics(tx: Tx) -> list[Metric]:
    """All metrics, archived ones too, oldest first: archived ones go on counting."""
    rows = await tx.fetch(
        f"SELECT {_METRIC} FROM metric WHERE merchant_id = $1 ORDER BY created_at, id",
        tx.merchant_id,
    )
    return [_metric_from_row(row) for row in rows]


async def find_metric(
    tx: Tx, *, metric_id: str = "", slug: str = "", lock: bool = False
) -> Metric | None:
    """The metric with this id or slug; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_METRIC} FROM metric WHERE merchant_id = $1 AND (id = $2 OR slug = $3)
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        metric_id,
        slug,
    )
    return _metric_from_row(row) if row else None


async def insert_feature(tx: Tx, feature: Feature) -> None:
    """Stores a new feature. Raises SlugTakenError."""
    with unique_or("feature_slug_key", SlugTakenError("feature", feature.slug)):
        await tx.execute(
            """
            INSERT INTO feature (merchant_id, id, slug, name, description, type, default_value,
                                 metric_id, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            tx.merchant_id,
            feature.id,
            feature.slug,
            feature.name,
            feature.description,
            feature.type,
            value_to_json(feature.default_value),
            feature.metric_id,
            feature.created_at,
        )


async def list_features(tx: Tx) -> list[Feature]:
    """All features, archived and disabled ones too, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_FEATURE} FROM feature WHERE merchant_id = $1 ORDER BY created_at, id",
        tx.merchant_id,
    )
    return [_feature_from_row(row) for row in rows]


async def find_feature(
    tx: Tx, *, feature_id: str = "", slug: str = "", lock: bool = False
) -> Feature | None:
    """The feature with this id or slug; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_FEATURE} FROM feature WHERE merchant_id = $1 AND (id = $2 OR slug = $3)
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        feature_id,
        slug,
    )
    return _feature_from_row(row) if row else None


async def set_feature_disabled(tx: Tx, feature_id: FeatureId, disabled_at: datetime | None) -> None:
    """Switches a feature off for everybody, or on again."""
    await tx.execute(
        "UPDATE feature SET disabled_at = $3 WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        feature_id,
        disabled_at,
    )


async def insert_plan(tx: Tx, plan: Plan) -> None:
    """Stores a new plan. Raises SlugTakenError."""
    with unique_or("plan_slug_key", SlugTakenError("plan", plan.slug)):
        await tx.execute(
            """
            INSERT INTO plan (merchant_id, id, slug, name, description, is_enterprise_plan,
                              publicly_visible, metadata, trial_parent_plan_id, trial_days,
                              trial_end_behavior, trial_end_plan_id, created_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            tx.merchant_id,
            plan.id,
            plan.slug,
            plan.name,
            plan.description,
            plan.is_enterprise_plan,
            plan.publicly_visible,
            dict(plan.metadata),
            plan.trial.parent_plan_id if plan.trial else None,
            plan.trial.days if plan.trial else None,
            plan.trial.ending.behavior if plan.trial else None,
            plan.trial.ending.free_plan_id if plan.trial else None,
            plan.created_at,
        )


async def find_plan(tx: Tx, *, plan_id: str = "", slug: str = "") -> Plan | None:
    """The plan with this id or slug."""
    row = await tx.fetchrow(
        f"SELECT {_PLAN} FROM plan p WHERE p.merchant_id = $1 AND (p.id = $2 OR p.slug = $3)",
        tx.merchant_id,
        plan_id,
        slug,
    )
    return _plan_from_row(row) if row else None


async def list_plans(
    tx: Tx, *, limit: int, after: Position | None, include_archived: bool
) -> list[Plan]:
    """One page of plans by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_PLAN} FROM plan p
        WHERE p.merchant_id = $1
          AND ($2::timestamptz IS NULL OR (p.created_at, p.id) > ($2, $3))
          AND ($4 OR p.archived_at IS NULL)
        ORDER BY p.created_at, p.id LIMIT $5
        """,
        tx.merchant_id,
        after_at,
        after_id,
        include_archived,
        limit,
    )
    return [_plan_from_row(row) for row in rows]


async def list_plans_by_id(tx: Tx, ids: Sequence[str]) -> list[Plan]:
    """The plans with these ids, in no particular order."""
    rows = await tx.fetch(
        f"SELECT {_PLAN} FROM plan p WHERE p.merchant_id = $1 AND p.id = ANY($2::text[])",
        tx.merchant_id,
        list(ids),
    )
    return [_plan_from_row(row) for row in rows]


async def list_versions_by_id(tx: Tx, ids: Sequence[str]) -> list[PlanVersion]:
    """The versions with these ids and what they grant, in no particular order."""
    rows = await tx.fetch(
        f"SELECT {_VERSION} FROM plan_version WHERE merchant_id = $1 AND id = ANY($2::text[])",
        tx.merchant_id,
        list(ids),
    )
    return await _with_features(tx, rows)


async def list_versions_of_plan(
    tx: Tx, plan_id: PlanId, *, limit: int, after: Position | None
) -> list[PlanVersion]:
    """One page of a plan's versions by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_VERSION} FROM plan_version
        WHERE merchant_id = $1 AND plan_id = $2
          AND ($3::timestamptz IS NULL OR (created_at, id) > ($3, $4))
        ORDER BY created_at, id LIMIT $5
        """,
        tx.merchant_id,
        plan_id,
        after_at,
        after_id,
        limit,
    )
    return await _with_features(tx, rows)


async def _with_features(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[PlanVersion]:
    granted = await tx.fetch(
        """
        SELECT plan_version_id, feature_id, value, limit_behavior, limit_scope
        FROM plan_version_feature
        WHERE merchant_id = $1 AND plan_version_id = ANY($2::text[])
        ORDER BY plan_version_id, position
        """,
        tx.merchant_id,
        [row["id"] for row in rows],
    )
    by_version: dict[str, list[PlanFeature]] = {}
    for row in granted:
        behavior = row["limit_behavior"]
        by_version.setdefault(row["plan_version_id"], []).append(
            PlanFeature(
                feature_id=row["feature_id"],
                value=value_from_json(row["value"]),
                limit_behavior=LimitBehavior(behavior) if behavior else None,
                limit_scope=LimitScope(row["limit_scope"]),
            )
        )
    return [
        PlanVersion(
            id=PlanVersionId(row["id"]),
            plan_id=PlanId(row["plan_id"]),
            number=row["number"],
            status=PlanVersionStatus(row["status"]),
            features=tuple(by_version.get(row["id"], ())),
            message=row["message"],
            author=row["author"],
            created_at=row["created_at"],
            published_at=row["published_at"],
        )
        for row in rows
    ]


def _metric_from_row(row: Mapping[str, Any]) -> Metric:
    return Metric(
        id=MetricId(row["id"]),
        slug=row["slug"],
        name=row["name"],
        aggregation=Aggregation(row["aggregation"]),
        event_names=tuple(row["event_names"]),
        property=row["property"],
        unique_of=UniqueOf(row["unique_of"]) if row["unique_of"] else None,
        filters=filters_from_json(row["filters"]),
        group_by=tuple(row["group_by"]),
        sql=SqlMetric(row["sql_query"], row["sql_indexed"])
        if row["sql_query"] is not None
        else None,
        gauge=row["gauge"],
        unit_name=row["unit_name"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
    )


def _feature_from_row(row: Mapping[str, Any]) -> Feature:
    return Feature(
        id=FeatureId(row["id"]),
        slug=row["slug"],
        name=row["name"],
        description=row["description"],
        type=FeatureType(row["type"]),
        default_value=value_from_json(row["default_value"]),
        metric_id=row["metric_id"],
        created_at=row["created_at"],
        disabled_at=row["disabled_at"],
        archived_at=row["archived_at"],
    )


def _plan_from_row(row: Mapping[str, Any]) -> Plan:
    return Plan(
        id=PlanId(row["id"]),
        slug=row["slug"],
        name=row["name"],
        description=row["description"],
        current_version_id=row["current_version_id"],
        is_enterprise_plan=row["is_enterprise_plan"],
        publicly_visible=row["publicly_visible"],
        metadata=row["metadata"],
        trial=_trial_from_row(row) if row["trial_days"] else None,
        created_at=row["created_at"],
        archived_at=row["archived_at"],
    )


def _trial_from_row(row: Mapping[str, Any]) -> TrialTerms:
    return TrialTerms(
        parent_plan_id=PlanId(row["trial_parent_plan_id"]),
        days=row["trial_days"],
        ending=TrialEnding(
            # Trials from before it could be said are canceled.
            behavior=TrialEndBehavior(row["trial_end_behavior"] or TrialEndBehavior.CANCEL),
            free_plan_id=row["trial_end_plan_id"],
        ),
    )
