"""When a quantity may be held, taken or given back, and how much of it (ENT-9).

The one argument why no interleaving passes a hard limit: every decision about an allowance is made alone (the store's
lock), knows exactly what is used and held at that instant (`stock_of`), and adds at most what is left. Between two
decisions nothing of it grows: an event that becomes durable turns decided use into measured use of the same amount,
and giving back only makes room.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from candela_server.catalog.model import Aggregation, LimitBehavior, Metric
from candela_server.credit.rules.waterfall import UsedSpan
from candela_server.entitlement.model import FeatureState, Metered
from candela_server.entitlement.reservation import (
    MAX_COUNTED,
    OverageBehavior,
    Reservation,
    ReservationStatus,
    Stock,
)
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import exact, format_decimal
from candela_server.metering.rules.event_filter import predicate
from candela_server.metering.rules.event_value import parse_properties

from .bound import bound_of

_ZERO = Decimal(0)


def status_at(reservation: Reservation, now: datetime) -> ReservationStatus:
    """Where it stands at `now` on the customer's clock: what is held gives itself back at its end."""
    if (
        reservation.status is ReservationStatus.HELD
        and reservation.expires_at is not None
        and reservation.expires_at <= now
    ):
        return ReservationStatus.EXPIRED
    return reservation.status


def stock_of(
    open_ones: Iterable[Reservation],
    recorded: Collection[str],
    measured: Decimal,
    window: Interval,
    past: Sequence[UsedSpan] = (),
) -> Stock:
    """What stands against an allowance: held and decided reservations beside what the metric measured.

    `open_ones` are those that are held and have not expired, and those that are committing. `recorded` holds the event
    keys of the latter whose events are in `measured`, so that none counts twice. Use that was decided in another
    window counts there. `past` is what was measured in the parts of the window that are over.
    """
    used, held = measured, _ZERO
    over = [part.used for part in past]
    with exact():
        for one in open_ones:
            if one.status is ReservationStatus.HELD:
                held += one.quantity
            elif one.event_key not in recorded and _settled_in(one, window):
                used += one.committed_quantity or _ZERO
                for place, part in enumerate(past):
                    if _settled_in(one, part.span):
                        over[place] += one.committed_quantity or _ZERO
    return Stock(used=used, held=held, recorded=frozenset(recorded), past=tuple(over))


def room_of(state: FeatureState | None, metered: Metered | None, stock: Stock) -> Decimal | None:
    """How much may be used beyond what is used and held; None when nothing refuses more.

    A feature that is not granted any more has no room: only what was reserved before may still be committed.
    """
    if state is None or metered is None or state.denial is not None:
        return _ZERO
    bound = bound_of(metered, stock.past)
    if metered.behavior is not LimitBehavior.HARD or bound.limit is None:
        return None
    with exact():
        return max(bound.limit - bound.counted(stock.used) - stock.held, _ZERO)


def quantity_to_commit(
    *,
    reserved: Decimal,
    actual: Decimal,
    room: Decimal | None,
    overage: OverageBehavior,
    whole: bool,
) -> Decimal | None:
    """How much of the real use is recorded; None when the commit is refused and the reservation stays held.

    `room` is what the limit leaves to this reservation, its own part included. What was reserved is never refused,
    even when the limit has fallen since. `whole` is for metrics that count events.
    """
    allowed = actual if room is None else max(reserved, room)
    if whole:
        allowed = allowed.to_integral_value(ROUND_FLOOR)
    if actual <= allowed:
        return actual
    match overage:
        case OverageBehavior.REJECT:
            return None
        case OverageBehavior.CAP:
            return allowed
        case OverageBehavior.ALLOW:
            return actual


def counts_events(metric: Metric) -> bool:
    """Whether each unit is an event of its own."""
    return metric.aggregation is Aggregation.COUNT


def adds_up(metric: Metric) -> bool:
    """Whether an event of a quantity adds that quantity to what the metric measures."""
    return metric.aggregation in (Aggregation.SUM, Aggregation.COUNT)


def check_quantity(quantity: Decimal, *, whole: bool) -> None:
    """Refuses what a metric that counts events cannot count. Raises ValueError."""
    if whole and (quantity != quantity.to_integral_value() or quantity > MAX_COUNTED):
        raise ValueError(
            f"must be a whole number of at most {MAX_COUNTED}, as the feature's metric counts events"
        )


def check_properties(metric: Metric, properties_json: bytes, *, quantity: Decimal) -> None:
    """Refuses properties with which the metric would not read this quantity of the usage event. Raises ValueError."""
    check_measured(metric.property, properties_json)
    if metric.property is not None:
        properties_json = with_quantity(
            properties_json, property=metric.property, quantity=quantity
        )
    properties = parse_properties(properties_json) if properties_json else {}
    if not predicate(metric.filters)(properties):
        raise ValueError(f"the filters of the metric {metric.slug!r} do not let this event through")


def check_measured(measured_property: str | None, properties_json: bytes) -> None:
    """Refuses properties that say themselves what the quantity is to say. Raises ValueError."""
    if properties_json and measured_property in parse_properties(properties_json):
        raise ValueError(
            f"the metric measures {measured_property!r}, which holds the quantity; leave it out"
        )


def with_quantity(properties_json: bytes, *, property: str, quantity: Decimal) -> bytes:
    """The properties, a JSON object that lacks this one or nothing, with it; every other byte stays as it was sent."""
    own = f"{json.dumps(property)}:{format_decimal(quantity)}".encode()
    rest = properties_json.strip().removeprefix(b"{").removesuffix(b"}").strip()
    return b"{" + own + (b"," + rest if rest else b"") + b"}"


def _settled_in(reservation: Reservation, window: Interval) -> bool:
    at = reservation.settled_at
    return at is not None and window.start_at <= at < window.end_at
