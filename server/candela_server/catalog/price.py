"""What a price is made of: components with their charges and recurrence, and what changes them (DSL-1 to DSL-4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from candela_server.kernel.recurrence import Recurrence

PriceId = NewType("PriceId", str)
ComponentId = NewType("ComponentId", str)

_ZERO = Decimal(0)


class ComponentKind(StrEnum):
    """What a component multiplies its price with."""

    FIXED = "fixed"
    PER_UNIT = "per_unit"
    USAGE = "usage"


class BillingTiming(StrEnum):
    """Which end of a period is charged at."""

    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatCharge:
    """Every unit costs the same; for FIXED components, the amount of the period."""

    unit_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One step of a tiered charge; `up_to` is inclusive and None for the last, open tier."""

    up_to: Decimal | None
    unit_price: Decimal
    flat_fee: Decimal = _ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class GraduatedCharge:
    """Each unit costs what its tier says."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCharge:
    """All units cost what the tier of the whole quantity says."""

    tiers: tuple[Tier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageCharge:
    """Blocks of units, begun ones charged whole."""

    package_size: Decimal
    package_price: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentageCharge:
    """A share of the amount that is measured or held, and a fee for each event that was measured."""

    percent: Decimal
    fee_per_event: Decimal | None = None


ChargeModel = FlatCharge | GraduatedCharge | VolumeCharge | PackageCharge | PercentageCharge


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """How a quantity becomes an amount: free units off, then the model, then the minimum, then the maximum (DSL-3)."""

    model: ChargeModel
    free_units: Decimal = _ZERO
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    def bounded(self, amount: Decimal) -> Decimal:
        """What is due where the model comes to this amount: no less than the minimum, no more than the maximum."""
        if self.minimum is not None:
            amount = max(amount, self.minimum)
        return amount if self.maximum is None else min(amount, self.maximum)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatTerms:
    """The rules of a component that counts seats (DSL-6)."""

    minimum_seats: int = 0
    included_seats: int = 0
    bill_immediately: bool = False


class DiscountDuration(StrEnum):
    """How long a discount lasts (DSL-4)."""

    ONCE = "once"
    REPEATING = "repeating"
    FOREVER = "forever"


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentOff:
    """A share of what there is, above 0 and at most 100."""

    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AmountOff:
    """An amount per period, never more than what there is."""

    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """Lowers what a component or a whole price costs; those of one list follow on one another (DSL-4).

    `period_count` is how many periods a REPEATING one lasts, and None for the others.
    """

    off: PercentOff | AmountOff
    duration: DiscountDuration
    period_count: int | None = None
    name: str = ""


class ChargeSwitch(StrEnum):
    """What a time rule does to a charge instead of changing its amount."""

    START = "start"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRule:
    """From some time on, another charge holds, or none any more, or the first (DSL-4).

    `since` is after how many periods, or the instant whose period is the first one.
    """

    since: int | datetime
    change: Charge | ChargeSwitch


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimumCommitment:
    """The least that a period of a price costs, before credits and tax (DSL-10).

    The rule names its zone inside, as TZID, when it has one of its own.
    """

    amount: Decimal
    recurrence_rule: str

    def recurrence_in(self, time_zone: str) -> Recurrence:
        """When the commitment recurs for a subscription in this zone."""
        return Recurrence.parse(self.recurrence_rule, time_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One charge inside a price.

    `recurrence` has its own zone only when `own_time_zone` is set; otherwise the subscription's zone counts:
    see `recurrence_in`. `varies` is the component that was sold, in whose place this one stands (SUB-6).
    """

    id: ComponentId
    position: int
    name: str
    kind: ComponentKind
    recurrence_rule: str
    own_time_zone: str | None
    timing: BillingTiming
    metric_id: str | None
    charge: Charge
    seats: SeatTerms | None
    discounts: tuple[Discount, ...] = ()
    time_rules: tuple[TimeRule, ...] = ()
    varies: ComponentId | None = None

    @property
    def sold_as(self) -> ComponentId:
        """The component that was sold: itself, or the one whose place it takes."""
        return self.varies or self.id

    @property
    def charges(self) -> tuple[Charge, ...]:
        """Every charge that holds at some time, the first one first."""
        later = (rule.change for rule in self.time_rules)
        return (self.charge, *(change for change in later if isinstance(change, Charge)))

    def recurrence_in(self, time_zone: str) -> Recurrence:
        """When the component recurs for a subscription in this zone (DSL-5)."""
        return Recurrence.parse(self.recurrence_rule, self.own_time_zone or time_zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A whole tariff of a plan in one currency; it never changes but for being archived (CAT-4, CAT-5).

    `varies` is the price that was sold, where this is what one subscription holds of it after a component was swapped:
    the components that stayed are the very same ones, under the same ids (SUB-6).
    """

    id: PriceId
    plan_id: str
    name: str
    currency: str
    components: tuple[Component, ...]
    private_customer_id: str | None
    discounts: tuple[Discount, ...] = ()
    minimum_commitment: MinimumCommitment | None = None
    billing_threshold: Decimal | None = None
    created_at: datetime
    archived_at: datetime | None = None
    varies: PriceId | None = None

    @property
    def sold_as(self) -> PriceId:
        """The price that was sold, to which all belongs that was promised of it: itself, or the one that it varies."""
        return self.varies or self.id

    def component(self, component_id: ComponentId) -> Component:
        """The component with this id. Raises KeyError."""
        for component in self.components:
            if component.id == component_id:
                return component
        raise KeyError(component_id)

    def component_sold_as(self, component_id: ComponentId) -> Component | None:
        """The component that stands where the one with this id was sold; None when the price never had it."""
        return next((one for one in self.components if one.sold_as == component_id), None)

    @property
    def cadence(self) -> tuple[str, ...]:
        """What "per interval" means for the latest price per currency and interval: the components' rules."""
        return tuple(sorted({component.recurrence_rule for component in self.components}))
