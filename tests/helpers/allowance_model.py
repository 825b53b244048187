"""What reservations promise, written down a second time and knowing nothing of the server (ENT-9).

Also finds out whether the answers that concurrent callers got could have been given one after the other, in some order:
if there is none, two of them were decided by the same quantity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

HELD, COMMITTED, RELEASED, EXPIRED = "held", "committed", "released", "expired"

Kind = Literal["reserve", "consume", "commit", "release"]


@dataclass(frozen=True, slots=True)
class Hold:
    """One reservation."""

    quantity: int
    expires_at: datetime
    status: str = HELD

    def alive(self, now: datetime) -> bool:
        """Whether it stands against the limit."""
        return self.status == HELD and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Allowance:
    """One customer's: a hard `limit`, or None; what was used, and all reservations there ever were."""

    limit: int | None
    used: int = 0
    holds: Mapping[str, Hold] = field(default_factory=dict)

    def held(self, now: datetime, *, but: str = "") -> int:
        """What reservations keep from others."""
        return sum(
            one.quantity for name, one in self.holds.items() if name != but and one.alive(now)
        )

    def room(self, now: datetime, *, but: str = "") -> int | None:
        """What is left; None when nothing bounds it."""
        if self.limit is None:
            return None
        return max(self.limit - self.used - self.held(now, but=but), 0)

    def using(self, quantity: int) -> Allowance:
        """After so much more use."""
        return Allowance(self.limit, self.used + quantity, self.holds)

    def with_hold(self, name: str, hold: Hold) -> Allowance:
        """With a reservation as it is now."""
        return Allowance(self.limit, self.used, {**self.holds, name: hold})


@dataclass(frozen=True, slots=True)
class Call:
    """What a caller asked, and what it was told.

    `accepted` is False for what was refused, `shown` is used and reserved as the answer had them, where it had, and
    `amount` what a commit recorded. `name` is the reservation.
    """

    kind: Kind
    quantity: int = 0
    name: str = ""
    overage: str = "reject"
    expires_at: datetime | None = None
    accepted: bool = True
    amount: int | None = None
    status: str = ""
    shown: tuple[int, int] | None = None


def after(state: Allowance, call: Call, now: datetime) -> Allowance | None:
    """The allowance after this call got this answer; None when the answer would have been a wrong one."""
    told = _decided(state, call, now)
    if told is None:
        return None
    if call.shown is not None and call.shown != (told.used, told.held(now)):
        return None
    return told


def in_some_order(state: Allowance, calls: Sequence[Call], now: datetime) -> Allowance | None:
    """The allowance after all of the calls, if there is an order in which each of the answers is right."""
    if not calls:
        return state
    tried: set[Call] = set()
    for place, call in enumerate(calls):
        if call in tried:
            continue
        tried.add(call)
        told = after(state, call, now)
        if told is None:
            continue
        found = in_some_order(told, [*calls[:place], *calls[place + 1 :]], now)
        if found is not None:
            return found
        if not call.accepted:
            # A refusal changes nothing: if it may come first and the rest has no order, no place will help.
            return None
    return None


def _decided(state: Allowance, call: Call, now: datetime) -> Allowance | None:
    match call.kind:
        case "reserve":
            assert call.expires_at is not None or not call.accepted
            fits = _fits(state, call.quantity, now)
            if fits != call.accepted:
                return None
            if not fits or call.expires_at is None:
                return state
            return state.with_hold(call.name, Hold(call.quantity, call.expires_at))
        case "consume":
            fits = _fits(state, call.quantity, now)
            if fits != call.accepted:
                return None
            return state.using(call.quantity) if fits else state
        case "commit":
            return _committed(state, call, now)
        case "release":
            return _released(state, call, now)


def _fits(state: Allowance, quantity: int, now: datetime) -> bool:
    room = state.room(now)
    return room is None or quantity <= room


def _committed(state: Allowance, call: Call, now: datetime) -> Allowance | None:
    hold = state.holds[call.name]
    room = state.room(now, but=call.name)
    allowed = call.quantity if room is None else max(hold.quantity, room)
    refused = not hold.alive(now) or (call.quantity > allowed and call.overage == "reject")
    if refused:
        return None if call.accepted else state
    amount = min(call.quantity, allowed) if call.overage == "cap" else call.quantity
    if not call.accepted or call.amount != amount:
        return None
    settled = Hold(hold.quantity, hold.expires_at, COMMITTED)
    return state.with_hold(call.name, settled).using(amount)


def _released(state: Allowance, call: Call, now: datetime) -> Allowance | None:
    hold = state.holds[call.name]
    if hold.status == COMMITTED:
        return None if call.accepted else state
    status = RELEASED if hold.alive(now) else EXPIRED if hold.status == HELD else hold.status
    if not call.accepted or call.status != status:
        return None
    return state.with_hold(call.name, Hold(hold.quantity, hold.expires_at, status))
