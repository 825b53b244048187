"""What some customers do beside all else: each kind of it is drawn from a random stream of its own.

So what is added here leaves the lives of a seed as they were.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta

from .days import BEGIN
from .habits import JOINING_DAYS, TIMES_BACK, changes, left_alone, usage
from .happening import ChangePlan, Operation, Subscribe
from .sold import Sold
from .wares import COMMITTING, GIVING


def lived_beside(seed: int, number: int) -> list[Operation]:
    """All of it that a customer does."""
    name = f"customer-{number}"
    made: list[Operation] = []
    for kind, (share, live) in _KINDS.items():
        chance = random.Random(f"{kind} {seed} {number}")
        if chance.random() < share:
            made += live(chance, name)
    return made


def _committing(chance: random.Random, name: str) -> list[Operation]:
    """Plans with minimum commitments, taken and left at any time (DSL-10)."""
    return moving(chance, name, COMMITTING)


def _with_money(chance: random.Random, name: str) -> list[Operation]:
    """A plan whose credit in money comes with each of its months, and ends with it (CRD-5, CRD-8)."""
    return left_alone(chance, name, GIVING)


def moving(chance: random.Random, name: str, family: Sequence[Sold]) -> list[Operation]:
    """A plan of a family that is used, and changed now and then."""
    plan, joined = chance.choice(family), chance.choice(JOINING_DAYS)
    at = BEGIN + timedelta(days=joined)
    subscription = f"{name}:{plan.slug}"
    first = Subscribe(
        at=at,
        subscription=subscription,
        plan=plan,
        seats=chance.randint(3, 12),
        start_at=at - chance.choice(TIMES_BACK),
    )
    changed = changes(chance, subscription, family, joined)
    moves = [((one.at - BEGIN).days, one.plan) for one in changed if isinstance(one, ChangePlan)]
    return [first, *changed, *usage(chance, subscription, [(joined, plan), *moves], joined)]


_Live = Callable[[random.Random, str], list[Operation]]
_KINDS: dict[str, tuple[float, _Live]] = {
    "commitment": (0.3, _committing),
    "money": (0.1, _with_money),
}
"""How many do it, and what they do."""
