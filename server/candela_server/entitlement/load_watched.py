"""Loads what watchers are told of customers, once for all streams that ask, a few customers at a time (ENT-8).

However many customers are watched, at most `LOADERS` snapshots are being built, and only the last `MAX_READY` results
are kept for other streams. What changed is loaded before what is only listed.

A remembered snapshot is used if it is at least as new as the customer's newest change. So it does not matter here
whether a notification came late or never: that only decides when somebody asks.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from candela_server.customer import read as customer
from candela_server.customer.model import CustomerById, CustomerId
from candela_server.storage.postgres import Postgres

from . import store, watch_store
from .check_entitlement import Checker
from .model import Answer, RevisionUnavailableError, Snapshot
from .rules.allowance import ONE
from .rules.difference import Sent, prints_of
from .rules.used_print import used_print
from .watched import People, Shown, WatchedCustomer, WatchInterruptedError

LOADERS = 4
BATCH = 16
MAX_READY = 1_024
MAX_PEOPLE = 10_000
MAX_USERS = 10_000
"""Users of one customer that a watcher is told; checks for the others are answered by the server."""
_TRIES = 3

Key = tuple[str, str]
"""Merchant and customer."""
Loading = asyncio.Future[WatchedCustomer | None]
Show = Callable[[Answer, Snapshot], Shown]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is read of a customer besides the snapshot, and how new a snapshot must be to go with it."""

    people: People
    people_print: int
    at_least: int


class WatchedCustomers:
    """Answers how customers stand; one per process."""

    def __init__(
        self,
        db: Postgres,
        checker: Checker,
        show: Show,
        learned: Callable[[str, WatchedCustomer], None],
    ) -> None:
        """Takes who answers checks, how an answer is shown, and who is told of each result."""
        self._db = db
        self._checker = checker
        self._show = show
        self._learned = learned
        self._ready: OrderedDict[Key, Loading] = OrderedDict()
        self._facts: OrderedDict[Key, _Facts] = OrderedDict()
        self._urgent: dict[Key, Loading] = {}
        self._calm: dict[Key, Loading] = {}
        self._loading: dict[Key, Loading] = {}
        self._slugs: dict[str, tuple[str, ...]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, merchant_id: str, customer_id: str, *, urgent: bool) -> Loading:
        """How the customer stands now, or None when there is no such customer.

        The future is shared: wait for it, never cancel it.
        """
        key = (merchant_id, customer_id)
        found = self._ready.get(key) or self._loading.get(key) or self._urgent.get(key)
        if found is not None:
            return found
        found = self._calm.pop(key, None) if urgent else self._calm.get(key)
        if found is None:
            found = asyncio.get_running_loop().create_future()
        (self._urgent if urgent else self._calm)[key] = found
        if len(self._tasks) < LOADERS:
            task = asyncio.create_task(self._load())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return found

    def forget(self, merchant_id: str, customer_id: str | None) -> None:
        """Drops what is known of one customer, or of all of a merchant's: something changed."""
        if customer_id is not None:
            self.forget_usage(merchant_id, customer_id)
            self._facts.pop((merchant_id, customer_id), None)
            return
        for known in (self._ready, self._loading, self._facts):
            for key in [key for key in known if key[0] == merchant_id]:
                del known[key]

    def forget_usage(self, merchant_id: str, customer_id: str) -> None:
        """Drops what is known but for the people: usage moved, or time passed."""
        self._ready.pop((merchant_id, customer_id), None)
        # Whoever asks from now on must not get what began to be read before.
        self._loading.pop((merchant_id, customer_id), None)

    def forget_all(self) -> None:
        """Drops everything: something may have been missed."""
        self._ready.clear()
        self._loading.clear()
        self._facts.clear()

    async def stop(self) -> None:
        """Ends what is being loaded."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self) -> None:
        while self._urgent or self._calm:
            taken = self._take()
            try:
                states = await self._states(taken)
            except Exception as error:  # everybody who waits must hear of it
                self._settle(taken, error)
            except BaseException:
                self._settle(taken, WatchInterruptedError("the server stops; watch again"))
                raise
            else:
                for (key, future), state in zip(taken.items(), states, strict=True):
                    if not future.done():
                        future.set_result(state)
                    if self._loading.get(key) is future:
                        del self._loading[key]
                        self._ready[key] = future
                    if state is not None:
                        self._learned(key[0], state)
                while len(self._ready) > MAX_READY:
                    self._ready.popitem(last=False)

    def _take(self) -> dict[Key, Loading]:
        """The next customers of one merchant, moved to those that are being loaded."""
        queue = self._urgent or self._calm
        merchant_id = next(iter(queue))[0]
        keys: list[Key] = []
        for key in queue:
            if key[0] != merchant_id or len(keys) == BATCH:
                break
            keys.append(key)
        taken = {key: queue.pop(key) for key in keys}
        self._loading.update(taken)
        return taken

    def _settle(self, taken: dict[Key, Loading], error: Exception) -> None:
        for key, future in taken.items():
            if not future.done():
                future.set_exception(error)
                # Whoever waited may be gone.
                future.exception()
            if self._loading.get(key) is future:
                del self._loading[key]

    async def _states(self, taken: dict[Key, Loading]) -> list[WatchedCustomer | None]:
        merchant_id = next(iter(taken))[0]
        facts = await self._read_facts(merchant_id, taken)
        snapshots = {
            one: snapshot
            for one, found in facts.items()
            if (snapshot := await self._snapshot(merchant_id, one, found.at_least)) is not None
        }
        answers = iter(
            await self._checker.check_states(
                merchant_id,
                [
                    (snapshot, state, ONE)
                    for snapshot in snapshots.values()
                    for _, state in sorted(snapshot.features.items())
                ],
            )
        )
        states = {
            one: self._state(
                merchant_id,
                one,
                facts[one],
                snapshot,
                list(islice(answers, len(snapshot.features))),
            )
            for one, snapshot in snapshots.items()
        }
        return [states.get(one) for _, one in taken]

    async def _read_facts(self, merchant_id: str, taken: dict[Key, Loading]) -> dict[str, _Facts]:
        """The facts of each customer that exists; those not remembered in one transaction."""
        found = {key[1]: facts for key in taken if (facts := self._facts.get(key)) is not None}
        missing = [CustomerId(one) for _, one in taken if one not in found]
        if not missing:
            return found
        async with self._db.reading(merchant_id) as tx:
            customers = await customer.get_customers(tx, missing)
            users = await customer.get_users_of_customers(tx, missing, limit_each=MAX_USERS)
            changes = await watch_store.newest_changes(tx, missing)
            revision = await store.current_revision(tx)
        of_all = changes.get(watch_store.EVERYBODY, 0)
        users_of: dict[str, list[tuple[str, str | None]]] = {}
        for user in users:
            users_of.setdefault(user.customer_id, []).append((user.id, user.external_id))
        for one_id, one in customers.items():
            people = People(external_id=one.external_id, users=tuple(users_of.get(one_id, ())))
            newest = max(of_all, changes.get(one_id, 0))
            # A change that this transaction saw is seen by all later ones, whatever is still in progress besides.
            at_least = min(newest + 1, revision) if newest else 0
            facts = _Facts(people, hash((people.external_id, people.users)), at_least)
            found[one_id] = facts
            key = (merchant_id, one_id)
            if self._loading.get(key) is taken[key]:
                # Nothing changed since the transaction began.
                self._facts[key] = facts
        while len(self._facts) > MAX_PEOPLE:
            self._facts.popitem(last=False)
        return found

    async def _snapshot(self, merchant_id: str, customer_id: str, at_least: int) -> Snapshot | None:
        who = CustomerById(CustomerId(customer_id))
        for tries_left in reversed(range(_TRIES)):
            try:
                snapshot = await self._checker.snapshot(merchant_id, who, at_least)
                return snapshot if snapshot.customer_id is not None else None
            except RevisionUnavailableError:
                # It came from a building that had begun before the change; the next one begins now.
                if not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _state(
        self,
        merchant_id: str,
        customer_id: str,
        facts: _Facts,
        snapshot: Snapshot,
        answers: Sequence[Answer],
    ) -> WatchedCustomer:
        shown = tuple(self._show(answer, snapshot) for answer in answers)
        metered = [answer for answer in answers if answer.usage is not None]
        return WatchedCustomer(
            customer_id=customer_id,
            people=facts.people,
            answers=shown,
            sent=Sent(
                revision=snapshot.revision,
                told_revision=snapshot.revision,
                people_print=facts.people_print,
                slugs=self._shared(merchant_id, tuple(answer.state.slug for answer in answers)),
                prints=prints_of([one.SerializeToString() for one in shown]),
            ),
            valid_until=snapshot.valid_until if snapshot.frozen_now is None else None,
            used_print=used_print(metered) if metered else None,
        )

    def _shared(self, merchant_id: str, slugs: tuple[str, ...]) -> tuple[str, ...]:
        """The same slugs as one object for all customers of a merchant."""
        known = self._slugs.get(merchant_id)
        if known == slugs:
            return known
        self._slugs[merchant_id] = slugs
        return slugs
