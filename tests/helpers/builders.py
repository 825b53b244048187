"""Small values for tests of rules; each names only what a test is about."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from candela_server.billing.model import LineId
from candela_server.billing.rules.invoice_lines import BilledPeriod
from candela_server.catalog.model import (
    Aggregation,
    CreditApplicationType,
    CreditScope,
    Metric,
    MetricId,
    Offer,
    Plan,
    PlanId,
    PlanVersion,
    PlanVersionId,
    PlanVersionStatus,
)
from candela_server.catalog.price import (
    BillingTiming,
    Charge,
    ChargeModel,
    Component,
    ComponentId,
    ComponentKind,
    FlatCharge,
    Price,
    PriceId,
    SeatTerms,
)
from candela_server.credit.model import CreditGrant, Funding, GrantId
from candela_server.customer.model import CustomerId
from candela_server.kernel.interval import Interval

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
METRIC = MetricId("met_calls")
NEW_YORK = "America/New_York"
# 10:00 in New York on 31 January and 28 February
FEBRUARY = Interval(datetime(2026, 1, 31, 15, tzinfo=UTC), datetime(2026, 2, 28, 15, tzinfo=UTC))


def day(year: int, month: int, of_month: int) -> datetime:
    """Midnight UTC of a day."""
    return datetime(year, month, of_month, tzinfo=UTC)


def grant(
    name: str,
    *,
    balance: str,
    scope: CreditScope = CreditScope.PLAN,
    priority: int = 0,
    expires_at: datetime | None = None,
    effective_at: datetime = EPOCH,
    created_at: datetime = EPOCH,
    funding: Funding = Funding.INCLUDED,
    billing_visible: bool = True,
) -> CreditGrant:
    """A grant of usage of one metric."""
    return CreditGrant(
        id=GrantId(name),
        customer_id=CustomerId("cus_1"),
        subscription_id=None,
        definition_id=None,
        application_type=CreditApplicationType.USAGE,
        scope=scope,
        feature_id=None,
        metric_id=METRIC,
        component_id=None,
        currency=None,
        amount=max(Decimal(balance), Decimal(1)),
        balance=Decimal(balance),
        effective_at=effective_at,
        expires_at=expires_at,
        priority=priority,
        funding=funding,
        billing_visible=billing_visible,
        reason="",
        created_at=created_at,
    )


def component(
    kind: ComponentKind,
    model: ChargeModel | str,
    *,
    name: str = "Calls",
    position: int = 0,
    rule: str = "FREQ=MONTHLY",
    seats: SeatTerms | None = None,
) -> Component:
    """A component; a text is the flat price of one unit."""
    usage = kind is ComponentKind.USAGE
    return Component(
        id=ComponentId(f"comp_{position}"),
        position=position,
        name=name,
        kind=kind,
        recurrence_rule=rule,
        own_time_zone=None,
        timing=BillingTiming.IN_ARREARS if usage else BillingTiming.IN_ADVANCE,
        metric_id=METRIC if usage else None,
        charge=Charge(
            model=FlatCharge(unit_price=Decimal(model)) if isinstance(model, str) else model
        ),
        seats=seats,
    )


def price(*components: Component, currency: str = "USD") -> Price:
    """A public price on sale."""
    return Price(
        id=PriceId("price_1"),
        plan_id="plan_1",
        name="",
        currency=currency,
        components=components,
        private_customer_id=None,
        created_at=EPOCH,
    )


def offer(of: Price) -> Offer:
    """An offer of a price whose usage is counted by one metric."""
    plan_id, version_id = PlanId("plan_1"), PlanVersionId("plv_1")
    return Offer(
        plan=Plan(
            id=plan_id,
            slug="p",
            name="P",
            description="",
            current_version_id=version_id,
            is_enterprise_plan=False,
            publicly_visible=True,
            created_at=EPOCH,
        ),
        version=PlanVersion(
            id=version_id,
            plan_id=plan_id,
            number=1,
            status=PlanVersionStatus.PUBLISHED,
            features=(),
            message="",
            author="",
            created_at=EPOCH,
            published_at=EPOCH,
        ),
        price=of,
        features={},
        metrics={
            METRIC: Metric(
                id=METRIC,
                slug="calls",
                name="Calls",
                aggregation=Aggregation.SUM,
                event_names=("call",),
                property=None,
                unit_name="calls",
                created_at=EPOCH,
            )
        },
        credit_definitions=(),
    )


def billed(
    one: Component,
    *,
    held: str = "0",
    used: str = "0",
    grants: tuple[CreditGrant, ...] = (),
    currency: str = "USD",
) -> BilledPeriod:
    """February of one component, in New York."""
    return BilledPeriod(
        offer=offer(price(one, currency=currency)),
        component=one,
        number=0,
        period=FEBRUARY,
        time_zone=NEW_YORK,
        held=Decimal(held),
        used=Decimal(used),
        usage_seen_at=FEBRUARY.end_at if one.metric_id else None,
        grants=grants,
        line_id=LineId("line_1"),
        credit_line_id=LineId("line_2"),
    )
