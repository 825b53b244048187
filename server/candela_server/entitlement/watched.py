"""What exists while somebody watches: a customer as watchers are told of it, and the messages of a stream (ENT-8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from candela_server.kernel.errors import InvalidInput, OverLimit, Reason, Unavailable

from .rules.difference import Difference, Sent

MAX_CUSTOMERS = 10_000
"""Customers that one Watch names; whoever needs more watches all."""


class Shown(Protocol):
    """What is asked of an answer in the contract's form; only wires know more of it."""

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:
        """The message's bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The ids under which a customer may be asked about: its external id, and (id, external id) of its users."""

    external_id: str | None
    users: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedCustomer:
    """All that a watcher is told of one customer.

    `answers` are by slug, as `sent.slugs` names them. `valid_until` is None for a customer on a test clock: nothing
    changes there until the clock is moved, and that is a change. `used_print` differs when usage does; it is None
    without metered features.
    """

    customer_id: str
    people: People
    answers: tuple[Shown, ...]
    sent: Sent
    valid_until: datetime | None
    used_print: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything about one customer."""

    state: WatchedCustomer


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed of one customer since `from_revision`."""

    state: WatchedCustomer
    from_revision: int
    difference: Difference


@dataclass(frozen=True, slots=True)
class Beat:
    """The stream lives; everything that changed before the instant was told, unless it is still catching up."""

    at: datetime
    catching_up: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One message of a stream, and the token that continues after it."""

    news: Whole | Changes | Beat
    resume_token: str


class TooManyCustomersError(InvalidInput):
    """One Watch names so many customers at most."""

    reason = Reason.BATCH_TOO_LARGE

    def __init__(self, size: int) -> None:
        super().__init__(
            f"must hold at most {MAX_CUSTOMERS} customers, not {size}; leave it empty to watch all",
            field="customer_ids",
            limit=MAX_CUSTOMERS,
            size=size,
        )


class TooManyWatchersError(OverLimit):
    """A server process has so many streams at most; another one may have room."""

    reason = Reason.OVERLOADED

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"this server has {limit} watchers already; watch again in a while, or once per process",
            limit=limit,
        )


class WatchInterruptedError(Unavailable):
    """The server stops, or cannot see what changes, and so must not say that all is well."""

    reason = Reason.UNAVAILABLE
