"""What a watching client knows: the state of each customer, and tables from which the everyday question is answered.

The tables hold yes or no by id and slug, and only what may be answered without a second thought: what stops being
sure is taken out of them when it does, by whoever keeps time, so that a look-up need not ask what time it is.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from datetime import UTC

from candela.entitlement.v1 import entitlement_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from ._local_rules import is_of_user
from ._shared_verdicts import SharedVerdicts, Verdicts

_NEVER_S = float("inf")


class MissedMessageError(Exception):
    """A difference came for a state that is not held: watch from the beginning."""


@dataclass(slots=True)
class WatchedCustomer:
    """One customer's state. `valid_until_s` is on the server's clock, in seconds; infinite when it never ends."""

    customer_id: str
    external_id: str
    users: tuple[str, ...]
    entitlements: dict[str, entitlement_pb2.Entitlement]
    revision: int
    valid_until_s: float
    round: int


class LocalState:
    """All that is known, by any id; changed by one thread at a time, read by any."""

    def __init__(self) -> None:
        """Begins with nothing."""
        self.by_user: dict[str, Verdicts] = {}
        self.by_customer: dict[str, Verdicts] = {}
        self.by_external: dict[str, Verdicts] = {}
        self._verdicts = SharedVerdicts()
        self._customers: dict[str, WatchedCustomer] = {}
        self._ids_of_externals: dict[str, str] = {}
        self._ids_of_users: dict[str, str] = {}
        self._ends: list[tuple[float, str]] = []
        self._lock = threading.RLock()
        self._round = 0
        self._sure = False

    def __len__(self) -> int:
        """How many customers are known."""
        return len(self._customers)

    def find(
        self, user_id: str | None, customer_id: str | None, external_customer_id: str | None
    ) -> WatchedCustomer | None:
        """The customer of whichever id is given, or None."""
        if user_id is not None:
            customer_id = self._ids_of_users.get(user_id)
        elif external_customer_id is not None:
            customer_id = self._ids_of_externals.get(external_customer_id)
        return None if customer_id is None else self._customers.get(customer_id)

    def begin_round(self) -> None:
        """From now on everything is told again; `end_round` takes away what was not."""
        with self._lock:
            self._round += 1

    def end_round(self) -> None:
        """Everything was told."""
        with self._lock:
            for one in [one for one in self._customers.values() if one.round != self._round]:
                self._forget(one)

    def replace(self, snapshot: pb.EntitlementSnapshot) -> None:
        """Takes over everything about one customer."""
        with self._lock:
            made = WatchedCustomer(
                customer_id=snapshot.customer_id,
                external_id=snapshot.external_customer_id,
                users=tuple(
                    user.external_user_id for user in snapshot.users if user.external_user_id
                ),
                entitlements={one.feature: one for one in snapshot.entitlements},
                revision=snapshot.revision,
                valid_until_s=_seconds(snapshot),
                round=self._round,
            )
            held = self._customers.get(made.customer_id)
            if held is not None and (held.users, held.external_id) != (
                made.users,
                made.external_id,
            ):
                self._forget(held)
            self._customers[made.customer_id] = made
            if made.external_id:
                self._ids_of_externals[made.external_id] = made.customer_id
            self._ids_of_users.update(dict.fromkeys(made.users, made.customer_id))
            self._note_end(made, None if held is None else held.valid_until_s)
            self._publish(made)

    def amend(self, delta: pb.EntitlementDelta) -> None:
        """Takes over what changed of one customer. Raises MissedMessageError."""
        with self._lock:
            held = self._customers.get(delta.customer_id)
            if held is None or held.revision != delta.from_revision:
                raise MissedMessageError(delta.customer_id)
            entitlements = dict(held.entitlements)
            entitlements.update((one.feature, one) for one in delta.changed)
            for slug in delta.removed_features:
                entitlements.pop(slug, None)
            before_s, held.valid_until_s = held.valid_until_s, _seconds(delta)
            held.entitlements = entitlements
            held.revision = delta.revision
            self._note_end(held, before_s)
            self._publish(held)

    def be_sure(self, sure: bool) -> None:
        """Fills the tables, or empties them when the state has become too old to be trusted by itself."""
        with self._lock:
            if sure == self._sure:
                return
            self._sure = sure
            for one in self._customers.values():
                if sure:
                    self._publish(one)
            if not sure:
                self._empty()

    def abandon(self) -> None:
        """Empties the tables for good, in a process that was forked: nobody keeps them current there."""
        # The thread that held the lock does not exist here.
        self._lock = threading.RLock()
        self._sure = False
        self._empty()

    def expire(self, now_s: float) -> float:
        """Takes out of the tables whatever ended before this instant; returns when something ends next."""
        with self._lock:
            while self._ends and self._ends[0][0] <= now_s:
                _, customer_id = heapq.heappop(self._ends)
                one = self._customers.get(customer_id)
                if one is not None and one.valid_until_s <= now_s:
                    self._withdraw(one)
            return self._ends[0][0] if self._ends else _NEVER_S

    def _note_end(self, one: WatchedCustomer, before_s: float | None) -> None:
        if one.valid_until_s not in (before_s, _NEVER_S):
            heapq.heappush(self._ends, (one.valid_until_s, one.customer_id))

    def _publish(self, one: WatchedCustomer) -> None:
        if not self._sure:
            return
        found, holders = one.entitlements.items(), len(self._customers)
        of_customer = self._verdicts.share(
            ((slug, answer.entitled) for slug, answer in found), holders=holders
        )
        self.by_customer[one.customer_id] = of_customer
        if one.external_id:
            self.by_external[one.external_id] = of_customer
        of_users = self._verdicts.share(
            ((slug, answer.entitled) for slug, answer in found if not is_of_user(answer)),
            holders=holders,
        )
        for user in one.users:
            self.by_user[user] = of_users

    def _empty(self) -> None:
        # The tables themselves stay: whoever answers from them holds them.
        for table in (self.by_user, self.by_customer, self.by_external):
            table.clear()

    def _withdraw(self, one: WatchedCustomer) -> None:
        self.by_customer.pop(one.customer_id, None)
        if self._ids_of_externals.get(one.external_id) == one.customer_id:
            self.by_external.pop(one.external_id, None)
        for user in one.users:
            if self._ids_of_users.get(user) == one.customer_id:
                self.by_user.pop(user, None)

    def _forget(self, one: WatchedCustomer) -> None:
        self._withdraw(one)
        del self._customers[one.customer_id]
        if self._ids_of_externals.get(one.external_id) == one.customer_id:
            del self._ids_of_externals[one.external_id]
        for user in one.users:
            if self._ids_of_users.get(user) == one.customer_id:
                del self._ids_of_users[user]


def _seconds(state: pb.EntitlementSnapshot | pb.EntitlementDelta) -> float:
    if not state.HasField("valid_until"):
        return _NEVER_S
    return state.valid_until.ToDatetime(UTC).timestamp()
