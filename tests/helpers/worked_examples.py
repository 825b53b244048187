"""Runs what tests/worked_examples says through the pure rater: a price, a start, and invoice after invoice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.billing.rules.commitment import periods_ending
from candela_server.billing.rules.invoice_lines import BilledPeriod
from candela_server.billing.rules.late_usage import LatePeriod, adjustment_of
from candela_server.billing.rules.rate_invoice import InvoiceToRate, TrueUp, rate
from candela_server.billing.rules.threshold import as_it_runs
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
from candela_server.credit.model import CreditGrant
from candela_server.kernel.interval import Interval
from candela_server.kernel.time_zone import instant_of, time_zone_named

from .builders import EPOCH, METRIC, grant, offer

_KINDS = {
    "fixed": ComponentKind.FIXED,
    "seats": ComponentKind.PER_UNIT,
    "units": ComponentKind.PER_UNIT,
    "usage": ComponentKind.USAGE,
}
_TIMINGS = {"advance": BillingTiming.IN_ADVANCE, "arrears": BillingTiming.IN_ARREARS}


@dataclass(slots=True)
class Ledger:
    """One subscription, billed by the rater alone; what is due when is told by the components' own recurrence."""

    example: Mapping[str, Any]
    price: Price
    time_zone: str
    anchor_at: datetime
    billed: list[InvoiceLine] = field(default_factory=list)
    next_number: dict[str, int] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=count)

    @classmethod
    def of(cls, example: Mapping[str, Any]) -> Ledger:
        """The subscription that an example begins with."""
        zone = str(example.get("zone", "UTC"))
        price = price_of(example)
        return cls(
            example=example,
            price=price,
            time_zone=zone,
            anchor_at=instant_of(_local(example["start"]), time_zone_named(zone)),
            next_number={component.id: 0 for component in price.components},
        )

    def invoice(self, wanted: Mapping[str, Any]) -> tuple[datetime, list[InvoiceLine]]:
        """Bills what is due next, with the usage, quantities and credits that the example gives."""
        due_at = min(self._due_at(component) for component in self.price.components)
        periods = []
        for component in self.price.components:
            if self._due_at(component) == due_at:
                number = self.next_number[component.id]
                self.next_number[component.id] += 1
                periods.append(self._period(component, number, wanted))
        lines = rate(
            InvoiceToRate(
                offer=offer(self.price),
                anchor_at=self.anchor_at,
                time_zone=self.time_zone,
                periods=periods,
                earlier=tuple(self.billed),
                true_ups=[
                    TrueUp(line_id=self._id(), committed=one)
                    for one in periods_ending(self.price, self.anchor_at, self.time_zone, due_at)
                ],
            )
        )
        lines += [line for late in wanted.get("late", ()) if (line := self._late(late))]
        self.billed += lines
        return due_at, lines

    def so_far(self, wanted: Mapping[str, Any]) -> list[InvoiceLine]:
        """The running first period's lines, as a look at it sees them; bills nothing."""
        running = as_it_runs(offer(self.price))
        return rate(
            InvoiceToRate(
                offer=running,
                anchor_at=self.anchor_at,
                time_zone=self.time_zone,
                periods=[
                    self._period(component, 0, wanted)
                    for component in running.price.components
                    if component.kind is ComponentKind.USAGE
                ],
            )
        )

    def _late(self, late: Mapping[str, Any]) -> InvoiceLine | None:
        """A closed period rated anew with what is known now."""
        component = next(one for one in self.price.components if one.name == late["component"])
        period = self._period(
            component, int(late["period"]), {**late, "used": {component.name: late["used"]}}
        )
        own = [
            line
            for line in self.billed
            if line.component_id == component.id and line.period == period.period
        ]
        return adjustment_of(
            LatePeriod(
                line_id=self._id(),
                invoice=InvoiceToRate(
                    offer=offer(self.price),
                    anchor_at=self.anchor_at,
                    time_zone=self.time_zone,
                    periods=[period],
                    earlier=[line for line in self.billed if line not in own],
                ),
                billed=own,
            )
        )

    def _due_at(self, component: Component) -> datetime:
        period = component.recurrence_in(self.time_zone).period(
            self.anchor_at, self.next_number[component.id]
        )
        in_advance = component.timing is BillingTiming.IN_ADVANCE
        return period.start_at if in_advance else period.end_at

    def _period(self, component: Component, number: int, given: Mapping[str, Any]) -> BilledPeriod:
        rule = component.recurrence_in(self.time_zone)
        held = {**self.example.get("held", {}), **given.get("held", {})}
        period = rule.period(self.anchor_at, number)
        return BilledPeriod(
            offer=offer(self.price),
            component=component,
            number=number,
            period=period,
            time_zone=self.time_zone,
            held=_decimal(held.get(component.name, 0)),
            used=_decimal(given.get("used", {}).get(component.name, 0)),
            event_count=_decimal(given.get("events", {}).get(component.name, 0)),
            usage_seen_at=period.end_at if component.metric_id else None,
            grants=self._grants(component, given),
            line_id=self._id(),
            credit_line_id=self._id(),
            whole=rule.whole_period(self.anchor_at, number),
        )

    def _grants(self, component: Component, given: Mapping[str, Any]) -> tuple[CreditGrant, ...]:
        visible = given.get("credits", {}).get(component.name)
        hidden = given.get("hidden_credits", {}).get(component.name)
        found = []
        if visible is not None:
            found.append(grant(f"visible {component.name}", balance=str(visible)))
        if hidden is not None:
            made = grant(f"hidden {component.name}", balance=str(hidden), billing_visible=False)
            found.append(made)
        return tuple(found)

    def _id(self) -> LineId:
        return LineId(f"line_{next(self.ids)}")


def shown(line: InvoiceLine, price: Price) -> str:
    """A line as the examples write it: what it is for."""
    match line.kind:
        case LineKind.TRUE_UP:
            return "true-up"
        case LineKind.USAGE_CREDIT:
            prefix = "credit for "
        case LineKind.ADJUSTMENT:
            prefix = "late "
        case _:
            prefix = ""
    assert line.component_id is not None, "only true-ups have none"
    return prefix + price.component(line.component_id).name


def price_of(example: Mapping[str, Any]) -> Price:
    """The price of an example."""
    commitment = example.get("commitment")
    return Price(
        id=PriceId("price_1"),
        plan_id="plan_1",
        name="",
        currency=str(example.get("currency", "USD")),
        components=tuple(
            _component(position, one) for position, one in enumerate(example["components"])
        ),
        private_customer_id=None,
        discounts=tuple(_discount(one) for one in example.get("discounts", ())),
        minimum_commitment=MinimumCommitment(
            amount=_decimal(commitment["amount"]),
            recurrence_rule=str(commitment.get("every", "FREQ=MONTHLY")),
        )
        if commitment
        else None,
        created_at=EPOCH,
    )


def period_of(written: Mapping[str, Any]) -> Interval:
    """A period from one local midnight to another."""
    zone = ZoneInfo(str(written.get("zone", "UTC")))
    start, end = (_local(written[name]) for name in ("from", "to"))
    return Interval(instant_of(start, zone), instant_of(end, zone))


def _component(position: int, written: Mapping[str, Any]) -> Component:
    kind = _KINDS[written["kind"]]
    usage = kind is ComponentKind.USAGE
    seats = None
    if written["kind"] == "seats":
        seats = SeatTerms(
            minimum_seats=int(written.get("least", 0)),
            included_seats=int(written.get("included", 0)),
        )
    return Component(
        id=ComponentId(f"comp_{position}"),
        position=position,
        name=str(written["name"]),
        kind=kind,
        recurrence_rule=str(written.get("every", "FREQ=MONTHLY")),
        own_time_zone=written.get("zone"),
        timing=_TIMINGS[written.get("timing", "arrears" if usage else "advance")],
        metric_id=METRIC if usage else None,
        charge=_charge(written),
        seats=seats,
        discounts=tuple(_discount(one) for one in written.get("discounts", ())),
        time_rules=tuple(_rule(one) for one in written.get("rules", ())),
    )


def _charge(written: Mapping[str, Any]) -> Charge:
    bounds = {
        name: _decimal(written[name]) if name in written else None
        for name in ("minimum", "maximum")
    }
    return Charge(model=_model(written), free_units=_decimal(written.get("free", 0)), **bounds)


def _model(written: Mapping[str, Any]) -> ChargeModel:
    if "graduated" in written:
        return GraduatedCharge(tiers=tuple(_tier(one) for one in written["graduated"]))
    if "volume" in written:
        return VolumeCharge(tiers=tuple(_tier(one) for one in written["volume"]))
    if "package" in written:
        size, price = written["package"]
        return PackageCharge(package_size=_decimal(size), package_price=_decimal(price))
    if "percent" in written:
        fee = written.get("fee")
        return PercentageCharge(
            percent=_decimal(written["percent"]),
            fee_per_event=None if fee is None else _decimal(fee),
        )
    return FlatCharge(unit_price=_decimal(written["price"]))


def _tier(written: Mapping[str, Any]) -> Tier:
    up_to = written.get("up_to")
    return Tier(
        up_to=None if up_to is None else _decimal(up_to),
        unit_price=_decimal(written["price"]),
        flat_fee=_decimal(written.get("fee", 0)),
    )


def _discount(written: Mapping[str, Any]) -> Discount:
    lasts = written["for"]
    off = (
        PercentOff(percent=_decimal(written["percent"]))
        if "percent" in written
        else AmountOff(amount=_decimal(written["amount"]))
    )
    if isinstance(lasts, int):
        return Discount(off=off, duration=DiscountDuration.REPEATING, period_count=lasts)
    return Discount(off=off, duration=DiscountDuration(lasts))


def _rule(written: Mapping[str, Any]) -> TimeRule:
    if "after" in written:
        since: int | datetime = int(written["after"])
    else:
        since = instant_of(_local(written["at"]), time_zone_named("UTC"))
    if "charge" in written:
        return TimeRule(since=since, change=_charge(written["charge"]))
    return TimeRule(since=since, change=ChargeSwitch(written["switch"]))


def _local(written: object) -> datetime:
    if isinstance(written, date) and not isinstance(written, datetime):
        return datetime.combine(written, time.min)
    return datetime.fromisoformat(str(written)).replace(tzinfo=None)


def _decimal(written: object) -> Decimal:
    assert isinstance(written, str | int), (
        f"write the number {written!r} as text, so that it stays exact"
    )
    return Decimal(written)
