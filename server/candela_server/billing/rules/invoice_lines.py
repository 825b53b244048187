"""From a component's period to the lines that an invoice shows for it; an accountant can recompute each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.catalog.model import MetricId, Offer
from candela_server.catalog.price import (
    Charge,
    Component,
    ComponentKind,
    FlatCharge,
    PercentageCharge,
)
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.waterfall import Draws, UsedSpan, draw_in_spans
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, exact
from candela_server.kernel.time_zone import civil_days

from .discount import Reduced, discounted
from .rating.pipeline import Rated, rated
from .time_rules import charge_in_period
from .usage_cost import NO_PARTS, CutCharge, EarlierParts, cut_charge, discounts_left
from .words import dates_of, number_of, words_of

_ONE = Decimal(1)
_ZERO = Decimal(0)
_PLACES = 12
"""A share of days is shown with as many as a unit price may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledPeriod:
    """One component's period with all that its lines depend on.

    `held` is the quantity of a PER_UNIT component, `used` what the metric measured for a USAGE one up to
    `usage_seen_at`, in `event_count` events; `grants` are those that can pay for usage of the period, with what is
    left of them. `spans` say what was used in which part of it, when some grants can pay for a part only. `whole` is
    the period as it would be had the rule begun on one of its own dates, None when it did. The two ids are for the
    lines, made by the caller because rules draw nothing out of the air.
    """

    offer: Offer
    component: Component
    number: int
    period: Interval
    time_zone: str
    held: Decimal
    used: Decimal
    usage_seen_at: datetime | None
    grants: Sequence[CreditGrant]
    line_id: LineId
    credit_line_id: LineId
    event_count: Decimal = _ZERO
    whole: Interval | None = None
    spans: Sequence[UsedSpan] = ()
    earlier: EarlierParts = NO_PARTS

    @property
    def used_spans(self) -> Sequence[UsedSpan]:
        """Where in the period usage was, as finely as grants need to know."""
        return self.spans or (UsedSpan(self.period, self.used),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charged:
    """The lines of one component's period before discounts, and what its discounts left of their cost."""

    line: InvoiceLine
    credit_line: InvoiceLine | None
    cost: Reduced

    @property
    def lines(self) -> list[InvoiceLine]:
        """The lines as they are shown: discounts are taken off the charge that they belong to.

        A discount is computed on what credits left of the charge, so it never takes the two lines below zero.
        """
        with exact():
            taken = sum((discount.amount for discount in self.cost.taken), _ZERO)
            line = replace(
                self.line,
                description=self.line.description + words_of(self.cost.currency, self.cost.taken),
                amount=self.line.amount - taken,
                discounts=self.cost.taken,
            )
        return [line] if self.credit_line is None else [line, self.credit_line]


def charge_of(billed: BilledPeriod) -> Charged | None:
    """What one component's period costs; usage that credits cover is shown and taken off (CRD-7).

    Usage is rated gross, and the credit line is minus what the covered part costs:
    −(rate(used) − rate(used − covered)). So the sum is the rated rest, whatever the charge model, and at a plain
    unit price both lines read naturally. Credits that are not billing-visible are taken off inside the usage line.
    None when a time rule says that nothing is charged in the period (DSL-4).
    """
    charge = charge_in_period(billed.component, billed.number, billed.period)
    if charge is None:
        return None
    match billed.component.kind:
        case ComponentKind.FIXED:
            line, credit_line = _held_line(billed, charge, _ONE, "", billed.component.name), None
        case ComponentKind.PER_UNIT:
            line, credit_line = _per_unit_line(billed, charge), None
        case ComponentKind.USAGE:
            line, credit_line = _usage_lines(billed, charge)
    cost = Reduced(currency=billed.offer.price.currency, left=_cost(line, credit_line))
    return Charged(
        line=line,
        credit_line=credit_line,
        cost=discounted(
            cost, discounts_left(billed.component.discounts, billed.earlier.taken), billed.number
        ),
    )


def _cost(line: InvoiceLine, credit_line: InvoiceLine | None) -> Fraction:
    """What discounts begin with: the exact amount of a single line, else what the two lines show together.

    A share of days has no exact decimal, so such a line begins with what it shows, too.
    """
    if credit_line is not None:
        return Fraction(line.amount) + Fraction(credit_line.amount)
    return Fraction(line.rated_amount if line.used_during is None else line.amount)


def _per_unit_line(billed: BilledPeriod, charge: Charge) -> InvoiceLine:
    seats = billed.component.seats
    included = Decimal(seats.included_seats) if seats else _ZERO
    held = max(billed.held, Decimal(seats.minimum_seats)) if seats else billed.held
    charged = max(held - included, _ZERO)
    text = f"{billed.component.name} × {number_of(charged)}"
    if included:
        text += f" ({number_of(included)} more included)"
    return _held_line(billed, charge, charged, "seats" if seats else "", text)


def _held_line(
    billed: BilledPeriod, charge: Charge, quantity: Decimal, unit_name: str, text: str
) -> InvoiceLine:
    """What is due for a period because it passes; a short first period costs its share of days."""
    whole = billed.whole or billed.period
    line = _line(
        billed, charge, LineKind.RECURRING, quantity, unit_name, text, rated(charge, quantity)
    )
    part, days = civil_days(billed.period, billed.time_zone), civil_days(whole, billed.time_zone)
    if part == days or not days:
        return line
    cost = Money(currency=billed.offer.price.currency, amount=line.rated_amount)
    with exact():
        share = Fraction(line.rated_amount) * Fraction(part, days)
        rounded_share = Decimal(round(share * 10**_PLACES)).scaleb(-_PLACES)
    return replace(
        line,
        description=f"{line.description}, {part} of {days} days",
        rated_amount=rounded_share,
        amount=cost.share(part, days).amount,
        used_during=billed.period,
        calculation=line.calculation and replace(line.calculation, days=part, whole_days=days),
    )


def _usage_lines(billed: BilledPeriod, charge: Charge) -> tuple[InvoiceLine, InvoiceLine | None]:
    component = billed.component
    assert component.metric_id is not None, "a usage component has a metric"
    metric = billed.offer.metrics[MetricId(component.metric_id)]
    cut = cut_charge(
        charge,
        currency=billed.offer.price.currency,
        part=billed.period,
        whole=billed.whole or billed.period,
        time_zone=billed.time_zone,
        earlier=billed.earlier,
    )
    visible = [grant for grant in billed.grants if grant.billing_visible]
    hidden = [grant for grant in billed.grants if not grant.billing_visible]
    inside, rest = draw_in_spans(hidden, billed.used_spans, billed.used)
    shown, _ = draw_in_spans(visible, rest, billed.used - inside.covered)
    text = f"{component.name} × {number_of(billed.used)}"
    if billed.earlier.quantity:
        text += f" after {number_of(billed.earlier.quantity)} earlier in the period"
    if inside.covered:
        text += f", {number_of(inside.covered)} of them included"
    # Where a cheaper volume tier begins, less usage costs more; a credit never does.
    gross = _cheaper(_rated(billed, cut, _ZERO), _rated(billed, cut, inside.covered))
    usage = _line(
        billed, charge, LineKind.USAGE, billed.used, metric.unit_name, text, gross, draws=inside
    )
    if not shown.covered:
        return usage, None
    net = _cheaper(gross, _rated(billed, cut, inside.covered + shown.covered))
    with exact():
        saved = replace(net, amount=net.amount - gross.amount)
    credit_text = f"{component.name}: {number_of(shown.covered)} included"
    credit = _line(
        billed,
        charge,
        LineKind.USAGE_CREDIT,
        shown.covered,
        metric.unit_name,
        credit_text,
        saved,
        draws=shown,
    )
    # Rounded apart, the two could show a cent more or less than what is left costs.
    cost_of_rest = Money(currency=billed.offer.price.currency, amount=net.amount).rounded().amount
    return usage, replace(
        credit,
        amount=cost_of_rest - usage.amount,
        calculation=replace(net.calculation, billed_amount=usage.amount),
    )


def _rated(billed: BilledPeriod, cut: CutCharge, covered: Decimal) -> Rated:
    cost = cut.cost(billed.used - covered, billed.event_count)
    made = replace(cost.calculation, measured=billed.used, covered=covered)
    return replace(cost, calculation=made)


def _cheaper(one: Rated, other: Rated) -> Rated:
    return other if other.amount <= one.amount else one


def _line(
    billed: BilledPeriod,
    charge: Charge,
    kind: LineKind,
    quantity: Decimal,
    unit_name: str,
    text: str,
    cost: Rated,
    *,
    draws: Draws | None = None,
) -> InvoiceLine:
    component, price = billed.component, billed.offer.price
    model = charge.model
    is_credit = kind is LineKind.USAGE_CREDIT
    if cost.bound is not None and not is_credit:
        text += f" ({cost.bound})"
    return InvoiceLine(
        id=billed.credit_line_id if is_credit else billed.line_id,
        kind=kind,
        description=f"{text}, {dates_of(billed.period, billed.time_zone)}",
        quantity=quantity,
        unit_name=unit_name,
        unit_amount=model.unit_price if isinstance(model, FlatCharge) else None,
        rated_amount=cost.amount,
        amount=Money(currency=price.currency, amount=cost.amount).rounded().amount,
        component_id=component.id,
        price_id=price.id,
        plan_version_id=billed.offer.version.id,
        metric_id=None if component.metric_id is None else MetricId(component.metric_id),
        period_number=billed.number,
        period=billed.period,
        source_line_id=billed.line_id if is_credit else None,
        draws=draws.draws if draws else (),
        usage_seen_at=billed.usage_seen_at,
        event_count=billed.event_count if has_event_fee(charge) and not is_credit else None,
        parts=cost.parts,
        calculation=cost.calculation,
    )


def has_event_fee(charge: Charge) -> bool:
    """Whether the charge needs to know how many events were measured."""
    return isinstance(charge.model, PercentageCharge) and charge.model.fee_per_event is not None
