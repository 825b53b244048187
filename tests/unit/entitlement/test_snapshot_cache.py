"""The cache of snapshots against a slow model: whatever is served lacks no change that was heard before (ENT-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candela_server.customer.model import CustomerById, CustomerId
from candela_server.entitlement import cache as cache_module
from candela_server.entitlement.cache import Build, SnapshotCache
from candela_server.entitlement.model import FeatureTable, Snapshot

MERCHANTS = ("m1", "m2")
# Two ids of one customer, one of another, and one that nobody may have.
NAMES = ("a", "a-too", "b", "nobody")
HOLDERS = {"a": "cus_a", "a-too": "cus_a", "b": "cus_b", "nobody": None}


def snapshot_of(customer_id: str | None, revision: int) -> Snapshot:
    return Snapshot(
        customer_id=CustomerId(customer_id) if customer_id else None,
        user_id=None,
        subscription_ids=(),
        features=FeatureTable({}, ()),
        revision=revision,
        frozen_now=None,
        valid_until=None,
    )


@dataclass(slots=True)
class World:
    """The database, which knows for everybody when they changed last, and one cache in front of it.

    A change is committed at once and heard of later, in order; while nothing can be heard, the lease is over.
    """

    current: bool = True
    lost: bool = False
    changed_at: dict[tuple[str, str | None], int] = field(default_factory=dict)
    unheard: list[tuple[str, str | None]] = field(default_factory=list)
    heard_until: dict[tuple[str, str], int] = field(default_factory=dict)
    now: int = 0
    reading: list[asyncio.Event] = field(default_factory=list)
    asked: list[asyncio.Task[None]] = field(default_factory=list)
    cache: SnapshotCache = field(init=False)

    def __post_init__(self) -> None:
        self.cache = SnapshotCache(lambda: self.current)

    def version(self, merchant: str, name: str) -> int:
        """When the database last changed for whom `name` means, with what is committed by now."""
        holder = HOLDERS[name]
        keys = [(merchant, holder), (merchant, "*")]
        if holder is None:
            keys = [key for key in self.changed_at if key[0] == merchant]
        return max((self.changed_at.get(key, 0) for key in keys), default=0)

    def commit(self, merchant: str, customer: str | None) -> None:
        self.now += 1
        self.changed_at[merchant, customer or "*"] = self.now
        self.unheard.append((merchant, customer))

    def hear(self, count: int) -> None:
        if self.lost:
            self.unheard.clear()
        for _ in range(min(count, len(self.unheard))):
            merchant, customer = self.unheard.pop(0)
            self.cache.forget(merchant, customer)
            self._note_heard(merchant, customer)

    def _note_heard(self, merchant: str, customer: str | None) -> None:
        at = self.changed_at[merchant, customer or "*"]
        for name, holder in HOLDERS.items():
            if customer is None or holder is None or holder == customer:
                key = (merchant, name)
                # What came later and was not heard of yet need not be known.
                later = [
                    self.changed_at[one, who or "*"] for one, who in self.unheard if one == merchant
                ]
                self.heard_until[key] = max(
                    self.heard_until.get(key, 0),
                    min([at, *[one - 1 for one in later if one <= at]]),
                )

    def miss(self) -> None:
        """The connection is lost: what was not heard never will be."""
        self.lost, self.current = True, False
        self.unheard.clear()
        self.cache.doubt_all()

    def lapse(self) -> None:
        """Nothing is heard for a while; it will be, in order."""
        self.current = False

    def recover(self) -> None:
        """What is left to be heard comes first, and then the process is sure again."""
        self.hear(len(self.unheard))
        if self.lost:
            self.cache.doubt_all()
        self.lost, self.current = False, True
        for merchant in MERCHANTS:
            for name in NAMES:
                self.heard_until[merchant, name] = self.version(merchant, name)

    def must_know(self, merchant: str, name: str) -> int:
        """Up to when an answer that is asked for now must know the changes."""
        if self.current:
            return self.heard_until.get((merchant, name), 0)
        return self.version(merchant, name)

    def ask(self, merchant: str, name: str) -> None:
        must_know = self.must_know(merchant, name)
        known = self.cache.get(merchant, name)
        if known is not None:
            assert self.current
            assert known.revision >= must_know, (merchant, name)
            return
        self.asked.append(asyncio.create_task(self._ask(merchant, name, must_know)))

    async def _ask(self, merchant: str, name: str, must_know: int) -> None:
        got = await self.cache.build(merchant, name, self._builder(merchant, name))
        assert got.customer_id == HOLDERS[name]
        assert got.revision >= must_know, (merchant, name)

    def _builder(self, merchant: str, name: str) -> Build:
        async def build(begin: Callable[[], None]) -> Snapshot:
            begin()
            # The database is read at once, and the answer takes as long as the test wants.
            snapshot = snapshot_of(HOLDERS[name], self.version(merchant, name))
            answered = asyncio.Event()
            self.reading.append(answered)
            await answered.wait()
            return snapshot

        return build

    def answer(self, which: int) -> None:
        if self.reading:
            self.reading.pop(which % len(self.reading)).set()

    async def settle(self) -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    async def end(self) -> None:
        while not all(one.done() for one in self.asked):
            self.answer(0)
            await self.settle()
        await asyncio.gather(*self.asked)


# The first merchant mostly, so that things meet.
merchants = st.sampled_from(("m1", "m1", "m1", "m2"))
asking = st.tuples(st.just("ask"), merchants, st.sampled_from(NAMES))
committing = st.tuples(st.just("commit"), merchants, st.sampled_from(["cus_a", "cus_b", None]))
hearing = st.tuples(st.just("hear"), st.integers(1, 3))
answering = st.tuples(st.just("answer"), st.integers(0, 9))
losing = st.sampled_from([("miss",), ("lapse",)])
recovering = st.just(("recover",))
steps = st.tuples(
    st.one_of(
        asking, asking, asking, answering, answering, committing, hearing, losing, recovering
    ),
    # Mostly the process gets to do what it can before the next thing happens.
    st.sampled_from([True, True, True, False]),
)


async def turns() -> None:
    """Everybody who can go on has gone on as far as they can; nobody looks at a clock."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.spec("ENT-5")
@given(st.lists(steps, min_size=30, max_size=60), st.sampled_from([1, 2, 100]))
@settings(max_examples=120)
def test_any_interleaving__nothing_is_served_that_lacks_a_change_heard_before(
    sequence: list[tuple[tuple[Any, ...], bool]], most: int
) -> None:
    async def play() -> None:
        world = World()
        for (name, *arguments), settle in sequence:
            getattr(world, name)(*arguments)
            if settle:
                await world.settle()
            assert len(world.cache) <= most
        await world.end()

    usual = cache_module.MAX_SNAPSHOTS
    cache_module.MAX_SNAPSHOTS = most  # type: ignore[misc]
    try:
        asyncio.run(play())
    finally:
        cache_module.MAX_SNAPSHOTS = usual  # type: ignore[misc]


def counting(built: list[str], customer_id: str, gate: asyncio.Event) -> Build:
    async def build(begin: Callable[[], None]) -> Snapshot:
        begin()
        built.append(customer_id)
        await gate.wait()
        return snapshot_of(customer_id, len(built))

    return build


@pytest.mark.spec("ENT-5")
async def test_changes_of_others_while_one_builds__spoil_nothing() -> None:
    cache = SnapshotCache(lambda: True)
    built: list[str] = []
    gate = asyncio.Event()
    who = CustomerById(CustomerId("cus_a"))
    asking = []
    for number in range(100):
        asking.append(asyncio.create_task(cache.build("m1", who, counting(built, "cus_a", gate))))
        await asyncio.sleep(0)
        cache.forget("m1", f"cus_{number}")
        cache.forget("m2", None)
    gate.set()
    got = await asyncio.gather(*asking)

    assert built == ["cus_a"]
    assert len(set(map(id, got))) == 1
    assert cache.get("m1", who) is got[0]


@pytest.mark.spec("ENT-5")
async def test_its_own_change_while_it_builds__those_who_ask_afterwards_get_a_newer_one() -> None:
    cache = SnapshotCache(lambda: True)
    built: list[str] = []
    gate = asyncio.Event()
    build = counting(built, "cus_a", gate)
    before = asyncio.create_task(cache.build("m1", "a", build))
    await turns()
    cache.forget("m1", "cus_a")
    after = [asyncio.create_task(cache.build("m1", "a", build)) for _ in range(5)]
    await turns()
    gate.set()

    old = await before
    new = await asyncio.gather(*after)

    assert built == ["cus_a"] * 2
    assert all(one is new[0] for one in new)
    assert new[0] is not old
    assert not old.alive
    assert cache.get("m1", "a") is new[0]


@pytest.mark.spec("ENT-5")
async def test_caller_who_gives_up__takes_no_building_along() -> None:
    cache = SnapshotCache(lambda: True)
    built: list[str] = []
    gate = asyncio.Event()
    build = counting(built, "cus_a", gate)
    asking = [asyncio.create_task(cache.build("m1", "a", build)) for _ in range(3)]
    await turns()
    asking[0].cancel()
    await asyncio.sleep(0)
    gate.set()
    got = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(got[0], asyncio.CancelledError)
    assert got[1] is got[2]
    assert built == ["cus_a"]


def knowing(revision: int, *slugs: str) -> Callable[[Callable[[], None]], Any]:
    """Builds a snapshot with these features."""

    async def build(begin: Callable[[], None]) -> Snapshot:
        begin()
        made = snapshot_of("cus_a", revision)
        states: Any = tuple(slugs)
        made.features = FeatureTable({slug: place for place, slug in enumerate(slugs)}, states)
        return made

    return build


@pytest.mark.spec("ENT-5", "ENT-2")
async def test_feature_created__what_is_known_goes_on_serving_all_others() -> None:
    cache = SnapshotCache(lambda: True)
    before = await cache.build("m1", "a", knowing(1, "old"))
    cache.grow("m1")

    assert cache.get("m1", "a", "old") is before
    assert cache.get("m1", "a", "new") is None
    # Whoever wants to know all features gets them all.
    assert cache.get("m1", "a") is None
    cache.grow("m2")
    after = await cache.build("m1", "a", knowing(2, "new", "old"))
    assert cache.get("m1", "a") is cache.get("m1", "a", "new") is after
    # What is in no catalog is not looked for again and again.
    assert cache.get("m1", "a", "unheard-of") is after


@pytest.mark.spec("ENT-5", "ENT-2")
async def test_feature_created_while_one_builds__is_not_missed_by_who_asks_then() -> None:
    cache = SnapshotCache(lambda: True)
    reading = asyncio.Event()

    async def build(begin: Callable[[], None]) -> Snapshot:
        begin()
        await reading.wait()
        return await knowing(1, "old")(lambda: None)

    building = asyncio.create_task(cache.build("m1", "a", build))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cache.grow("m1")
    after = asyncio.create_task(cache.build("m1", "a", knowing(2, "new", "old")))
    await asyncio.sleep(0)
    reading.set()

    assert "new" not in (await building).features
    assert "new" in (await after).features
    known = cache.get("m1", "a", "new")
    assert known is None or "new" in known.features
