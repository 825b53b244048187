"""Lives of a second kind of customers: what they do, those of `lifecycle` never do.

Each of them does one of these things, by its number. All is drawn from random streams of their own, so that the lives
of the first kind stay as they are for a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from .beside import moving
from .days import BEGIN, DAYS, ticks
from .dealings import credits_given, pack, papers
from .habits import (
    JOINING_DAYS,
    PRORATIONS,
    TIMES_BACK,
    WHENS,
    changes,
    left_alone,
    usage,
)
from .happening import (
    AssignSeat,
    ChangePlan,
    Life,
    Operation,
    OverridePrice,
    PayTopUp,
    ReleaseSeat,
    SetTopUp,
    Subscribe,
    VoidTopUp,
)
from .lifecycle import ZONES, buyers
from .overridden import ASIDE, FORMER, LISTED
from .sold import decimal
from .wares import COMMITTING, DINAR, GRADUATED, TEAM, TEAM_PLUS, TIERS_AND_CREDITS, YEN

_HELD = (TEAM, TEAM_PLUS, YEN)
_TOPPED_UP = (TEAM, TIERS_AND_CREDITS, DINAR, GRADUATED)


def wider_lives(seed: int, count: int, first: int = 0) -> list[Life]:
    """So many customers from a number on; each kind of life in turn."""
    return [_life(seed, number) for number in range(first, first + count)]


def _life(seed: int, number: int) -> Life:
    name, kinds = f"wider-{number}", list(_KINDS)
    kind = kinds[number % len(kinds)]
    chance = random.Random(f"{kind} {seed} {number}")
    operations = _KINDS[kind](chance, name)
    return Life(
        name=name,
        time_zone=chance.choice(ZONES),
        operations=sorted(operations, key=lambda one: one.at),
        buyers=buyers(chance),
    )


def _overriding(chance: random.Random, name: str) -> list[Operation]:
    """Prices of one plan and of another by turns, agreed with the merchant (SUB-4)."""
    plan, joined = chance.choice((LISTED, LISTED, ASIDE)), chance.choice(JOINING_DAYS)
    at = BEGIN + timedelta(days=joined)
    subscription = f"{name}:{plan.slug}"
    first = Subscribe(
        at=at,
        subscription=subscription,
        plan=plan,
        seats=chance.randint(4, 12),
        start_at=at - chance.choice(TIMES_BACK),
    )
    changed = changes(chance, subscription, (LISTED, ASIDE), joined)
    moves = [((one.at - BEGIN).days, one.plan) for one in changed if isinstance(one, ChangePlan)]
    taken = [(joined, plan), *moves]
    days = [BEGIN + timedelta(days=day) for day in range(joined + 1, DAYS)]
    held = [one for _, one in taken]
    free = [day for day in days if all(one.at != day for one in changed)]
    agreed = chance.sample(free, min(len(free), chance.choice((2, 5, 9))))
    return [
        first,
        *changed,
        *(_agreed(chance, subscription, day) for day in agreed),
        *papers(chance, subscription, days),
        *credits_given(chance, subscription, held, days),
        *pack(chance, subscription, chance.choice(held), days),
        *usage(chance, subscription, taken, joined),
    ]


def _agreed(chance: random.Random, subscription: str, at: datetime) -> OverridePrice:
    """At once or later; now and then of a plan that is not held."""
    when = chance.choice(WHENS)
    later = at + timedelta(days=chance.randrange(1, 40), seconds=chance.randrange(86_400))
    return OverridePrice(
        at=at,
        subscription=subscription,
        price=chance.choice((*FORMER, LISTED, ASIDE)),
        when=when,
        effective_at=later if when == "at" else None,
        proration=chance.choice(PRORATIONS),
    )


def _topping_up(chance: random.Random, name: str) -> list[Operation]:
    """Packs that are bought by themselves, in some months (CRD-9); some are paid for soon, some late, some never."""
    plan = chance.choice(_TOPPED_UP)
    taken, *used = left_alone(chance, name, plan)
    most = decimal(plan.credits or 40)
    amount = round(most * chance.randrange(10, 70) / 100, plan.minor_digits)
    setting = SetTopUp(
        at=taken.at,
        subscription=taken.subscription,
        enabled=True,
        plan=plan,
        money=plan.credits is None,
        threshold=most * chance.randrange(20, 100) / 100,
        amount=amount,
        price=round(amount / 2, plan.minor_digits),
        monthly_cap=chance.randint(1, 4),
    )
    made = [taken, *used]
    days = [one for one in ticks() if one > taken.at]
    for month in range(1, 13):
        # Never over the turn of a month: what its cap kept from being bought is bought when somebody looks next.
        of_month = [one for one in days if one.month == month and one.year == 2028]
        on, off = chance.randint(2, 9), chance.randint(20, 28)
        if len(of_month) >= 28 and chance.random() < 0.8:
            made.append(replace(setting, at=of_month[on - 1]))
            made.append(replace(setting, at=of_month[off - 1], enabled=False))
    patience = chance.choice((0.9, 0.4, 0.15))
    for at in days:
        if chance.random() < patience:
            made.append(PayTopUp(at=at, subscription=taken.subscription))
        elif chance.random() < 0.1:
            made.append(VoidTopUp(at=at, subscription=taken.subscription))
    return made


def _committing(chance: random.Random, name: str) -> list[Operation]:
    """Plans with minimum commitments, whose invoices are voided, reissued and corrected (DSL-10, INV-6)."""
    made = moving(chance, name, COMMITTING)
    days = [one for one in ticks() if one > made[0].at]
    return [*made, *papers(chance, made[0].subscription, days)]


def _holding(chance: random.Random, name: str) -> list[Operation]:
    """Seats that users hold: more want one than there are, and some are given up that are in use (SEAT-4)."""
    plan, joined = chance.choice(_HELD), chance.choice(JOINING_DAYS)
    at = BEGIN + timedelta(days=joined)
    subscription = f"{name}:{plan.slug}"
    first = Subscribe(
        at=at,
        subscription=subscription,
        plan=plan,
        seats=chance.randint(3, 7),
        # Never at noon, when they act: what is released as a period begins was used before it.
        start_at=at - chance.choice(TIMES_BACK[1:]),
    )
    kinds = (AssignSeat, AssignSeat, ReleaseSeat)
    held = [
        chance.choice(kinds)(at=day, subscription=subscription, user=chance.randrange(9))
        for day in sorted(chance.choices([one for one in ticks() if one > at], k=60))
    ]
    used = usage(chance, subscription, [(joined, plan)], joined)
    return [first, *changes(chance, subscription, (plan,), joined), *held, *used]


_KINDS: dict[str, Callable[[random.Random, str], list[Operation]]] = {
    "override": _overriding,
    "top-up": _topping_up,
    "commitment": _committing,
    "holders": _holding,
}
