"""Who is calling: the merchant, the key, what it may do, and which call this is.

The edge makes the one Caller of a call from its API key; a worker makes one for the job it runs.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
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

    `actor` is who the audit log names; `deadline_at` is None when the call has none.
    """

    merchant_id: str
    key_id: str | None = None
    actor: str
    scopes: frozenset[Scope]
    mode: Mode
    request_id: str
    method: str
    deadline_at: datetime | None = None

    def may(self, scope: Scope) -> bool:
        """Whether the key holds the right.

        Rights do not imply one another, but for admin, which holds all.
        """
        return scope in self.scopes or Scope.ADMIN in self.scopes


current_caller: ContextVar[Caller] = ContextVar("current_caller")
"""The one context variable of the server: whose call this task serves. Unset outside a call."""
