"""Checks answered inside the process, from a state that the server keeps current (ENT-8).

Hot path: `is_feature_entitled` is two dictionary look-ups. It gives up two things for that: who keeps time is a thread,
not the look-up, so an answer may outlive its end by the milliseconds that a thread takes to wake; and arguments are
looked at only when the tables do not know them.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Self, cast, get_args

import grpc
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2_grpc
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from ._local_follow import Follower
from ._local_rules import (
    LocalAnswer,
    Origin,
    Policy,
    answer_by_policy,
    answer_of,
    is_of_user,
    readable_quantity,
)
from ._local_state import LocalState, MissedMessageError
from ._requests import check_request

MAX_AGE = timedelta(minutes=5)
ASK_TIMEOUT_S = 1.0
"""A check that must ask the server waits no longer than this."""
AWAY_S = 1.0
"""After the server could not be reached, it is left alone for so long: checks must not queue up behind it."""
_CLOSE_TIMEOUT_S = 5.0
_UNREACHABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)

_all: weakref.WeakSet[LocalChecks] = weakref.WeakSet()


class LocalChecks:
    """What answers locally, whatever follows the Watch: a thread or an event loop."""

    def __init__(
        self,
        customers: Iterable[str] | None,
        on_unavailable: Mapping[str, Policy] | None,
        default_on_unavailable: Policy,
        max_age: timedelta,
    ) -> None:
        """See `Client.local`."""
        self._on_unavailable = dict(on_unavailable or {})
        for policy in (default_on_unavailable, *self._on_unavailable.values()):
            if policy not in get_args(Policy):
                raise ValueError(f'{policy!r} is no policy; use "allow", "deny" or "cached"')
        self._default_on_unavailable: Policy = default_on_unavailable
        self._state = LocalState()
        self._by_user = self._state.by_user
        self._by_customer = self._state.by_customer
        self._by_external = self._state.by_external
        self._follower = Follower(self._state, customers, max_age.total_seconds())
        self._away_until_s = 0.0
        self._abandoned = False
        _all.add(self)

    @property
    def age(self) -> timedelta | None:
        """How long ago the state was known to be current; None before it was for the first time."""
        age_s = self._follower.age_s(time.monotonic())
        return None if age_s is None else timedelta(seconds=age_s)

    def _local_answer(
        self,
        feature: str,
        user_id: str | None,
        customer_id: str | None,
        external_customer_id: str | None,
        quantity: Decimal | None,
    ) -> tuple[LocalAnswer | None, entitlement_pb2.Entitlement | None]:
        """The answer if it is sure; and what was last known of the feature, if it answers this question at all."""
        held = self._state.find(user_id, customer_id, external_customer_id)
        found = None if held is None else held.entitlements.get(feature)
        if held is None or found is None or (user_id is not None and is_of_user(found)):
            return None, None
        now_s = time.monotonic()
        if self._abandoned or not self._follower.is_sure(held.valid_until_s, now_s):
            return None, found
        return answer_of(found, quantity, origin=Origin.LOCAL, age=self.age), found

    def _degraded_answer(
        self, feature: str, known: entitlement_pb2.Entitlement | None, quantity: Decimal | None
    ) -> LocalAnswer:
        """What the application wants to be told when the server cannot be reached."""
        policy = self._on_unavailable.get(feature, self._default_on_unavailable)
        if policy == "cached" and known is not None:
            return answer_of(known, quantity, origin=Origin.POLICY, degraded=True, age=self.age)
        return answer_by_policy(feature, policy == "allow", age=self.age)

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until_s

    def _note_failure(self, error: grpc.RpcError) -> None:
        """Leaves an unreachable server alone for a moment; raises any other failure."""
        if cast(Any, error).code() not in _UNREACHABLE:
            raise error
        self._away_until_s = time.monotonic() + AWAY_S

    def _abandon(self) -> None:
        self._abandoned = True
        self._state.abandon()


def _abandon_all() -> None:
    for one in list(_all):
        one._abandon()


# Threads do not survive a fork, so in the child nobody would take out of the tables what has ended.
os.register_at_fork(after_in_child=_abandon_all)


class LocalEntitlements(LocalChecks):
    """Answers checks inside the process; made by `Client.local`, one per process, safe to share between threads.

    Until the first state has come, and for whatever it does not hold, the server is asked: unknown ids and slugs,
    limits that are each user's own, and a state past its end. When the server cannot be reached and the state is older
    than `max_age`, each feature's policy answers and the answer says `degraded`.

    Not for a process that forks afterwards: make it in each child. In one made before, every check asks the server.
    """

    def __init__(
        self,
        entitlements: entitlement_service_pb2_grpc.EntitlementServiceStub,
        *,
        customers: Iterable[str] | None = None,
        on_unavailable: Mapping[str, Policy] | None = None,
        default_on_unavailable: Policy = "cached",
        max_age: timedelta = MAX_AGE,
    ) -> None:
        """Begins to watch in the background. See `Client.local`."""
        super().__init__(customers, on_unavailable, default_on_unavailable, max_age)
        self._entitlements = entitlements
        self._call: Any = None
        self._closed = threading.Event()
        self._current = threading.Event()
        self._woken = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._follow, "candela-watch"), (self._tend, "candela-tend"))
        ]
        for thread in self._threads:
            thread.start()

    def is_feature_entitled(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> bool:
        """As `Client.is_feature_entitled`, mostly without a call.

        Raises grpc.RpcError only for what the server refused, never because it cannot be reached.
        """
        try:
            if customer_id is external_customer_id is None is quantity:
                return self._by_user[user_id][feature]  # type: ignore[index]
            if user_id is external_customer_id is None is quantity:
                return self._by_customer[customer_id][feature]  # type: ignore[index]
            if user_id is customer_id is None is quantity:
                return self._by_external[external_customer_id][feature]  # type: ignore[index]
        except KeyError:
            pass
        return self.check(
            feature,
            user_id=user_id,
            customer_id=customer_id,
            external_customer_id=external_customer_id,
            quantity=quantity,
        ).entitled

    def check(
        self,
        feature: str,
        *,
        user_id: str | None = None,
        customer_id: str | None = None,
        external_customer_id: str | None = None,
        quantity: Decimal | int | None = None,
    ) -> LocalAnswer:
        """As `is_feature_entitled`, with the value, the usage, why, and where the answer comes from."""
        request = check_request(feature, user_id, customer_id, external_customer_id, quantity)
        known: entitlement_pb2.Entitlement | None = None
        number = readable_quantity(quantity)
        # A quantity that cannot be is for the server to refuse, in its own words.
        if number is not None or quantity is None:
            answer, known = self._local_answer(
                feature, user_id, customer_id, external_customer_id, number
            )
            if answer is not None:
                return answer
        return self._ask(request, known, number)

    def wait_until_current(self, timeout: timedelta | None = None) -> bool:
        """Waits until everything that is watched has come once; answers whether it has.

        Raises grpc.RpcError when the server refuses to let this client watch.
        """
        until_s = None if timeout is None else time.monotonic() + timeout.total_seconds()
        while not self._current.is_set() and not self._closed.is_set():
            if self._follower.refusal is not None:
                raise self._follower.refusal
            if until_s is not None and time.monotonic() >= until_s:
                return False
            self._current.wait(0.05)
        return self._current.is_set()

    def close(self) -> None:
        """Stops watching; checks are asked of the server from now on."""
        self._closed.set()
        self._woken.set()
        call = self._call
        if call is not None:
            call.cancel()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_CLOSE_TIMEOUT_S)
        self._abandon()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stops watching."""
        self.close()

    def _ask(
        self,
        request: pb.CheckRequest,
        known: entitlement_pb2.Entitlement | None,
        quantity: Decimal | None,
    ) -> LocalAnswer:
        if not self._is_away():
            try:
                response = self._entitlements.Check(request, timeout=ASK_TIMEOUT_S)
                return answer_of(response.entitlement, None, origin=Origin.SERVER)
            except grpc.RpcError as error:
                self._note_failure(error)
        return self._degraded_answer(request.feature, known, quantity)

    def _follow(self) -> None:
        while not self._closed.is_set():
            problem: Exception | None = None
            try:
                self._call = self._entitlements.Watch(self._follower.request(time.monotonic()))
                if self._closed.is_set():
                    break
                for message in self._call:
                    if self._follower.hear(message, time.monotonic()):
                        self._current.set()
                        self._away_until_s = 0.0
                        self._woken.set()
            except (grpc.RpcError, MissedMessageError) as error:
                problem = error
            except ValueError:
                # The client was closed first; there is nothing to follow any more.
                self._abandon()
                return
            finally:
                if self._call is not None:
                    self._call.cancel()
            self._closed.wait(self._follower.lose(problem))

    def _tend(self) -> None:
        try:
            while not self._closed.is_set():
                now_s = time.monotonic()
                call = self._call
                if call is not None and self._follower.is_dead(now_s):
                    call.cancel()
                pause_s = self._follower.tend(now_s)
                if self._woken.wait(pause_s):
                    self._woken.clear()
        finally:
            # Without this thread nothing would ever be taken out of the tables again.
            self._abandon()
