"""What happens to invoices and with credit, at random."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from .happening import (
    BuyPack,
    CreditNote,
    GiveMoney,
    GiveUsage,
    Operation,
    Pay,
    PayPack,
    Reissue,
    VoidInvoice,
)
from .sold import Sold

_PAPERS: Sequence[Sequence[type[Operation]]] = (
    (Pay,),
    (VoidInvoice,),
    (VoidInvoice, Reissue),
    (Reissue,),
    (CreditNote,),
    (Pay, CreditNote),
)


def papers(chance: random.Random, subscription: str, days: Sequence[datetime]) -> list[Operation]:
    """What is done with invoices; some is tried with ones that it cannot be done with."""
    made: list[Operation] = []
    for at in chance.sample(days, min(len(days), chance.choice((0, 2, 4)))):
        kinds = chance.choice(_PAPERS)
        made += [kind(at=at, subscription=subscription) for kind in kinds]
    return made


def credits_given(
    chance: random.Random, subscription: str, held: Sequence[Sold], days: Sequence[datetime]
) -> list[Operation]:
    """Now and then the merchant is generous."""
    made: list[Operation] = []
    for at in chance.sample(days, chance.choice((0, 0, 1, 2))):
        plan = chance.choice(held)
        units = Decimal(chance.randrange(1, 400_000)).scaleb(-3)
        if plan.usage is None or chance.random() < 0.5:
            amount = _money(plan, units)
            made.append(GiveMoney(at=at, subscription=subscription, amount=amount))
        else:
            made.append(GiveUsage(at=at, subscription=subscription, plan=plan, amount=units))
    return made


def pack(
    chance: random.Random, subscription: str, plan: Sold, days: Sequence[datetime]
) -> list[Operation]:
    """Some buy a pack; most of them pay for it, a while later."""
    if chance.random() < 0.5:
        return []
    at = chance.choice(days)
    money = plan.usage is None or chance.random() < 0.5
    units = Decimal(chance.randrange(10_000, 300_000)).scaleb(-3)
    made: list[Operation] = [
        BuyPack(
            at=at,
            subscription=subscription,
            plan=plan,
            money=money,
            amount=_money(plan, units) if money else units,
            price=_money(plan, units / 2),
        )
    ]
    paid_at = at + timedelta(days=chance.choice((0, 1, 9, 40)))
    if chance.random() < 0.8 and paid_at <= days[-1]:
        made.append(PayPack(at=paid_at, subscription=subscription))
    return made


def _money(plan: Sold, amount: Decimal) -> Decimal:
    return round(amount, plan.minor_digits)
