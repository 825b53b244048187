"""What is held when, as the model remembers it: versions of a subscription's terms, oldest first (SUB-3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise

from .periods import boundary, day_of
from .sold import Part, Sold

RUNNING = ("trialing", "active", "paused")


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """From `since` on. `at_once` and `cuts` say what becomes of the periods that the change to them cut."""

    since: datetime
    status: str
    plan: Sold
    seats: int
    anchor: datetime
    at_once: bool = False
    cuts: bool = True
    ends_at: datetime | None = None

    @property
    def billed(self) -> bool:
        """Whether what is held is billed: not while it is paused, nor after its end."""
        return self.status in ("trialing", "active")

    @property
    def held(self) -> int:
        """How many seats are held: none where none are sold."""
        return self.seats if self.plan.has_seats else 0

    def holds(self, plan: Sold, anchor: datetime) -> bool:
        """Whether a plan is held and billed, by periods counted from there."""
        return self.billed and self.plan is plan and self.anchor == anchor

    def grants(self, plan: Sold, anchor: datetime) -> bool:
        """Whether the same is so at any price of the plan: an override changes no credits."""
        return self.billed and self.plan.product is plan and self.anchor == anchor


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A plan is held without interruption from one instant to another; for ever when that is None."""

    plan: Sold
    anchor: datetime
    start: datetime
    end: datetime | None
    ended_by: Terms | None


@dataclass(slots=True)
class History:
    """All versions of one subscription."""

    zone: str
    versions: list[Terms] = field(default_factory=list)

    @property
    def now(self) -> Terms:
        """The terms in force."""
        return self.versions[-1]

    def append(self, at: datetime, **changes: object) -> Terms:
        """Other terms from an instant on."""
        self.versions.append(
            replace(self.now, **{"at_once": False, "cuts": True, **changes, "since": at})  # type: ignore[arg-type]
        )
        return self.now

    def at(self, instant: datetime) -> Terms | None:
        """The terms of an instant: the last that began by then."""
        found = None
        for one in self.versions:
            if one.since <= instant:
                found = one
        return found

    def stretches(self) -> list[Stretch]:
        """When which plan was held and billed."""
        found: list[Stretch] = []
        begun: Terms | None = None
        for one in self.versions:
            if begun is not None and not one.holds(begun.plan, begun.anchor):
                found.append(_stretch(begun, one))
                begun = None
            if begun is None and one.billed:
                begun = one
        if begun is not None:
            found.append(_stretch(begun, None))
        return found

    def held_days(
        self, plan: Sold, part: Part, anchor: datetime, start: datetime, end: datetime
    ) -> Iterator[int | None]:
        """For each calendar day of a period how much of a component was held, or None when its plan was not.

        A day belongs to the state at its end. A change without proration counts when the next period begins; until
        then, and until another change, what was held before goes on.
        """
        counts = part.kind == "seats"
        held = [
            (one.seats if counts else 1) if one.holds(plan, anchor) else None
            for one in self.versions
        ]
        at_start = None
        steps = []
        for index, one in enumerate(self.versions):
            if one.since <= start:
                at_start = held[index]
            elif one.since < end and held[index] != held[index - 1] and one.cuts:
                steps.append((day_of(one.since, self.zone), held[index]))
        day = day_of(start, self.zone)
        while day < day_of(end, self.zone):
            on_day = at_start
            for since, count in steps:
                if since <= day:
                    on_day = count
            yield on_day
            day = day.fromordinal(day.toordinal() + 1)

    def next_due(self, after: datetime) -> datetime | None:
        """When something falls due next by the terms in force."""
        if not self.now.billed:
            return None
        return min(
            (self._next_of(part, after) for part in self.now.plan.parts),
            default=None,
        )

    def _next_of(self, part: Part, after: datetime) -> datetime:
        number = 0 if not part.arrears else 1
        while (at := boundary(self.now.anchor, self.zone, part.every, number)) <= after:
            number += 1
        return at


def _stretch(begun: Terms, ended_by: Terms | None) -> Stretch:
    return Stretch(
        plan=begun.plan,
        anchor=begun.anchor,
        start=begun.since,
        end=ended_by.since if ended_by else None,
        ended_by=ended_by,
    )


def most_seats(
    history: History, plan: Sold, anchor: datetime, start: datetime, end: datetime
) -> int:
    """The most seats of a plan that were held and billed at some time of a span; a pause grants nothing."""
    return max((seats for _, seats in _seats(history, plan, anchor, start, end)), default=0)


def first_seat(
    history: History, plan: Sold, anchor: datetime, start: datetime, end: datetime
) -> datetime | None:
    """When the first of them was held."""
    return next((at for at, seats in _seats(history, plan, anchor, start, end) if seats), None)


def _seats(
    history: History, plan: Sold, anchor: datetime, start: datetime, end: datetime
) -> Iterator[tuple[datetime, int]]:
    """How many were held from when on in the span."""
    ends = [*(later.since for _, later in pairwise(history.versions)), None]
    for one, until in zip(history.versions, ends, strict=True):
        if one.grants(plan, anchor) and one.since < end and (until is None or until > start):
            yield max(one.since, start), one.held
