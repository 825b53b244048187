"""Which state may follow which: the whole table (SUB-7)."""

from __future__ import annotations

from candela_server.subscription.model import Status, TransitionRefusedError

FOLLOWS: dict[Status, frozenset[Status]] = {
    Status.INCOMPLETE: frozenset({Status.ACTIVE, Status.TRIALING, Status.EXPIRED, Status.CANCELED}),
    Status.TRIALING: frozenset({Status.ACTIVE, Status.PAST_DUE, Status.PAUSED, Status.CANCELED}),
    Status.ACTIVE: frozenset({Status.PAST_DUE, Status.PAUSED, Status.CANCELED}),
    Status.PAST_DUE: frozenset({Status.ACTIVE, Status.PAUSED, Status.CANCELED}),
    Status.PAUSED: frozenset({Status.ACTIVE, Status.TRIALING, Status.CANCELED}),
    Status.CANCELED: frozenset({Status.ACTIVE}),
    Status.EXPIRED: frozenset(),
}
RUNNING = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE, Status.PAUSED})
"""States in which a plan is held; a second hold on the same plan needs a flag (SUB-9)."""


def check_change_of_status(before: Status, after: Status) -> None:
    """Raises TransitionRefusedError, naming both states, unless the table allows it. Staying is no change."""
    if after not in FOLLOWS[before]:
        raise TransitionRefusedError(before, after)


def check_running(status: Status) -> None:
    """Raises TransitionRefusedError unless a plan is held, whose terms can be changed."""
    if status not in RUNNING:
        raise TransitionRefusedError(status, Status.ACTIVE)
