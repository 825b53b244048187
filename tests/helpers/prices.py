"""Strategies for prices that the catalog accepts: every charge model and every term, in every combination."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from candela_server.catalog.price import (
    AmountOff,
    BillingTiming,
    Charge,
    ChargeModel,
    ChargeSwitch,
    Component,
    ComponentId,
    ComponentKind,
    Discount,
    DiscountDuration,
    FlatCharge,
    GraduatedCharge,
    MinimumCommitment,
    PackageCharge,
    PercentageCharge,
    PercentOff,
    Price,
    PriceId,
    SeatTerms,
    Tier,
    TimeRule,
    VolumeCharge,
)

from .builders import EPOCH, METRIC

_BELOW_100 = Decimal("99.9999")

AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=12)
OWED = st.decimals(min_value=0, max_value=10**6, places=2)
"""What is charged as it stands, in dollars and cents."""
OWED_AND_MORE = st.decimals(min_value=Decimal("0.01"), max_value=10**6, places=2)
POSITIVE = st.decimals(min_value=Decimal("0.000001"), max_value=10**6, places=6)
RULES = st.sampled_from(
    ["FREQ=MONTHLY", "FREQ=YEARLY", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=31", "FREQ=WEEKLY;BYDAY=MO"]
)
ZONES = st.sampled_from([None, "Europe/Berlin", "America/New_York"])


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    """Ascending tiers, the last one open."""
    ends = sorted(draw(st.sets(POSITIVE, max_size=4)))
    return tuple(
        Tier(up_to=end, unit_price=draw(AMOUNTS), flat_fee=draw(OWED)) for end in [*ends, None]
    )


def models(kind: ComponentKind) -> st.SearchStrategy[ChargeModel]:
    """The charge models that a kind admits."""
    if kind is ComponentKind.FIXED:
        return st.builds(FlatCharge, unit_price=OWED)
    flat = st.builds(FlatCharge, unit_price=AMOUNTS)
    fees = st.none() | AMOUNTS if kind is ComponentKind.USAGE else st.none()
    return st.one_of(
        flat,
        st.builds(GraduatedCharge, tiers=tiers()),
        st.builds(VolumeCharge, tiers=tiers()),
        st.builds(PackageCharge, package_size=POSITIVE, package_price=AMOUNTS),
        st.builds(
            PercentageCharge,
            percent=st.decimals(min_value=0, max_value=100, places=12),
            fee_per_event=fees,
        ),
    )


@st.composite
def charges(draw: st.DrawFn, kind: ComponentKind) -> Charge:
    """A charge that a kind admits."""
    bounds = sorted(draw(st.tuples(OWED, OWED)))
    return Charge(
        model=draw(models(kind)),
        free_units=Decimal(0) if kind is ComponentKind.FIXED else draw(AMOUNTS),
        minimum=draw(st.sampled_from([None, bounds[0]])),
        maximum=draw(st.sampled_from([None, bounds[1]])),
    )


@st.composite
def discounts(draw: st.DrawFn) -> Discount:
    """A discount that leaves something."""
    duration = draw(st.sampled_from(DiscountDuration))
    percents = st.decimals(min_value=Decimal("0.0001"), max_value=_BELOW_100, places=4)
    return Discount(
        off=draw(
            st.builds(PercentOff, percent=percents) | st.builds(AmountOff, amount=OWED_AND_MORE)
        ),
        duration=duration,
        period_count=draw(st.integers(1, 1200)) if duration is DiscountDuration.REPEATING else None,
        name=draw(st.sampled_from(["", "Launch offer"])),
    )


@st.composite
def time_rules(draw: st.DrawFn, kind: ComponentKind) -> tuple[TimeRule, ...]:
    """[start] (charge)* [stop], all by count or all by instant."""
    changes: list[Charge | ChargeSwitch] = list(draw(st.lists(charges(kind), max_size=2)))
    if draw(st.booleans()):
        changes.insert(0, ChargeSwitch.START)
    if draw(st.booleans()):
        changes.append(ChargeSwitch.STOP)
    count = len(changes)
    steps = sorted(draw(st.sets(st.integers(1, 1200), min_size=count, max_size=count)))
    dated = draw(st.booleans())
    start = datetime(2026, 1, 1, 12, 30, 15, 250_000, tzinfo=UTC)
    return tuple(
        TimeRule(since=start + timedelta(days=step) if dated else step, change=change)
        for step, change in zip(steps, changes, strict=True)
    )


@st.composite
def components(draw: st.DrawFn, position: int) -> Component:
    """A component of any kind."""
    kind = draw(st.sampled_from(ComponentKind))
    usage = kind is ComponentKind.USAGE
    return Component(
        id=ComponentId(f"comp_{position}"),
        position=position,
        name=f"Component {position}",
        kind=kind,
        recurrence_rule=draw(RULES),
        own_time_zone=draw(ZONES),
        timing=BillingTiming.IN_ARREARS if usage else draw(st.sampled_from(BillingTiming)),
        metric_id=METRIC if usage else None,
        charge=draw(charges(kind)),
        seats=SeatTerms(minimum_seats=1, included_seats=2, bill_immediately=True)
        if kind is ComponentKind.PER_UNIT and draw(st.booleans())
        else None,
        discounts=tuple(draw(st.lists(discounts(), max_size=2))),
        time_rules=draw(time_rules(kind)),
    )


@st.composite
def prices(draw: st.DrawFn) -> Price:
    """A public price with any terms."""
    commitment = None
    if draw(st.booleans()):
        zone = draw(ZONES)
        rule = draw(RULES)
        commitment = MinimumCommitment(
            amount=draw(OWED_AND_MORE), recurrence_rule=f"{rule};TZID={zone}" if zone else rule
        )
    return Price(
        id=PriceId("price_1"),
        plan_id="plan_1",
        name="Any",
        currency="USD",
        components=tuple(draw(components(number)) for number in range(draw(st.integers(1, 3)))),
        private_customer_id=None,
        discounts=tuple(draw(st.lists(discounts(), max_size=2))),
        minimum_commitment=commitment,
        created_at=EPOCH,
    )
