"""What a pricing table is: plans in the order that a public page shows them (PUB-1), and what the page sees of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NewType

from candela_server.kernel.errors import NotFound, Reason

from .model import Feature, FeatureValue, Plan, PlanId
from .price import Price

PricingTableId = NewType("PricingTableId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingTableRow:
    """One plan in a table. `enterprise_redirect_url` is where "contact sales" leads; empty for other plans (CAT-7)."""

    plan_id: PlanId
    popular: bool
    enterprise_redirect_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PricingTable:
    """A table as its merchant manages it; plans that are no longer sold keep their rows."""

    id: PricingTableId
    slug: str
    name: str
    rows: tuple[PricingTableRow, ...]
    created_at: datetime
    archived_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditAllowance:
    """The credits that come with a plan for one feature, for each of its billing periods."""

    amount: Decimal
    per_seat: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFeature:
    """One feature as a page shows it: its value in the plan, and the credits that come with it."""

    feature: Feature
    value: FeatureValue
    allowance: CreditAllowance | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPlan:
    """One plan as a page shows it. `prices` are those on public sale; `trial_days` is 0 without a trial (TRL-3)."""

    plan: Plan
    row: PricingTableRow
    free: bool
    prices: tuple[Price, ...]
    features: tuple[PublicFeature, ...]
    trial_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPricingTable:
    """What a page needs to draw a table; it holds nothing that is not public."""

    slug: str
    plans: tuple[PublicPlan, ...]


class PricingTableNotFoundError(NotFound):
    """No pricing table of this merchant has the id or slug, or it is archived and no longer shown."""

    reason = Reason.PRICING_TABLE_NOT_FOUND

    def __init__(self, pricing_table: str) -> None:
        super().__init__(
            f"no pricing table {pricing_table!r}; ListPricingTables shows what exists",
            pricing_table=pricing_table,
        )
