"""What exists here: features, metrics, plans with their versions, and credit definitions. Prices are in `price.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NewType

from candela_server.kernel.recurrence import Recurrence

from .price import ComponentId, Price, PriceId

FeatureId = NewType("FeatureId", str)
MetricId = NewType("MetricId", str)
PlanId = NewType("PlanId", str)
PlanVersionId = NewType("PlanVersionId", str)
CreditDefinitionId = NewType("CreditDefinitionId", str)

FeatureValue = bool | Decimal | str
"""A feature's value: yes or no, a number, or a text."""


class FeatureType(StrEnum):
    """The kind of a feature's value (ENT-1)."""

    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"

    def admits(self, value: FeatureValue) -> bool:
        """Whether a value is of this type."""
        match self:
            case FeatureType.BOOLEAN:
                return isinstance(value, bool)
            case FeatureType.NUMBER:
                return isinstance(value, Decimal)
            case FeatureType.STRING:
                return isinstance(value, str)


class LimitBehavior(StrEnum):
    """What happens when a usage feature's limit is reached (ENT-4)."""

    HARD = "hard"
    SOFT = "soft"
    OVERAGE = "overage"


class LimitScope(StrEnum):
    """Whose usage a limit counts (ENT-7)."""

    CUSTOMER = "customer"
    USER = "user"


class Aggregation(StrEnum):
    """What a metric makes of the matching events (EVT-5)."""

    COUNT = "count"
    SUM = "sum"
    AVERAGE = "average"
    MAX = "max"
    MIN = "min"
    LAST = "last"
    UNIQUE = "unique"
    WEIGHTED_SUM = "weighted_sum"
    # What a query makes of them (EVT-6); on the wire it is no aggregation.
    SQL = "sql"


class UniqueOf(StrEnum):
    """What a UNIQUE metric tells apart (EVT-5)."""

    PROPERTY = "property"
    USER = "user"
    CUSTOMER = "customer"


class FilterOperator(StrEnum):
    """How a property is compared (EVT-5)."""

    EQUALS = "equals"
    IN = "in"
    PREFIX = "prefix"
    AT_LEAST = "at_least"
    LESS_THAN = "less_than"
    EXISTS = "exists"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """One condition on an event's property; ranges compare as decimals, the others as text (EVT-5)."""

    property: str
    operator: FilterOperator
    values: tuple[str, ...] = ()


class CreditScope(StrEnum):
    """Where a credit belongs; narrower scopes pay first (CRD-2, CRD-8)."""

    COMPONENT = "component"
    PRICE = "price"
    PLAN = "plan"
    MERCHANT = "merchant"


class CreditApplicationType(StrEnum):
    """What a credit pays with (CRD-1)."""

    USAGE = "usage"
    MONETARY = "monetary"


class CreditBasis(StrEnum):
    """What a definition's amounts are counted per (CRD-3)."""

    CUSTOMER = "customer"
    SEAT = "seat"


class PlanVersionStatus(StrEnum):
    """A version's life, in this order (CAT-3)."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """What an application asks about. One with a metric is a usage feature (ENT-1)."""

    id: FeatureId
    slug: str
    name: str
    description: str
    type: FeatureType
    default_value: FeatureValue
    metric_id: MetricId | None
    created_at: datetime
    disabled_at: datetime | None = None
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SqlMetric:
    """A query in place of an aggregation; `indexed` when its result is kept by customer and quarter-hour (EVT-6)."""

    query: str
    indexed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How events become a number; `property` is what is measured instead of an event's value, or told apart.

    `group_by` names the properties whose values are kept apart as pricing dimensions. A `gauge` measures a present
    state: the usage of a window is what all events up to its end left standing.
    """

    id: MetricId
    slug: str
    name: str
    aggregation: Aggregation
    event_names: tuple[str, ...]
    property: str | None
    unique_of: UniqueOf | None = None
    filters: tuple[PropertyFilter, ...] = ()
    group_by: tuple[str, ...] = ()
    sql: SqlMetric | None = None
    gauge: bool = False
    unit_name: str
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFeature:
    """What a plan version grants of one feature. `limit_behavior` None means: as the price decides (ENT-4)."""

    feature_id: FeatureId
    value: FeatureValue
    limit_behavior: LimitBehavior | None
    limit_scope: LimitScope


class TrialEndBehavior(StrEnum):
    """What a trial ends in when nothing is there to pay with what it leads to (TRL-2)."""

    CANCEL = "cancel"
    PAUSE = "pause"
    DOWNGRADE_TO_FREE = "downgrade_to_free"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialEnding:
    """What a trial ends in for who has no payment method; `free_plan_id` remains after a downgrade (TRL-2)."""

    behavior: TrialEndBehavior = TrialEndBehavior.CANCEL
    free_plan_id: PlanId | None = None

    def __post_init__(self) -> None:
        downgrades = self.behavior is TrialEndBehavior.DOWNGRADE_TO_FREE
        assert downgrades == (self.free_plan_id is not None), "a downgrade names what remains"


CANCELED: Final = TrialEnding()
"""What a trial ends in that says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialTerms:
    """What a trial plan leads to, after how many days, and what it ends in without a payment method (TRL-1, TRL-2)."""

    parent_plan_id: PlanId
    days: int
    ending: TrialEnding = CANCELED


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is sold; its terms are in its versions, its tariffs in its prices."""

    id: PlanId
    slug: str
    name: str
    description: str
    current_version_id: PlanVersionId | None
    is_enterprise_plan: bool
    publicly_visible: bool
    metadata: Mapping[str, str] = field(default_factory=dict)
    trial: TrialTerms | None = None
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanVersion:
    """The frozen terms of a plan: what it grants (CAT-3)."""

    id: PlanVersionId
    plan_id: PlanId
    number: int
    status: PlanVersionStatus
    features: tuple[PlanFeature, ...]
    message: str
    author: str
    created_at: datetime
    published_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDefinition:
    """The recipe for credits that come with a plan (CRD-3). Amounts are units of the metric, or money.

    `renewal_rule` names its zone inside, as TZID, when it has one of its own; else the subscription's zone counts.
    """

    id: CreditDefinitionId
    name: str
    scope: CreditScope
    application_type: CreditApplicationType
    plan_id: PlanId | None
    plan_version_id: PlanVersionId | None
    price_id: PriceId | None
    component_id: ComponentId | None
    feature_id: FeatureId | None
    metric_id: MetricId | None
    default_amount: Decimal
    refill_amount: Decimal
    currency: str | None
    renew_on_billing: bool
    renewal_rule: str | None
    billing_visible: bool
    basis: CreditBasis
    expires_after: timedelta | None
    rollover_cap: Decimal
    priority: int
    created_at: datetime
    archived_at: datetime | None = None

    def renewal_in(self, time_zone: str) -> Recurrence | None:
        """When it is granted anew for a subscription in this zone, other than with the billing period."""
        return Recurrence.parse(self.renewal_rule, time_zone) if self.renewal_rule else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """All that a subscription to one version at one price needs to know of the catalog."""

    plan: Plan
    version: PlanVersion
    price: Price
    features: Mapping[FeatureId, Feature]
    metrics: Mapping[MetricId, Metric]
    credit_definitions: tuple[CreditDefinition, ...]

    def component_for_metric(self, metric_id: MetricId) -> ComponentId | None:
        """The first usage component that charges for the metric."""
        for component in self.price.components:
            if component.metric_id == metric_id:
                return component.id
        return None
