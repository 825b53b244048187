"""Random lives of customers, from a seed: who takes what when, uses how much of it, and changes what.

To add an operation: the record in `happening.py` and when it happens here or in `dealings.py`, what it means for money
in `account.py` or `model.py`, and how Candela is asked for it in `desk.py` or `office.py`; each is one function.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from .dealings import credits_given, pack, papers
from .happening import (
    Cancel,
    ChangePlan,
    ChangeSeats,
    Life,
    Operation,
    Pause,
    Proration,
    Reactivate,
    Resume,
    Subscribe,
    UndoCancel,
    Use,
    When,
)
from .sold import FAMILIES, STEADY, Sold
from .taxes import BUYERS, Buyer

BEGIN = datetime(2027, 12, 30, 12, 0, tzinfo=UTC)
"""The year holds a 29 February, and begins before two long months."""
DAYS = 366
PRICES_INCLUDE_TAX_SINCE = BEGIN + timedelta(days=190)
"""Just after this tick the merchant changes its mind; drafts follow."""
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")
LONGEST_LAG = timedelta(days=20)
_JOINING_DAYS = (0, 1, 2, 17, 31, 32, 60, 61, 62, 86, 93, 121, 152, 183, 229)
"""Ends of long and short months, 29 February, days around both changes of clocks; and days like any other."""
_TIMES_BACK = (
    timedelta(),
    timedelta(hours=9, minutes=29, seconds=43),
    timedelta(hours=11, minutes=30),
)
"""Few, so that many fall due together; the last is half past midnight or so in two of the zones."""
_WHENS: Sequence[When] = ("now", "now", "period end", "at")
_PRORATIONS: Sequence[Proration] = (None, "next invoice", "invoice now", "none")


def ticks() -> list[datetime]:
    """The instants at which clocks stop and customers act: each day at the same time."""
    return [BEGIN + timedelta(days=day) for day in range(DAYS)]


TICKS = frozenset(ticks())


def next_tick(after: datetime) -> datetime:
    """The first of them after an instant."""
    days = max(-1, (after - BEGIN) // timedelta(days=1))
    return BEGIN + timedelta(days=days + 1)


def lives(seed: int, count: int, first: int = 0) -> list[Life]:
    """So many customers from a number on; the same ones for the same seed."""
    return [
        _life(random.Random(seed * 1_000_003 + number), number)
        for number in range(first, first + count)
    ]


def _life(chance: random.Random, number: int) -> Life:
    name = f"customer-{number}"
    operations: list[Operation] = []
    bought: list[Operation] = []
    # The events of a plan are its own, so that no plan is held twice.
    for family in chance.sample(FAMILIES, chance.choice((1, 1, 2, 3))):
        plan = chance.choice(family)
        subscription = f"{name}:{plan.slug}"
        joined = chance.choice(_JOINING_DAYS)
        at = BEGIN + timedelta(days=joined)
        operations.append(
            Subscribe(
                at=at,
                subscription=subscription,
                plan=plan,
                seats=chance.randint(3, 12),
                start_at=at - chance.choice(_TIMES_BACK),
            )
        )
        taken = [(joined, plan)]
        if plan.commitment is None:
            for one in _changes(chance, subscription, family, joined):
                operations.append(one)
                if isinstance(one, ChangePlan):
                    taken.append(((one.at - BEGIN).days, one.plan))
            days = [BEGIN + timedelta(days=day) for day in range(joined + 1, DAYS)]
            operations += papers(chance, subscription, days)
            held = [one for _, one in taken]
            operations += credits_given(chance, subscription, held, days)
            if not bought:
                bought = pack(chance, subscription, chance.choice(held), days)
                operations += bought
        if plan.trial:
            taken.append((joined + plan.trial.days, plan.trial.parent))
        operations += _usage(chance, subscription, sorted(taken, key=lambda one: one[0]), joined)
    time_zone, buyers = chance.choice(ZONES), _buyers(chance)
    if chance.random() < 0.2:
        operations += _steady(chance, name, chance.choice(STEADY))
    return Life(
        name=name,
        time_zone=time_zone,
        operations=sorted(operations, key=lambda one: one.at),
        buyers=buyers,
    )


def _steady(chance: random.Random, name: str, plan: Sold) -> list[Operation]:
    """A subscription that is taken, used, and left as it is."""
    subscription, joined = f"{name}:{plan.slug}", chance.choice(_JOINING_DAYS)
    at = BEGIN + timedelta(days=joined)
    start_at = at - chance.choice(_TIMES_BACK)
    taken = Subscribe(at=at, subscription=subscription, plan=plan, seats=3, start_at=start_at)
    return [taken, *_usage(chance, subscription, [(joined, plan)], joined)]


def _buyers(chance: random.Random) -> list[tuple[datetime, Buyer]]:
    """Most stay where they are; some move, or become a business."""
    found = [(BEGIN - timedelta(days=1), chance.choice(BUYERS))]
    if chance.random() < 0.3:
        moved = BEGIN + timedelta(days=chance.randrange(1, DAYS - 1))
        found.append((moved, chance.choice([one for one in BUYERS if one.country])))
    return found


def _changes(
    chance: random.Random, subscription: str, family: Sequence[Sold], joined: int
) -> list[Operation]:
    """Now and then something else, on days of its own; an end and a pause are mostly followed by a way back."""
    days = list(range(joined + 1, DAYS))
    chosen = sorted(chance.sample(days, min(len(days), chance.choice((0, 2, 5, 9, 14)))))
    made: list[Operation] = []
    for day in chosen:
        at = BEGIN + timedelta(days=day)
        made.append(_change(chance, subscription, family, at))
        back = _way_back(chance, made[-1])
        if back is not None and back.at <= BEGIN + timedelta(days=DAYS - 1):
            made.append(back)
    days_taken = {one.at: one for one in made}
    return sorted(days_taken.values(), key=lambda one: one.at)


def _change(
    chance: random.Random, subscription: str, family: Sequence[Sold], at: datetime
) -> Operation:
    when, proration = chance.choice(_WHENS), chance.choice(_PRORATIONS)
    later = at + timedelta(days=chance.randrange(1, 40), seconds=chance.randrange(86_400))
    kind = chance.choice(("plan", "plan", "plan", "seats", "seats", "seats", "pause", "cancel"))
    if kind == "plan":
        return ChangePlan(
            at=at,
            subscription=subscription,
            plan=chance.choice([one for one in family if one.trial is None] or family),
            when=when,
            effective_at=later if when == "at" else None,
            proration=proration,
        )
    if kind == "seats":
        when = chance.choice((None, when))
        return ChangeSeats(
            at=at,
            subscription=subscription,
            seats=chance.randint(3, 14),
            when=when,
            effective_at=later if when == "at" else None,
            proration=proration,
        )
    if kind == "pause":
        return Pause(
            at=at,
            subscription=subscription,
            when=when,
            effective_at=later if when == "at" else None,
            proration=proration,
            resume_at=chance.choice((None, later + timedelta(days=30))),
        )
    when = chance.choice((None, when))
    return Cancel(
        at=at,
        subscription=subscription,
        when=when,
        effective_at=later if when == "at" else None,
        proration=proration,
    )


def _way_back(chance: random.Random, one: Operation) -> Operation | None:
    if chance.random() < 0.3:
        return None
    at = one.at + timedelta(days=chance.randrange(1, 45))
    proration = chance.choice(_PRORATIONS)
    match one:
        case Pause():
            return Resume(at=at, subscription=one.subscription, proration=proration)
        case Cancel(when="now"):
            return Reactivate(at=at, subscription=one.subscription)
        case Cancel():
            # Often before the end, sometimes too late.
            at = one.at + timedelta(days=chance.randrange(1, 20))
            return UndoCancel(at=at, subscription=one.subscription)
    return None


def _usage(
    chance: random.Random, subscription: str, taken: list[tuple[int, Sold]], joined: int
) -> list[Use]:
    """Some days nothing, most days a little, now and then much; some of it reported late, some of another plan."""
    habit = chance.choice((5, 20, 60))
    used = []
    for day in range(joined + 1, DAYS):
        if chance.random() < 0.6:
            continue
        at = BEGIN + timedelta(days=day)
        amount = Decimal(chance.randrange(1, habit * 1000)).scaleb(chance.choice((-3, -3, -2, 0)))
        if amount > 1000:
            amount = Decimal(chance.randrange(1, habit))
        back = timedelta(seconds=chance.randrange(86_400))
        if chance.random() < 0.08:
            back = chance.random() * LONGEST_LAG
        plan = [one for since, one in taken if since < day][-1]
        if chance.random() < 0.15:
            plan = chance.choice([one for _, one in taken])
        if plan.usage is None:
            continue
        used.append(
            Use(
                at=at,
                subscription=subscription,
                plan=plan,
                amount=amount,
                happened_at=at - _whole(back),
            )
        )
    return used


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))
