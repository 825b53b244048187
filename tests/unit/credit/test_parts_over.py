"""What credits that began or ended within a window have left: as the window's end finds it (CRD-8, EVT-7, ENT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candela_server.credit.model import CreditGrant
from candela_server.credit.rules.parts_over import PartsOver, Payer, Spent, WaitingPart, parts_over
from candela_server.credit.rules.waterfall import UsedSpan, cuts_of, draw_in_spans, in_order
from candela_server.entitlement.rules.bound import Bound
from candela_server.kernel.interval import Interval

from tests.helpers.builders import EPOCH, day, grant

D = Decimal
DAYS = 8
WINDOW = Interval(EPOCH, EPOCH + timedelta(days=DAYS))
INCLUDED = grant("included", balance="10", expires_at=day(2026, 2, 1))
JANUARY = Interval(day(2026, 1, 1), day(2026, 2, 1))


def at(days: int) -> datetime:
    return EPOCH + timedelta(days=days)


def spent(grants: Sequence[CreditGrant], now: datetime, *used: int, first: int = 0) -> Spent:
    found = parts_over(grants, JANUARY, now, first=D(first))
    assert found is not None
    return found.spent([D(one) for one in used])


@pytest.mark.spec("CRD-8", "EVT-7")
def test_pack_that_began_within_the_window__pays_for_nothing_before_it() -> None:
    pack = grant("pack", balance="100", effective_at=day(2026, 1, 2))

    got = spent([INCLUDED, pack], day(2026, 1, 3), 60)

    # 60 on the first: 10 included, 50 nobody's. The pack is whole.
    assert got == Spent(covered=D(10), beyond=D(50), left=D(100))
    assert got.limit == 160


@pytest.mark.spec("CRD-8", "SUB-6")
def test_parts_that_wait__take_first_from_what_may_pay_for_them() -> None:
    february = Interval(day(2026, 2, 1), day(2026, 3, 1))
    gift, once = grant("gift", balance="50"), grant("once", balance="20")
    waiting = [
        WaitingPart(Interval(day(2026, 1, 10), day(2026, 1, 20)), [gift]),
        WaitingPart(Interval(day(2026, 1, 1), day(2026, 1, 10)), [gift, once]),
    ]

    found = parts_over([gift, once], february, day(2026, 2, 5), waiting=waiting)

    assert found is not None
    assert [part.start_at.day for part in found.parts] == [1, 10]
    assert found.payers == (Payer(D(50), 0, 2), Payer(D(20), 0, 2, between=(1,)))
    # The gift pays for all 30 of the first part and 20 of the second; the other 5 of that are nobody's.
    assert found.spent([D(30), D(25)]) == Spent(covered=D(0), beyond=D(0), left=D(20))


@pytest.mark.spec("CRD-8")
def test_parts_that_wait_and_share_no_credit__are_none() -> None:
    gift, other = grant("gift", balance="50"), grant("other", balance="50")
    january = WaitingPart(Interval(day(2026, 1, 1), day(2026, 1, 10)), [other])
    february = Interval(day(2026, 2, 1), day(2026, 3, 1))

    assert parts_over([gift], february, day(2026, 2, 5), waiting=[january]) is None


@pytest.mark.spec("CRD-8")
def test_pack_that_ended_within_the_window__paid_for_its_time_and_spared_the_others() -> None:
    pack = grant("pack", balance="100", effective_at=day(2026, 1, 2), expires_at=day(2026, 1, 15))

    got = spent([INCLUDED, pack], day(2026, 1, 20), 4, 60)

    # 4 of the included before the pack; it ends first, so that it pays for all 60 of its time
    assert got == Spent(covered=D(64), beyond=D(0), left=D(6))


@pytest.mark.spec("CRD-8", "CRD-10")
def test_number_beside_credits__is_used_up_first() -> None:
    gift = grant("gift", balance="100", effective_at=day(2026, 1, 2))

    assert spent([gift], day(2026, 1, 3), 60, first=10) == Spent(D(10), D(50), D(100))
    assert spent([gift], day(2026, 1, 3), 6, first=10) == Spent(D(6), D(0), D(104))


@pytest.mark.spec("CRD-8")
def test_window_in_which_nothing_began_or_ended__has_no_parts() -> None:
    later = grant("later", balance="5", effective_at=day(2026, 1, 20))
    empty = grant("empty", balance="0", effective_at=day(2026, 1, 2))

    assert parts_over([INCLUDED, later, empty], JANUARY, day(2026, 1, 3)) is None
    assert parts_over([later], JANUARY, JANUARY.start_at) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Grants and a number, what was used when, and an instant in the window."""

    grants: tuple[CreditGrant, ...]
    first: Decimal
    used: tuple[tuple[datetime, int], ...]
    now: datetime

    @property
    def over(self) -> PartsOver:
        """The parts that are over; one where nothing began or ended."""
        found = parts_over(self.grants, WINDOW, self.now, first=self.first)
        return found or PartsOver((), ())

    def used_in(self, part: Interval) -> Decimal:
        return D(sum(amount for when, amount in self.used if part.contains(when)))

    @property
    def total(self) -> Decimal:
        return D(sum(amount for _, amount in self.used))

    @property
    def bound(self) -> Bound:
        """What a check says at the instant."""
        over = self.over
        if not over.parts:
            limit = self.first + sum(
                (one.balance for one in self.grants if one.counts_at(self.now)), D(0)
            )
            return Bound(limit, limit)
        found = over.spent([self.used_in(part) for part in over.parts])
        return Bound(found.limit, found.limit, found)

    @property
    def payers(self) -> list[CreditGrant]:
        """The grants, and the number as one that pays before all others, whatever its time."""
        number = grant("number", balance=str(self.first), effective_at=at(-99), priority=-9)
        return [number, *self.grants] if self.first else list(self.grants)


@st.composite
def courses(draw: st.DrawFn, *, amounts: st.SearchStrategy[int]) -> Course:
    now = draw(st.integers(0, DAYS - 1))
    grants = []
    for number in range(draw(st.integers(0, 5))):
        since = draw(st.integers(-3, now))
        lasts = draw(st.none() | st.integers(1, DAYS + 4))
        grants.append(
            grant(
                f"g{number}",
                balance=str(draw(st.integers(0, 6))),
                effective_at=at(since),
                expires_at=None if lasts is None else at(since + lasts),
                priority=draw(st.integers(0, 2)),
            )
        )
    used = draw(st.lists(st.tuples(st.integers(0, now).map(at), amounts), max_size=8))
    return Course(
        grants=tuple(grants),
        first=D(draw(st.integers(0, 5))),
        used=tuple(sorted(used)),
        now=at(now),
    )


def walked(course: Course, more: int) -> int:
    """How many units nobody pays for: one after the other, in the order of time, by whoever pays first then."""
    left = {one.id: int(one.balance) for one in course.payers}
    order = in_order(course.payers)
    unpaid = 0
    for when, amount in (*course.used, (course.now, more)):
        for _ in range(amount):
            payer = next((one for one in order if one.counts_at(when) and left[one.id]), None)
            if payer is None:
                unpaid += 1
            else:
                left[payer.id] -= 1
    return unpaid


@pytest.mark.spec("CRD-8", "EVT-7", "ENT-4")
@settings(max_examples=500)
@given(courses(amounts=st.integers(0, 5)))
def test_what_is_left__is_what_a_walk_over_the_events_lets_be_used_and_paid_for(
    course: Course,
) -> None:
    bound = course.bound
    assert bound.limit is not None
    left = int(max(bound.limit - course.total, D(0)))
    before = walked(course, 0)

    assert bound.overage(course.total) == before
    assert walked(course, left) == before
    assert walked(course, left + 1) == before + 1


@pytest.mark.spec("CRD-8", "EVT-7", "EVT-4")
@settings(max_examples=500)
@given(courses(amounts=st.integers(-5, 5)), st.integers(0, 9))
def test_overage__is_what_the_end_of_the_window_leaves_uncovered_also_with_corrections(
    course: Course, more: int
) -> None:
    used = course.total + more
    # An empty one pays for nothing, and may not tell apart what an event took from what another took back.
    payers = [one for one in course.payers if one.balance > 0]
    borders = [WINDOW.start_at, *cuts_of(payers, WINDOW), WINDOW.end_at]
    with_more = Course(
        grants=course.grants,
        first=course.first,
        used=(*course.used, (course.now, more)),
        now=course.now,
    )
    spans = [
        UsedSpan(part, with_more.used_in(part))
        for part in (Interval(*pair) for pair in pairwise(borders))
    ]

    draws, _ = draw_in_spans(payers, spans, used)

    assert with_more.bound.overage(used) == draws.uncovered


@pytest.mark.spec("CRD-8", "CRD-3", "ENT-4")
def test_credit_that_lasts_beyond_a_window__has_paid_for_the_period_before_it() -> None:
    first, second = day(2026, 1, 1), day(2026, 1, 8)
    weeks = [
        grant("first", balance="10", effective_at=first, expires_at=second),
        grant("second", balance="10", effective_at=second, expires_at=day(2026, 1, 15)),
    ]
    gift = grant("gift", balance="100", effective_at=day(2025, 12, 1))
    window = Interval(second, day(2026, 1, 15))

    got = parts_over([*weeks, gift], window, second, since=first)
    alone = parts_over(weeks, window, second, since=first)

    # 25 in the first week: 10 of its own, 15 of the gift. So the second week has 10 and 85.
    assert got is not None
    assert got.spent([D(25)]) == Spent(covered=D(0), beyond=D(0), left=D(95))
    assert alone is None


@pytest.mark.spec("CRD-8", "CRD-3", "ENT-4")
def test_credit_that_was_used_up_before_a_window__pays_for_nothing_in_it_though_it_ended_there() -> (
    None
):
    first = grant("first", balance="1", effective_at=at(0), expires_at=at(2))
    second = grant("second", balance="1", effective_at=at(1))

    got = parts_over([first, second], Interval(at(1), at(DAYS)), at(2), since=at(0))

    # One on the first day, which is of the first grant; one on the second day, which is of the second.
    assert got is not None
    assert got.spent([D(1), D(1)]) == Spent(covered=D(1), beyond=D(0), left=D(0))


@pytest.mark.spec("CRD-8", "CRD-3", "ENT-4")
@settings(max_examples=500)
@given(courses(amounts=st.integers(0, 5)), st.integers(0, DAYS - 1))
def test_window_within_a_period__leaves_what_a_walk_over_the_period_does(
    course: Course, days: int
) -> None:
    start = min(at(days), course.now)
    course = replace(course, first=D(0))
    window = Interval(start, WINDOW.end_at)
    # Usage before the window is left out of what it counts, and yet has used up what pays for both.
    found = parts_over(course.grants, window, course.now, since=WINDOW.start_at)
    used = course.used_in(window)
    if found is None:
        left = sum((one.balance for one in course.grants if one.counts_at(course.now)), D(0)) - used
    else:
        left = found.spent([course.used_in(part) for part in found.parts]).limit - used
    paid = int(max(left, D(0)))
    before = walked(course, 0)

    assert walked(course, paid) == before
    assert walked(course, paid + 1) == before + 1
