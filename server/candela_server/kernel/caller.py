"""Who is calling: the merchant, the key, what it may do, and which call this is.

The edge makes the one Caller of a call from its API key; a worker makes one for the job it runs.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """One right of an API key (KEY-2).

    PUBLIC is what a publishable key has, and all that it has (PUB-1).
    """

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"
    PUBLIC = "public"


class Mode(StrEnum):
    """Whether a merchant's data is real.

    Live and test data belong to different merchant ids (KEY-2).
    """

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One authenticated call.

    `actor` is who the audit log names.
    """

    merchant_id: str
    key_id: str | None = None
    actor: str
    scopes: frozenset[Scope]
    mode: Mode
    request_id: str
    method: str


current_caller: ContextVar[Caller] = ContextVar("current_caller")
"""The one context variable of the server: whose call this task serves. Unset outside a call."""
