"""Random lives of customers, from a seed: who takes what when, and uses how much of it.

An operation is a small record. To add one: the record here and when it happens (`_life`), what it means for money in
`model.py`, and how Candela is asked for it in `stage.py`; each is one function.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from .sold import PLANS, Sold

BEGIN = datetime(2027, 12, 30, 12, 0, tzinfo=UTC)
"""The year holds a 29 February, and begins before two long months."""
DAYS = 366
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribe:
    """Takes a plan; `start_at` may lie a little back."""

    at: datetime
    subscription: str
    plan: Sold
    seats: int
    start_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Usage that happened at `happened_at` and is reported at `at`."""

    at: datetime
    subscription: str
    amount: Decimal
    happened_at: datetime


Operation = Subscribe | Use


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A customer and all that it does, in order of time."""

    name: str
    time_zone: str
    operations: Sequence[Operation]


def ticks() -> list[datetime]:
    """The instants at which clocks stop and customers act: each day at the same time."""
    return [BEGIN + timedelta(days=day) for day in range(DAYS)]


def lives(seed: int, count: int) -> list[Life]:
    """So many customers; the same ones for the same seed."""
    return [_life(random.Random(seed * 1_000_003 + number), number) for number in range(count)]


def _life(chance: random.Random, number: int) -> Life:
    name = f"customer-{number}"
    operations: list[Operation] = []
    # One plan of each kind at most: the events of a plan are its own.
    for plan in chance.sample(PLANS, chance.choice((1, 1, 2, 3))):
        subscription = f"{name}:{plan.slug}"
        joined = chance.choice(_JOINING_DAYS)
        at = BEGIN + timedelta(days=joined)
        operations.append(
            Subscribe(
                at=at,
                subscription=subscription,
                plan=plan,
                seats=chance.randint(2, 12),
                start_at=at - chance.choice(_TIMES_BACK),
            )
        )
        if plan.usage is not None:
            operations += _usage(chance, subscription, plan, joined)
    return Life(
        name=name,
        time_zone=chance.choice(ZONES),
        operations=sorted(operations, key=lambda one: one.at),
    )


def _usage(chance: random.Random, subscription: str, plan: Sold, joined: int) -> list[Use]:
    """Some days nothing, most days a little, now and then much; some of it reported late."""
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
        used.append(
            Use(at=at, subscription=subscription, amount=amount, happened_at=at - _whole(back))
        )
    return used


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))
