"""Thousands of calls in random interleavings on real stores, against a model that is not the server's (ENT-9)."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from candela.entitlement.v1 import reservation_pb2

from candela_server.customer.model import Customer
from candela_server.entitlement.reservation import (
    CommitOverLimitError,
    LimitReachedError,
    ReservationSettledError,
)

from tests.helpers.allowance_model import Allowance, Call, Kind, in_some_order
from tests.integration.entitlement.reserving import LIMIT, Desk

_CUSTOMERS = 8
_CALLS_OF_A_CUSTOMER = 6
_ROUNDS = 48
_LONGEST_HOLD_S = 90
_REPEATED = 0.15
_KINDS: list[Kind] = ["reserve", "consume", "commit", "release"]
_OVERAGES = {
    "reject": reservation_pb2.OVERAGE_BEHAVIOR_REJECT,
    "cap": reservation_pb2.OVERAGE_BEHAVIOR_CAP,
    "allow": reservation_pb2.OVERAGE_BEHAVIOR_ALLOW,
}
_STATUSES = {
    reservation_pb2.RESERVATION_STATUS_RELEASED: "released",
    reservation_pb2.RESERVATION_STATUS_EXPIRED: "expired",
}


@dataclass(slots=True)
class _Account:
    """A customer, the feature that is asked about, and what the model says."""

    customer: Customer
    feature: str
    model: Allowance
    committed: int = 0


@pytest.mark.spec("ENT-9")
@pytest.mark.parametrize("seed", [1, 2])
async def test_fifty_callers_on_two_servers_in_random_interleavings__answers_are_those_of_some_order(
    desk: Desk, other_desk: Desk, seed: int
) -> None:
    dice = random.Random(seed)
    accounts = [
        _Account(
            await desk.shop.sign_up(),
            feature,
            Allowance(None if feature == "pages" else LIMIT),
        )
        for feature in (["tokens", "tokens", "calls", "bytes", "pages"] * 2)[:_CUSTOMERS]
    ]
    calls_made = 0
    for number in range(_ROUNDS):
        now = desk.shop.clock.now()
        asked = [
            (account, _draw(dice, account))
            for account in accounts
            for _ in range(_CALLS_OF_A_CUSTOMER)
        ]
        dice.shuffle(asked)
        told = await asyncio.gather(
            *[_call(dice, (desk, other_desk), account, call) for account, call in asked]
        )
        for account in accounts:
            got = [
                one
                for (whose, _), answers in zip(asked, told, strict=True)
                if whose is account
                for one in answers
            ]
            calls_made += len(got)
            found = in_some_order(account.model, got, now)
            assert found is not None, f"seed {seed}, round {number}: no order explains {got}"
            account.model = found
            account.committed += sum(one.amount or 0 for one in got)
        if number % 8 == 7:
            await _compare(desk, other_desk, accounts)
        # What was held for less than this is free from now on.
        desk.shop.clock.advance(now + timedelta(seconds=dice.choice([0, 1, 10, 45])))
        if number % 8 == 7:
            # The next ones begin with an allowance that is not used up.
            accounts = [
                replace(
                    one,
                    customer=await desk.shop.sign_up(),
                    model=Allowance(one.model.limit),
                    committed=0,
                )
                for one in accounts
            ]

    assert calls_made >= _ROUNDS * _CUSTOMERS * _CALLS_OF_A_CUSTOMER


def _draw(dice: random.Random, account: _Account) -> Call:
    known = list(account.model.holds)
    kind = dice.choices(_KINDS, [4, 2, 3, 2])[0]
    if kind in ("reserve", "consume") or not known:
        kind = kind if kind in ("reserve", "consume") else "reserve"
        return Call(kind, quantity=dice.randint(1, 6))
    name = dice.choice(known[-6:])
    if kind == "release":
        return Call(kind, name=name)
    return Call(kind, quantity=dice.randint(0, 9), name=name, overage=dice.choice(list(_OVERAGES)))


async def _call(
    dice: random.Random, desks: tuple[Desk, Desk], account: _Account, call: Call
) -> list[Call]:
    """The answers; some callers ask twice at once, by one key: the same answer, unless only a refusal came first."""
    key = f"{dice.getrandbits(64):x}"
    first = dice.choice(desks)
    hold_s = dice.randint(1, _LONGEST_HOLD_S)
    if dice.random() >= _REPEATED:
        return [await _told(first, account, call, key, hold_s)]
    got = await asyncio.gather(
        *[_told(one, account, call, key, hold_s) for one in (first, dice.choice(desks))]
    )
    accepted = [one for one in got if one.accepted]
    if len(accepted) == 2:
        assert accepted[0] == accepted[1], "a key has one answer"
        return accepted[:1]
    return got


async def _told(desk: Desk, account: _Account, call: Call, key: str, hold_s: int) -> Call:
    """The call with what it was told."""
    quantity = str(call.quantity)
    try:
        match call.kind:
            case "reserve":
                made = await desk.reserve(
                    account.customer, quantity, account.feature, key=key, hold_s=hold_s
                )
                return replace(
                    call,
                    name=made.reservation.id,
                    expires_at=desk.shop.clock.now() + timedelta(seconds=hold_s),
                    shown=(int(made.usage.used), int(made.usage.reserved)),
                )
            case "consume":
                taken = await desk.consume(account.customer, quantity, account.feature, key=key)
                usage = taken.entitlement.usage
                return replace(
                    call, accepted=taken.consumed, shown=(int(usage.used), int(usage.reserved))
                )
            case "commit":
                held = reservation_pb2.Reservation(id=call.name)
                settled = await desk.commit(
                    held, quantity, overage=_OVERAGES[call.overage], key=key
                )
                return replace(
                    call,
                    amount=int(settled.reservation.committed_quantity),
                    shown=(int(settled.usage.used), int(settled.usage.reserved)),
                )
            case "release":
                held = reservation_pb2.Reservation(id=call.name)
                given = await desk.release(held, key=key)
                return replace(call, status=_STATUSES[given.status])
    except (LimitReachedError, CommitOverLimitError, ReservationSettledError):
        return replace(call, accepted=False)


async def _compare(desk: Desk, other_desk: Desk, accounts: list[_Account]) -> None:
    """Checks, on both servers, and the journal say what the model says."""
    now = desk.shop.clock.now()
    for account in accounts:
        wanted = (account.model.used, account.model.held(now))
        for one in (desk, other_desk):
            usage = (await one.check(account.customer, account.feature)).usage
            assert usage is not None
            assert (usage.used, usage.reserved) == wanted
        async with desk.shop.db.reading(desk.shop.merchant_id) as tx:
            row = await tx.fetchrow(
                """
                SELECT COALESCE(sum(committed_quantity) FILTER (WHERE status = 'committed'), 0) AS committed,
                       COALESCE(sum(quantity) FILTER (WHERE status = 'held' AND expires_at > $3), 0) AS held,
                       count(*) FILTER (WHERE status = 'committing' AND expires_at IS NOT NULL) AS unfinished
                FROM entitlement_reservation WHERE merchant_id = $1 AND customer_id = $2
                """,
                desk.shop.merchant_id,
                account.customer.id,
                now,
            )
        assert row is not None
        assert (row["committed"], row["held"], row["unfinished"]) == (
            account.committed,
            wanted[1],
            0,
        )
