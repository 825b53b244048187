"""Following a Watch: what to ask for, what each message does, how long to pause, and how old all of it is.

No input or output and no clock of its own, so that a thread and an event loop can drive the same rules (ENT-8).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC

import grpc
from candela.entitlement.v1 import entitlement_service_pb2 as pb

from ._errors import failure_of
from ._local_state import LocalState

SILENCE_S = 30.0
"""The server beats at least every 15 seconds; twice that without a word is a dead connection."""
TEND_S = 1.0
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 3.0
"""A server that comes back has all its watchers again within this."""
REFUSED_PAUSE_S = 30.0
_TOKEN_EXPIRED = "ERROR_REASON_RESUME_TOKEN_EXPIRED"
_REFUSALS = (
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
)


class Follower:
    """Where one client stands with its Watch. All instants are seconds of one monotonic clock."""

    def __init__(
        self, state: LocalState, customers: Iterable[str] | None, max_age_s: float
    ) -> None:
        """Takes what to keep current, of whom, and how old it may become."""
        self._state = state
        self._customers = tuple(customers or ())
        self._max_age_s = max_age_s
        self._token = ""
        self._listing = False
        self._caught_up = False
        self._current_at_s: float | None = None
        self._heard_at_s = 0.0
        self._server_ahead_s: float | None = None
        self._tries = 0
        self.refusal: grpc.RpcError | None = None
        """Why the server will not let this client watch; None while it will."""

    def request(self, now_s: float) -> pb.WatchRequest:
        """What to watch from here; a new connection begins."""
        self._caught_up = False
        self._heard_at_s = now_s
        if not self._token:
            self._listing = True
            self._state.begin_round()
        return pb.WatchRequest(customer_ids=self._customers, resume_token=self._token)

    def hear(self, message: pb.WatchResponse, now_s: float) -> bool:
        """Takes a message over; answers whether everything has been told since the connection began.

        Only a heartbeat says that the state is current: what one message brings of one customer says nothing of others.
        Raises MissedMessageError.
        """
        self._heard_at_s = now_s
        match message.WhichOneof("change"):
            case "snapshot":
                self._state.replace(message.snapshot)
            case "delta":
                self._state.amend(message.delta)
            case "heartbeat":
                self._server_ahead_s = message.heartbeat.at.ToDatetime(UTC).timestamp() - now_s
                if not message.heartbeat.catching_up:
                    self._become_current(now_s)
        self._token = message.resume_token
        return self._caught_up

    def _become_current(self, now_s: float) -> None:
        self._caught_up = True
        self._current_at_s = now_s
        self._tries = 0
        self.refusal = None
        if self._listing:
            self._listing = False
            self._state.end_round()

    def lose(self, error: Exception | None) -> float:
        """The stream ended; how long to pause, in seconds, before the next try.

        A random part of a growing bound: clients that lost their server together do not come back together.
        """
        self._caught_up = False
        if not isinstance(error, grpc.RpcError):
            # A message was missed, or the server ended the stream without a word: begin again from nothing.
            self._token = "" if error is not None else self._token
            return random.uniform(0, FIRST_PAUSE_S)
        failure = failure_of(error)
        if failure.reason == _TOKEN_EXPIRED:
            self._token = ""
            return random.uniform(0, FIRST_PAUSE_S)
        bound_s = min(FIRST_PAUSE_S * 2**self._tries, MAX_PAUSE_S)
        self._tries = min(self._tries + 1, 10)
        if failure.code in _REFUSALS:
            self.refusal = error
            bound_s = REFUSED_PAUSE_S
        return random.uniform(0, bound_s)

    def tend(self, now_s: float) -> float:
        """Takes out of the tables what is not sure any more; returns after how many seconds to come again."""
        age_s = self.age_s(now_s)
        sure = age_s is not None and age_s <= self._max_age_s and self.refusal is None
        self._state.be_sure(sure)
        ends_s = self._state.expire(self.server_time_s(now_s))
        until_old_s = self._max_age_s - age_s if sure and age_s is not None else TEND_S
        return max(0.001, min(TEND_S, until_old_s, ends_s - self.server_time_s(now_s)))

    def is_sure(self, valid_until_s: float, now_s: float) -> bool:
        """Whether a state with this end may be answered from."""
        age_s = self.age_s(now_s)
        return (
            age_s is not None
            and age_s <= self._max_age_s
            and self.refusal is None
            and self.server_time_s(now_s) < valid_until_s
        )

    def is_dead(self, now_s: float) -> bool:
        """Whether the server has been silent for too long."""
        return now_s - self._heard_at_s > SILENCE_S

    def age_s(self, now_s: float) -> float | None:
        """How long ago the state was known to be current; None before it was for the first time."""
        return None if self._current_at_s is None else max(0.0, now_s - self._current_at_s)

    def server_time_s(self, now_s: float) -> float:
        """The server's time, in seconds since 1970."""
        return now_s + (self._server_ahead_s or 0.0)
