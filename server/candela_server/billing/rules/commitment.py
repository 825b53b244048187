"""Minimum commitments: what is missing to the least that a period of a price costs (DSL-10)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from candela_server.billing.model import InvoiceLine, LineKind
from candela_server.catalog.price import BillingTiming, Price
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money
from candela_server.kernel.time_zone import civil_days

_SOME_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ZERO = Decimal(0)

COUNTED = frozenset({LineKind.RECURRING, LineKind.USAGE, LineKind.PRORATION, LineKind.ADJUSTMENT})
"""What counts towards a commitment: charges net of discounts, before the credits that pay for them."""

_REISSUED = frozenset({LineKind.RECURRING, LineKind.USAGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedPeriod:
    """One period of a commitment; `whole` is what it would be had the rule begun on one of its own dates."""

    number: int
    period: Interval
    whole: Interval


def periods_ending(
    price: Price, anchor_at: datetime, time_zone: str, due_at: datetime
) -> list[CommittedPeriod]:
    """The commitment's periods whose true-up belongs on what is billed at `due_at`.

    These are the ones that ended since anything was billed before: the first invoice at or after a period's end is its
    last one, whether or not something else falls due at that very instant. Evaluated there alone, never earlier.
    """
    commitment = price.minimum_commitment
    if commitment is None or due_at <= anchor_at:
        return []
    rule = commitment.recurrence_in(time_zone)
    since = _due_before(price, anchor_at, time_zone, due_at)
    found = []
    number = rule.period_number_at(anchor_at, due_at)
    while number > 0:
        number -= 1
        period = rule.period(anchor_at, number)
        if period.end_at <= since:
            break
        found.append(
            CommittedPeriod(
                number=number, period=period, whole=rule.whole_period(anchor_at, number)
            )
        )
    return found[::-1]


def commitment_length(price: Price) -> timedelta:
    """How long a whole period of the price's commitment is, to a day; nothing for a price without one."""
    if price.minimum_commitment is None:
        return timedelta(0)
    second = price.minimum_commitment.recurrence_in("UTC").period(_SOME_TIME, 1)
    return second.end_at - second.start_at


def committed_amount(price: Price, committed: CommittedPeriod, time_zone: str) -> Decimal:
    """The least that the period costs; a short first one by its days."""
    assert price.minimum_commitment is not None, "periods_ending found it"
    amount = Money(currency=price.currency, amount=price.minimum_commitment.amount)
    part = civil_days(committed.period, time_zone)
    whole = civil_days(committed.whole, time_zone)
    return (amount.rounded() if part == whole else amount.share(part, whole)).amount


def counted_charges(
    prices: Sequence[Price], period: Interval, lines: Iterable[InvoiceLine]
) -> Decimal:
    """What the lines of a price, and of its variations, come to in a commitment's period, before credits.

    A line counts where its charge falls: see `charged_at`.
    """
    ids = {price.id for price in prices}
    timings = {one.id: one.timing for price in prices for one in price.components}
    return sum(
        (
            line.amount
            for line in lines
            if line.kind in COUNTED
            and line.price_id in ids
            and line.component_id in timings
            and period.contains(charged_at(line, timings[line.component_id]))
        ),
        _ZERO,
    )


def left_to_reissues(
    voided: Iterable[InvoiceLine], billed: Collection[InvoiceLine]
) -> list[InvoiceLine]:
    """What of void invoices only their reissues ask for again, where none has billed it.

    It counts towards a commitment as if it had been charged, so that no true-up asks for it in its place. Differences
    are on the next invoice whether theirs is reissued or not.
    """
    again = {(line.component_id, line.period) for line in billed if line.kind in _REISSUED}
    return [
        line
        for line in voided
        if line.kind in _REISSUED and (line.component_id, line.period) not in again
    ]


def missing(least: Decimal, charges: Decimal) -> Decimal:
    """What is added so that the period costs at least the committed amount."""
    return max(least - charges, _ZERO)


def charged_at(line: InvoiceLine, timing: BillingTiming) -> datetime:
    """Where a charge falls: one in advance at the start of its period, one in arrears just before its end.

    What was taken up within a period that is charged in advance falls where it was taken up.
    """
    in_advance = timing is BillingTiming.IN_ADVANCE
    if is_joined(line) and line.used_during is not None and in_advance:
        return line.used_during.start_at
    return period_charged_at(line.period, timing)


def is_joined(line: InvoiceLine) -> bool:
    """Whether it charges for what was taken up within its period."""
    return line.kind is LineKind.PRORATION and line.source_line_id is None


def period_charged_at(period: Interval, timing: BillingTiming) -> datetime:
    """Where the charge of a whole period falls."""
    if timing is BillingTiming.IN_ADVANCE:
        return period.start_at
    return period.end_at - _MICROSECOND


def _due_before(price: Price, anchor_at: datetime, time_zone: str, due_at: datetime) -> datetime:
    """When something of the price last fell due before `due_at`; the anchor when nothing did."""
    instants = [anchor_at]
    for component in price.components:
        rule = component.recurrence_in(time_zone)
        instants.append(rule.period_containing(anchor_at, due_at - _MICROSECOND).start_at)
    return max(instants)
