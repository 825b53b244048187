"""Holding, taking and giving back: by laws, against a slow and obvious model (ENT-9)."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

import pytest

from candela_server.catalog.model import FilterOperator, LimitBehavior, MetricId, PropertyFilter
from candela_server.catalog.price import ComponentKind
from candela_server.customer.model import CustomerId
from candela_server.entitlement.model import FeatureState, HeldQuantity, Metered, Source
from candela_server.entitlement.reservation import (
    OverageBehavior,
    Reservation,
    ReservationId,
    ReservationStatus,
    Stock,
)
from candela_server.entitlement.rules.allowance import decide, reserved_at
from candela_server.entitlement.rules.reservation import (
    check_properties,
    check_quantity,
    quantity_to_commit,
    room_of,
    status_at,
    stock_of,
    with_quantity,
)
from candela_server.entitlement.show_reserved import show_reserved
from candela_server.metering.rules.event_value import parse_properties

from tests.helpers.builders import FEBRUARY, METRIC, component, offer, price

D = Decimal
COUNTED = offer(price(component(ComponentKind.USAGE, "1"))).metrics[METRIC]
NOW = FEBRUARY.start_at + timedelta(days=3)
REJECT, CAP, ALLOW = OverageBehavior.REJECT, OverageBehavior.CAP, OverageBehavior.ALLOW


def state(limit: int | None, behavior: LimitBehavior = LimitBehavior.HARD) -> FeatureState:
    return FeatureState(
        slug="calls",
        value=D(limit or 0),
        source=Source.PLAN,
        denial=None,
        holding=0,
        metered=Metered(
            metric=COUNTED,
            window=FEBRUARY,
            limit=None if limit is None else D(limit),
            behavior=behavior,
            credits=None,
            per_user=False,
        ),
        valid_until=None,
    )


def held(name: str, quantity: int, *, now: datetime = NOW, hold_s: int = 60) -> Reservation:
    return Reservation(
        id=ReservationId(name),
        customer_id=CustomerId("cus_1"),
        user_id=None,
        feature="calls",
        metric_id=MetricId(METRIC),
        event_name="call",
        event_key=name,
        quantity=D(quantity),
        counts_events=False,
        measured_property=None,
        status=ReservationStatus.HELD,
        created_at=now,
        expires_at=now + timedelta(seconds=hold_s),
    )


def decided(one: Reservation, amount: Decimal, now: datetime) -> Reservation:
    return replace(
        one,
        status=ReservationStatus.COMMITTING,
        committed_quantity=amount,
        settled_at=now,
        decided_at=now,
    )


@pytest.mark.spec("ENT-9")
@pytest.mark.parametrize(
    ("reserved", "actual", "room", "overage", "want"),
    [
        ("10", "4", "10", REJECT, "4"),  # the rest is given back
        ("10", "0", "10", REJECT, "0"),
        ("10", "10", "0", REJECT, "10"),  # the limit fell meanwhile: what was promised stays
        ("10", "12", "15", REJECT, "12"),  # more, and there is room for it
        ("10", "12", "11", REJECT, None),
        ("10", "12", "11", CAP, "11"),
        ("10", "12", "0", CAP, "10"),
        ("10", "12", "11", ALLOW, "12"),
        ("10", "99", None, REJECT, "99"),  # nothing bounds it
    ],
)
def test_real_use_beside_what_was_reserved(
    reserved: str, actual: str, room: str | None, overage: OverageBehavior, want: str | None
) -> None:
    got = quantity_to_commit(
        reserved=D(reserved),
        actual=D(actual),
        room=None if room is None else D(room),
        overage=overage,
        whole=False,
    )

    assert got == (None if want is None else D(want))


@pytest.mark.spec("ENT-9")
def test_cap_of_a_counted_metric__is_whole() -> None:
    got = quantity_to_commit(reserved=D(2), actual=D(9), room=D("4.5"), overage=CAP, whole=True)

    assert got == 4


@pytest.mark.spec("ENT-9")
@pytest.mark.parametrize("quantity", ["0.5", "10001"])
def test_counted_metric__takes_whole_numbers_of_one_batch(quantity: str) -> None:
    check_quantity(D(quantity), whole=False)
    check_quantity(D(10_000), whole=True)
    with pytest.raises(ValueError, match="whole number of at most 10000"):
        check_quantity(D(quantity), whole=True)


@pytest.mark.spec("ENT-9")
def test_held_until_its_end__then_expired() -> None:
    one = held("rsv_1", 5)
    assert one.expires_at is not None

    assert status_at(one, one.expires_at - timedelta(microseconds=1)) is ReservationStatus.HELD
    assert status_at(one, one.expires_at) is ReservationStatus.EXPIRED
    assert status_at(decided(one, D(5), NOW), one.expires_at) is ReservationStatus.COMMITTING


@pytest.mark.spec("ENT-9")
def test_decided_use__counts_once_whether_its_event_is_there_or_not() -> None:
    open_ones = [held("a", 3), decided(held("b", 5), D(4), NOW)]

    before = stock_of(open_ones, set(), D(10), FEBRUARY)
    after = stock_of(open_ones, {"b"}, D(14), FEBRUARY)

    assert (before.used, before.held) == (after.used, after.held) == (14, 3)


@pytest.mark.spec("ENT-9")
def test_use_decided_in_the_window_before__does_not_count_in_this_one() -> None:
    one = decided(held("a", 3), D(3), FEBRUARY.start_at - timedelta(microseconds=1))

    assert stock_of([one], set(), D(0), FEBRUARY).used == 0


@pytest.mark.spec("ENT-9")
@pytest.mark.parametrize("behavior", [LimitBehavior.SOFT, LimitBehavior.OVERAGE])
def test_limit_that_is_not_hard__never_refuses(behavior: LimitBehavior) -> None:
    stock = Stock(used=D(500), held=D(500))
    loose = state(100, behavior)

    assert room_of(loose, loose.metered, stock) is None
    assert decide(loose, used=stock.used, quantity=D(1), reserved=stock.held).entitled


@pytest.mark.spec("ENT-9")
def test_reserved__is_off_what_remains_until_it_expires() -> None:
    one = held("rsv_1", 30)
    assert one.expires_at is not None
    shown = show_reserved([state(100)], [one], None)[0]
    assert shown.metered is not None

    got = [
        decide(shown, used=D(60), quantity=D(11), reserved=reserved_at(shown.metered.held, at))
        for at in (NOW, one.expires_at)
    ]

    assert [answer.entitled for answer in got] == [False, True]
    assert [(one.usage.reserved, one.usage.remaining) for one in got if one.usage] == [
        (30, 10),
        (0, 40),
    ]
    assert shown.metered.held == (HeldQuantity(quantity=D(30), expires_at=one.expires_at),)


@dataclass
class Journal:
    """The rows and events as the database has them, acted on by the rules alone."""

    limit: int
    now: datetime = NOW
    rows: dict[str, Reservation] = field(default_factory=dict)
    events: dict[str, Decimal] = field(default_factory=dict)
    # The partial index: names of rows that were held or committing when last looked at.
    open: list[str] = field(default_factory=list)
    made: int = 0

    @cached_property
    def bounded(self) -> FeatureState:
        return state(self.limit)

    def stock(self, without: str = "") -> Stock:
        for name in self.open:
            row = self.rows[name]
            if status_at(row, self.now) is ReservationStatus.EXPIRED:
                self.rows[name] = replace(row, status=ReservationStatus.EXPIRED)
        self.open = [
            name
            for name in self.open
            if self.rows[name].status in (ReservationStatus.HELD, ReservationStatus.COMMITTING)
        ]
        open_ones = [self.rows[name] for name in self.open if name != without]
        measured = sum(self.events.values(), D(0))
        return stock_of(open_ones, self.events.keys(), measured, FEBRUARY)

    def take(self, quantity: int, *, at_once: bool, hold_s: int = 60) -> str | None:
        stock = self.stock()
        asked = decide(self.bounded, used=stock.used, quantity=D(quantity), reserved=stock.held)
        if not asked.entitled:
            return None
        self.made += 1
        name = f"rsv_{self.made}"
        row = held(name, quantity, now=self.now, hold_s=hold_s)
        if at_once:
            row = replace(decided(row, D(quantity), self.now), expires_at=None)
        self.rows[name] = row
        self.open.append(name)
        return name

    def commit(self, name: str, actual: int, overage: OverageBehavior) -> Decimal | None:
        stock = self.stock(without=name)
        row = self.rows[name]
        if row.status is not ReservationStatus.HELD:
            return None
        bounded = self.bounded
        amount = quantity_to_commit(
            reserved=row.quantity,
            actual=D(actual),
            room=room_of(bounded, bounded.metered, stock),
            overage=overage,
            whole=False,
        )
        if amount is not None:
            self.rows[name] = decided(row, amount, self.now)
        return amount

    def release(self, name: str) -> None:
        row = self.rows[name]
        if status_at(row, self.now) is ReservationStatus.HELD:
            self.rows[name] = replace(row, status=ReservationStatus.RELEASED)

    def record(self, name: str) -> None:
        """The event becomes durable; a repetition finds its key taken."""
        row = self.rows[name]
        if row.status is ReservationStatus.COMMITTING and row.committed_quantity is not None:
            self.events.setdefault(row.event_key, row.committed_quantity)

    def finish(self, name: str) -> None:
        row = self.rows[name]
        if row.status is ReservationStatus.COMMITTING and row.event_key in self.events:
            self.rows[name] = replace(row, status=ReservationStatus.COMMITTED)


@dataclass
class Slow:
    """What everybody may think of it: one list of who has how much, and until when."""

    limit: int
    now: datetime = NOW
    taken: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)

    def total(self, without: str = "") -> int:
        return sum(
            amount
            for name, (amount, until) in self.taken.items()
            if name != without and (until is None or self.now < until)
        )

    def holds(self, name: str) -> bool:
        until = self.taken.get(name, (0, None))[1]
        return until is not None and self.now < until


@pytest.mark.spec("ENT-9")
def test_ten_thousand_interleavings_of_fifty_callers__agree_with_a_slow_model() -> None:
    rng = random.Random(61)
    for _ in range(10_000):
        _interleave(rng)


def _interleave(rng: random.Random) -> None:
    """Fifty callers at random points of their calls, some of which stop anywhere and are repeated."""
    limit = rng.randrange(1, 60)
    journal, slow = Journal(limit), Slow(limit)
    callers: list[str | None] = [None] * 50
    for caller in rng.choices(range(50), k=rng.randrange(10, 50)):
        name = callers[caller]
        if rng.random() < 0.1:
            journal.now = slow.now = journal.now + timedelta(seconds=rng.randrange(40))
        if name is None:
            quantity, at_once, hold_s = (
                rng.randrange(1, 9),
                rng.random() < 0.4,
                rng.randrange(1, 90),
            )
            name = journal.take(quantity, at_once=at_once, hold_s=hold_s)
            assert (name is not None) == (slow.total() + quantity <= limit)
            if name is not None:
                until = None if at_once else slow.now + timedelta(seconds=hold_s)
                slow.taken[name] = (quantity, until)
                callers[caller] = name
        else:
            step = rng.randrange(5)
            if step == 0:
                _commit(rng, journal, slow, name)
            elif step == 1:
                journal.release(name)
                if slow.holds(name):
                    del slow.taken[name]
            elif step == 2:
                journal.finish(name)
            elif step == 3:
                callers[caller] = None  # gives up; whoever sweeps goes on
            if journal.open:
                journal.record(rng.choice(journal.open))
        assert slow.total() <= limit
    stock = journal.stock()
    assert stock.used + stock.held == slow.total()
    for name in journal.rows:  # the sweep
        journal.record(name)
        journal.finish(name)
    assert sum(journal.events.values()) == sum(
        amount for amount, until in slow.taken.values() if until is None
    )


def _commit(rng: random.Random, journal: Journal, slow: Slow, name: str) -> None:
    actual, overage = rng.randrange(1, 14), rng.choice([REJECT, CAP])
    amount = journal.commit(name, actual, overage)
    if not slow.holds(name):
        assert amount is None
        return
    reserved = slow.taken[name][0]
    most = max(reserved, slow.limit - slow.total(without=name))
    want = actual if actual <= most else most if overage is CAP else None
    assert amount == want
    if want is not None:
        slow.taken[name] = (want, None)


SIZED = replace(
    COUNTED,
    property="size",
    filters=(PropertyFilter("size", FilterOperator.AT_LEAST, ("10",)),),
)


@pytest.mark.spec("ENT-9", "EVT-5")
@pytest.mark.parametrize(
    ("sent", "want"),
    [
        (b"", b'{"size":12.5}'),
        (b"{}", b'{"size":12.5}'),
        (b' {\n"a": 1.10} ', b'{"size":12.5,"a": 1.10}'),
    ],
)
def test_quantity_of_a_property__stands_beside_what_was_sent(sent: bytes, want: bytes) -> None:
    assert with_quantity(sent, property="size", quantity=D("12.50")) == want


@pytest.mark.spec("ENT-9", "EVT-5")
def test_filter_of_the_measured_property__sees_the_quantity() -> None:
    check_properties(SIZED, b'{"a": "b"}', quantity=D(10))
    with pytest.raises(ValueError, match="filters"):
        check_properties(SIZED, b'{"a": "b"}', quantity=D(9))
    with pytest.raises(ValueError, match="'size'"):
        check_properties(SIZED, b'{"size": "b"}', quantity=D(10))


@pytest.mark.spec("ENT-9")
def test_quantity_in_the_property__is_the_same_however_the_property_is_called() -> None:
    for name in ("s", 'a "quoted" one', "größe", "back\\slash"):
        merged = with_quantity(b'{"x": true}', property=name, quantity=D("0.000000000001"))
        assert parse_properties(merged) == {name: D("0.000000000001"), "x": True}
