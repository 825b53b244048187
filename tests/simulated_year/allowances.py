"""What credits a plan grants for each of its periods (CRD-5, ENT-4).

Each time that a plan is taken it brings its own, and more when seats are added. But a period has one allowance: a plan
that comes back within it, or a subscription after its end, brings nothing fresh. What it brings then is less by what
the plan's credits paid for in that period before; of all periods that would be running, had none been counted anew, the
one that began first counts. What is reported later is not taken off. What was used of a period that an end cut off is
there again from when that period would be over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .charges import Charge
from .happening import Use
from .periods import boundary, number_at
from .sold import Sold, decimal
from .terms import History, Terms, first_seat, most_seats


@dataclass(frozen=True, slots=True)
class Pool:
    """The credits of one period of a plan since it was taken."""

    plan: Sold
    begun: Terms
    number: int


def pool_of(history: History, one: Charge) -> Pool:
    """What a span of usage draws on; spans of one period share it."""
    begun = _begun(history, one.start)
    return Pool(one.plan.product, begun, one.number)


def granted(history: History, uses: Sequence[Use], pool: Pool) -> Decimal:
    """How much it holds."""
    amount = decimal(pool.plan.credits or 0)
    if not amount:
        return amount
    taken_off = Decimal(0)
    if _number(history, pool, pool.begun.since) == pool.number:
        first = amount * (pool.begun.held if pool.plan.credits_per_seat else 1)
        taken_off = min(sum(_paid_before(history, uses, pool).values(), Decimal(0)), first)
    if pool.plan.credits_per_seat:
        start, end = _period(history, pool)
        amount *= most_seats(
            history, pool.plan, pool.begun.anchor, max(start, pool.begun.since), end
        )
    return amount - taken_off


def granted_since(history: History, pool: Pool) -> datetime:
    """From when on it pays: what seats bring, not before the first is held."""
    start, end = _period(history, pool)
    start = max(start, pool.begun.since)
    if not pool.plan.credits_per_seat:
        return start
    return first_seat(history, pool.plan, pool.begun.anchor, start, end) or start


def granted_again(
    history: History, uses: Sequence[Use], pool: Pool
) -> list[tuple[datetime, Decimal]]:
    """From when on it holds how much more, as what was taken off it counts no longer."""
    amount = decimal(pool.plan.credits or 0)
    if not amount or _number(history, pool, pool.begun.since) != pool.number:
        return []
    first = amount * (pool.begun.held if pool.plan.credits_per_seat else 1)
    counted = _paid_before(history, uses, pool)
    standing = min(sum(counted.values(), Decimal(0)), first)
    found = []
    for end in sorted(until for until in counted if until is not None):
        still = (paid for until, paid in counted.items() if until is None or end < until)
        left = min(sum(still, Decimal(0)), first)
        if left < standing and end < _period(history, pool)[1]:
            found.append((end, standing - left))
        standing = left
    return found


def _begun(history: History, at: datetime) -> Terms:
    """The terms with which the plan of an instant was taken."""
    begun = None
    for version in history.versions:
        if version.since > at:
            break
        same = begun is not None and _taken_up(version) == _taken_up(begun)
        begun = begun if same else version
    assert begun is not None
    return begun


def _taken_up(terms: Terms) -> tuple[Sold, datetime]:
    return terms.plan.product, terms.anchor


def _every(pool: Pool) -> str:
    assert pool.plan.usage is not None
    return pool.plan.usage.every


def _number(history: History, pool: Pool, at: datetime) -> int:
    return number_at(pool.begun.anchor, history.zone, _every(pool), at)


def _period(history: History, pool: Pool) -> tuple[datetime, datetime]:
    anchor, zone = pool.begun.anchor, history.zone
    return (
        boundary(anchor, zone, _every(pool), pool.number),
        boundary(anchor, zone, _every(pool), pool.number + 1),
    )


def _paid_before(
    history: History, uses: Sequence[Use], pool: Pool
) -> dict[datetime | None, Decimal]:
    """What the plan's credits paid for in the period before it was taken again, by the end of the period that an end
    cut off; None: of the same one."""
    at = pool.begun.since
    until = history.versions.index(pool.begun)
    earlier = History(history.zone, history.versions[:until])
    begun_at = min(_running_at(earlier, pool), default=at)
    paid: dict[datetime | None, Decimal] = {}
    for other, start, end in _held(earlier, pool.plan, begun_at, at):
        used = sorted(
            (use.happened_at, use.amount)
            for use in uses
            if use.plan is pool.plan and start <= use.happened_at < end and use.at < at
        )
        until = None
        if (anchor := other.begun.anchor) != pool.begun.anchor:
            number = number_at(anchor, earlier.zone, _every(pool), at)
            until = boundary(anchor, earlier.zone, _every(pool), number + 1)
        holds = [(start, granted(earlier, uses, other)), *granted_again(earlier, uses, other)]
        paid[until] = paid.get(until, Decimal(0)) + _paid(used, holds)
    return paid


def _paid(
    used: Sequence[tuple[datetime, Decimal]], holds: Sequence[tuple[datetime, Decimal]]
) -> Decimal:
    """How much of what was used, the earliest first, is paid by amounts that pay from an instant on."""
    paid, left = Decimal(0), list(used)
    for since, amount in holds:
        for place, (at, one) in enumerate(left):
            part = min(one, amount) if since <= at else Decimal(0)
            left[place] = at, one - part
            amount -= part
            paid += part
    return paid


def _running_at(earlier: History, pool: Pool) -> Iterator[datetime]:
    """When the periods began that would be running, as they were counted ever."""
    if not (earlier.versions and pool.begun.billed):
        return
    at, anchor, before = pool.begun.since, pool.begun.anchor, earlier.now
    anchors = [
        each.anchor
        for each in earlier.versions
        if each.billed and each.anchor != anchor and each.plan.trial is None
    ]
    if before.status != "canceled":
        if before.anchor != anchor:
            return
        anchors.append(anchor)
    for each in anchors:
        number = number_at(each, earlier.zone, _every(pool), at)
        yield boundary(each, earlier.zone, _every(pool), number)


def _held(
    earlier: History, plan: Sold, start: datetime, end: datetime
) -> Iterator[tuple[Pool, datetime, datetime]]:
    """When which of a plan's credits could pay between two instants."""
    for stretch in earlier.stretches():
        if stretch.plan.product is not plan:
            continue
        begun = _begun(earlier, stretch.start)
        at, until = max(start, stretch.start), min(end, stretch.end or end)
        while at < until:
            pool = Pool(plan, begun, _number(earlier, Pool(plan, begun, 0), at))
            ends = min(_period(earlier, pool)[1], until)
            yield pool, at, ends
            at = ends
