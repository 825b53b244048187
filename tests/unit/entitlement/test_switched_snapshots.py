"""A switch that reaches remembered snapshots is in the next answer, without a reading (ENT-11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candela_server.catalog.model import Feature, FeatureId, FeatureType
from candela_server.customer.model import CustomerId
from candela_server.entitlement.cache import Build, SnapshotCache
from candela_server.entitlement.model import Denial, FeatureState, Snapshot, Source
from candela_server.entitlement.rules.switched import after_defaults, after_switches, switched_off
from candela_server.entitlement.share import table_of

NOON = datetime(2026, 1, 20, 12, tzinfo=UTC)
SLUGS = ("calls", "reports")


def feature_called(slug: str) -> Feature:
    return Feature(
        id=FeatureId(f"fea_{slug}"),
        slug=slug,
        name=slug,
        description="",
        type=FeatureType.NUMBER,
        default_value=Decimal(1),
        metric_id=None,
        created_at=NOON,
    )


CATALOG = [feature_called(slug) for slug in SLUGS]


def snapshot_of(
    customer_id: str | None, revision: int, on: dict[str, bool], granted: int = 5
) -> Snapshot:
    """As it is read while the features are on or off."""
    states, behind = [], {}
    for feature in CATALOG:
        state = FeatureState(
            slug=feature.slug,
            value=Decimal(granted),
            source=Source.PLAN,
            denial=None,
            holding=0,
            metered=None,
            valid_until=None,
        )
        if not on[feature.slug]:
            behind[feature.slug] = state
            state = switched_off(state, feature.default_value)
        states.append(state)
    return Snapshot(
        customer_id=CustomerId(customer_id) if customer_id else None,
        user_id=None,
        subscription_ids=("sub_1",),
        features=table_of(states),
        revision=revision,
        frozen_now=None,
        valid_until=None,
        behind=behind or None,
        catalog=CATALOG,
    )


def states_of(snapshot: Snapshot) -> dict[str, FeatureState]:
    return dict(snapshot.features)


both = st.fixed_dictionaries(dict.fromkeys(SLUGS, st.booleans()))


@pytest.mark.spec("ENT-11")
@given(both, both)
def test_snapshot_after_switches__is_the_one_that_would_be_read_then(
    before: dict[str, bool], after: dict[str, bool]
) -> None:
    known = snapshot_of("cus_a", 1, before)
    got = after_switches(known, after, {})
    want = snapshot_of("cus_a", 1, after)

    assert states_of(got) == states_of(want)
    assert got.behind == want.behind
    assert states_of(known) == states_of(snapshot_of("cus_a", 1, before)), "the old one stays"


@pytest.mark.spec("ENT-11", "ENT-2")
def test_switch_of_what_a_snapshot_lacks_or_of_nobodys_feature__changes_nothing() -> None:
    known = snapshot_of("cus_a", 1, dict.fromkeys(SLUGS, True))
    assert states_of(after_switches(known, {"newer": False}, {})) == states_of(known)
    nobody = snapshot_of(None, 1, dict.fromkeys(SLUGS, True))
    assert states_of(after_switches(nobody, {"calls": False}, {})) == states_of(nobody)


@pytest.mark.spec("ENT-3", "ENT-11")
@pytest.mark.parametrize(
    ("source", "denial", "default", "want"),
    [
        (Source.PLAN, None, "7", ("5", None)),
        (Source.OVERRIDE, None, "0", ("5", None)),
        (Source.DEFAULT, Denial.NO_ACTIVE_SUBSCRIPTION, "7", ("7", None)),
        (Source.DEFAULT, Denial.FEATURE_NOT_IN_PLAN, "-1", ("-1", Denial.FEATURE_NOT_IN_PLAN)),
        (Source.DEFAULT, Denial.CUSTOMER_UNKNOWN, "7", ("7", Denial.CUSTOMER_UNKNOWN)),
        # Nobody has asked yet why there would be nothing.
        (Source.DEFAULT, None, "0", None),
    ],
)
@pytest.mark.parametrize("on", [True, False])
def test_new_default__is_the_value_where_nothing_else_gives_one(
    source: Source,
    denial: Denial | None,
    default: str,
    want: tuple[str, Denial | None] | None,
    on: bool,
) -> None:
    known = snapshot_of("cus_a", 1, dict.fromkeys(SLUGS, True))
    state = replace(known.features["calls"], source=source, denial=denial)
    known = replace(known, features=known.features.with_state(0, state))
    known = after_switches(known, {"calls": on}, {})
    got = after_defaults(known, {"calls": Decimal(default)})

    if want is None:
        assert got is None
        return
    assert got is not None
    open_state = after_switches(got, {"calls": True}, {}).features["calls"]
    assert (str(open_state.value), open_state.denial) == want
    if not on:
        assert got.features["calls"].value == Decimal(default)
        assert got.features["calls"].denial is Denial.FEATURE_DISABLED


@dataclass(slots=True)
class World:
    """A database of one merchant with a customer whose grant changes, one feature that is switched, and one cache.

    `truth` holds, for each commit, the grant and the switch from then on.
    """

    truth: list[tuple[int, bool]] = field(default_factory=lambda: [(5, True)])
    unheard: list[tuple[str, bool]] = field(default_factory=list)
    current: bool = True
    reading: list[asyncio.Event] = field(default_factory=list)
    asked: list[asyncio.Task[None]] = field(default_factory=list)
    cache: SnapshotCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = SnapshotCache(lambda: self.current)

    def change(self) -> None:
        granted, on = self.truth[-1]
        self.truth.append((granted + 1, on))
        self.unheard.append(("change", on))

    def switch(self, on: bool) -> None:
        self.truth.append((self.truth[-1][0], on))
        self.unheard.append(("switch", on))

    def hear(self) -> None:
        if self.current and self.unheard:
            kind, on = self.unheard.pop(0)
            if kind == "switch":
                self.cache.switch("m1", "calls", on)
            else:
                self.cache.forget("m1", "cus_a")

    def miss(self) -> None:
        self.current = False
        self.unheard.clear()
        self.cache.doubt_all()

    def recover(self) -> None:
        if not self.current:
            self.unheard.clear()
            self.cache.doubt_all()
            self.current = True

    def ask(self) -> None:
        since = len(self.truth) - 1 - len(self.unheard) if self.current else len(self.truth) - 1
        known = self.cache.get("m1", "a")
        if known is None:
            self.asked.append(asyncio.create_task(self._ask(since)))
        else:
            self.judge(known, since)

    def judge(self, got: Snapshot, since: int) -> None:
        """What is answered was true at some moment from `since` on."""
        state = got.features["calls"]
        if state.denial is Denial.FEATURE_DISABLED:
            assert any(not on for _, on in self.truth[since:])
        else:
            assert (int(str(state.value)), True) in self.truth[since:]
        assert int(str(got.features["reports"].value)) in [one for one, _ in self.truth[since:]]

    async def _ask(self, since: int) -> None:
        self.judge(await self.cache.build("m1", "a", self._read), since)

    async def _read(self, begin: Callable[[], None]) -> Snapshot:
        begin()
        granted, on = self.truth[-1]
        snapshot = snapshot_of(
            "cus_a", len(self.truth), {"calls": on, "reports": True}, granted=granted
        )
        answered = asyncio.Event()
        self.reading.append(answered)
        await answered.wait()
        return snapshot

    def answer(self) -> None:
        if self.reading:
            self.reading.pop(0).set()


one_step = st.sampled_from(
    [
        *[("ask",)] * 4,
        *[("answer",)] * 3,
        *[("hear",)] * 3,
        ("change",),
        ("switch", True),
        ("switch", False),
        ("miss",),
        ("recover",),
    ]
)


@pytest.mark.spec("ENT-11", "ENT-5")
@given(st.lists(one_step, min_size=20, max_size=60))
@settings(max_examples=300)
def test_any_interleaving_of_switches_and_changes__every_answer_was_true_since_what_was_heard(
    steps: list[tuple[Any, ...]],
) -> None:
    async def play() -> None:
        world = World()
        for name, *arguments in steps:
            getattr(world, name)(*arguments)
            for _ in range(6):
                await asyncio.sleep(0)
        while not all(one.done() for one in world.asked):
            world.answer()
            await asyncio.sleep(0)
        await asyncio.gather(*world.asked)

    asyncio.run(play())


def reading_at_once(snapshot: Snapshot) -> Build:
    async def build(begin: Callable[[], None]) -> Snapshot:
        begin()
        return snapshot

    return build


@pytest.mark.spec("ENT-11")
async def test_what_was_switched_before_changes_were_missed__is_not_answered_when_all_is_away() -> (
    None
):
    cache = SnapshotCache(lambda: True)
    await cache.build(
        "m1", "a", reading_at_once(snapshot_of("cus_a", 1, dict.fromkeys(SLUGS, True)))
    )
    cache.switch("m1", "calls", False)
    cache.doubt_all()

    assert cache.last_known("m1", "a") is None


@pytest.mark.spec("ENT-11")
async def test_what_is_kept_for_want_of_a_better_one__goes_with_a_switch() -> None:
    cache = SnapshotCache(lambda: True)
    await cache.build(
        "m1", "a", reading_at_once(snapshot_of("cus_a", 1, dict.fromkeys(SLUGS, True)))
    )
    cache.doubt_all()
    assert cache.last_known("m1", "a") is not None
    cache.switch("m1", "calls", False)

    assert cache.last_known("m1", "a") is None
