"""From a component's period to the lines that an invoice shows for it; an accountant can recompute each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from candela_server.billing.model import InvoiceLine, LineId, LineKind
from candela_server.catalog.model import MetricId, Offer
from candela_server.catalog.price import Component, ComponentKind, FlatCharge
from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.waterfall import Draws, draw
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, format_decimal

from .rating.pipeline import rate

_ONE = Decimal(1)
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledPeriod:
    """One component's period with all that its lines depend on.

    `held` is the quantity of a PER_UNIT component, `used` what the metric measured for a USAGE one up to
    `usage_seen_at`; `grants` are those that can pay for usage of the whole period, with what is left of them. The two
    ids are for the lines, made by the caller because rules draw nothing out of the air.
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


def lines_of(billed: BilledPeriod) -> list[InvoiceLine]:
    """The lines of one component's period; usage that credits cover is shown and taken off (CRD-7).

    Usage is rated gross, and the credit line is minus what the covered part costs:
    −(rate(used) − rate(used − covered)). So the sum is the rated rest, whatever the charge model, and at a plain
    unit price both lines read naturally. Credits that are not billing-visible are taken off inside the usage line.
    """
    match billed.component.kind:
        case ComponentKind.FIXED:
            return [_line(billed, LineKind.RECURRING, _ONE, "", billed.component.name)]
        case ComponentKind.PER_UNIT:
            return [_per_unit_line(billed)]
        case ComponentKind.USAGE:
            return _usage_lines(billed)


def _per_unit_line(billed: BilledPeriod) -> InvoiceLine:
    component = billed.component
    included = Decimal(component.seats.included_seats) if component.seats else _ZERO
    charged = max(billed.held - included, _ZERO)
    unit_name = "seats" if component.seats else ""
    text = f"{component.name} × {_number(charged)}"
    if included:
        text += f" ({_number(included)} more included)"
    return _line(billed, LineKind.RECURRING, charged, unit_name, text)


def _usage_lines(billed: BilledPeriod) -> list[InvoiceLine]:
    component = billed.component
    assert component.metric_id is not None, "a usage component has a metric"
    metric = billed.offer.metrics[MetricId(component.metric_id)]
    visible = [grant for grant in billed.grants if grant.billing_visible]
    hidden = [grant for grant in billed.grants if not grant.billing_visible]
    inside = draw(hidden, billed.used)
    shown = draw(visible, billed.used - inside.covered)
    usage_text = f"{component.name} × {_number(billed.used)}"
    if inside.covered:
        usage_text += f", {_number(inside.covered)} of them included"
    usage = _line(
        billed,
        LineKind.USAGE,
        billed.used,
        metric.unit_name,
        usage_text,
        rated=rate(component.charge, billed.used - inside.covered),
        draws=inside,
    )
    if not shown.covered:
        return [usage]
    net = rate(component.charge, billed.used - inside.covered - shown.covered)
    credit = _line(
        billed,
        LineKind.USAGE_CREDIT,
        shown.covered,
        metric.unit_name,
        f"{component.name}: {_number(shown.covered)} included",
        rated=net - usage.rated_amount,
        draws=shown,
    )
    return [usage, credit]


def _line(
    billed: BilledPeriod,
    kind: LineKind,
    quantity: Decimal,
    unit_name: str,
    text: str,
    *,
    rated: Decimal | None = None,
    draws: Draws | None = None,
) -> InvoiceLine:
    component, price = billed.component, billed.offer.price
    amount = rate(component.charge, quantity) if rated is None else rated
    model = component.charge.model
    is_credit = kind is LineKind.USAGE_CREDIT
    return InvoiceLine(
        id=billed.credit_line_id if is_credit else billed.line_id,
        kind=kind,
        description=f"{text}, {_dates(billed.period, billed.time_zone)}",
        quantity=quantity,
        unit_name=unit_name,
        unit_amount=model.unit_price if isinstance(model, FlatCharge) else None,
        rated_amount=amount,
        amount=Money(currency=price.currency, amount=amount).rounded().amount,
        component_id=component.id,
        price_id=price.id,
        plan_version_id=billed.offer.version.id,
        metric_id=None if component.metric_id is None else MetricId(component.metric_id),
        period_number=billed.number,
        period=billed.period,
        source_line_id=billed.line_id if is_credit else None,
        draws=draws.draws if draws else (),
        usage_seen_at=billed.usage_seen_at,
    )


def _dates(period: Interval, time_zone: str) -> str:
    """The period's days in the subscription's zone; a period that ends at a time of day ends on that day."""
    zone = ZoneInfo(time_zone)
    first = period.start_at.astimezone(zone).date()
    last = (period.end_at - timedelta(microseconds=1)).astimezone(zone).date()
    if first == last:
        return f"{first.day} {first:%b %Y}"
    first_text = f"{first.day} {first:%b}" + (f" {first.year}" if first.year != last.year else "")
    return f"{first_text} – {last.day} {last:%b %Y}"


def _number(value: Decimal) -> str:
    return f"{Decimal(format_decimal(value)):,}"
