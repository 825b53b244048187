"""Random lives of customers, from a seed: who takes what when, uses how much of it, and changes what.

So that these stay as they are for a seed, what else customers may do is drawn in `beside.py` and `wider.py`.

To add an operation: the record in `happening.py` and when it happens here or in `dealings.py`, what it means for money
in `account.py` or `model.py`, and how Candela is asked for it in `desk.py` or `office.py`; each is one function.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from .beside import lived_beside
from .days import BEGIN, DAYS
from .dealings import credits_given, pack, papers
from .habits import JOINING_DAYS, TIMES_BACK, changes, left_alone, usage
from .happening import ChangePlan, Life, Operation, Subscribe
from .taxes import BUYERS, Buyer
from .wares import FAMILIES, STEADY

ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe")


def lives(seed: int, count: int, first: int = 0) -> list[Life]:
    """So many customers from a number on; the same ones for the same seed."""
    return [
        _life(random.Random(seed * 1_000_003 + number), number, lived_beside(seed, number))
        for number in range(first, first + count)
    ]


def _life(chance: random.Random, number: int, beside: list[Operation]) -> Life:
    name = f"customer-{number}"
    operations: list[Operation] = []
    bought: list[Operation] = []
    # The events of a plan are its own, so that no plan is held twice.
    for family in chance.sample(FAMILIES, chance.choice((1, 1, 2, 3))):
        plan = chance.choice(family)
        subscription = f"{name}:{plan.slug}"
        joined = chance.choice(JOINING_DAYS)
        at = BEGIN + timedelta(days=joined)
        operations.append(
            Subscribe(
                at=at,
                subscription=subscription,
                plan=plan,
                seats=chance.randint(3, 12),
                start_at=at - chance.choice(TIMES_BACK),
            )
        )
        taken = [(joined, plan)]
        if plan.commitment is None:
            for one in changes(chance, subscription, family, joined):
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
        operations += usage(chance, subscription, sorted(taken, key=lambda one: one[0]), joined)
    time_zone, bought_by = chance.choice(ZONES), buyers(chance)
    if chance.random() < 0.2:
        operations += left_alone(chance, name, chance.choice(STEADY))
    return Life(
        name=name,
        time_zone=time_zone,
        operations=sorted([*operations, *beside], key=lambda one: one.at),
        buyers=bought_by,
    )


def buyers(chance: random.Random) -> list[tuple[datetime, Buyer]]:
    """Most stay where they are; some move, or become a business."""
    found = [(BEGIN - timedelta(days=1), chance.choice(BUYERS))]
    if chance.random() < 0.3:
        moved = BEGIN + timedelta(days=chance.randrange(1, DAYS - 1))
        found.append((moved, chance.choice([one for one in BUYERS if one.country])))
    return found
