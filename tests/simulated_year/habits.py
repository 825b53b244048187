"""What customers are wont to do with what they took: change it, end it, come back; and use it."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from .days import BEGIN, DAYS
from .happening import (
    Cancel,
    ChangePlan,
    ChangeSeats,
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
from .sold import Sold

LONGEST_LAG = timedelta(days=20)
JOINING_DAYS = (0, 1, 2, 17, 31, 32, 60, 61, 62, 86, 93, 121, 152, 183, 229)
"""Ends of long and short months, 29 February, days around both changes of clocks; and days like any other."""
TIMES_BACK = (
    timedelta(),
    timedelta(hours=9, minutes=29, seconds=43),
    timedelta(hours=11, minutes=30),
)
"""Few, so that many fall due together; the last is half past midnight or so in two of the zones."""
WHENS: Sequence[When] = ("now", "now", "period end", "at")
PRORATIONS: Sequence[Proration] = (None, "next invoice", "invoice now", "none")


def left_alone(chance: random.Random, name: str, plan: Sold) -> list[Operation]:
    """A subscription that is taken, used, and left as it is."""
    subscription, joined = f"{name}:{plan.slug}", chance.choice(JOINING_DAYS)
    at = BEGIN + timedelta(days=joined)
    start_at = at - chance.choice(TIMES_BACK)
    taken = Subscribe(at=at, subscription=subscription, plan=plan, seats=3, start_at=start_at)
    return [taken, *usage(chance, subscription, [(joined, plan)], joined)]


def changes(
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
    when, proration = chance.choice(WHENS), chance.choice(PRORATIONS)
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
    proration = chance.choice(PRORATIONS)
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


def usage(
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
