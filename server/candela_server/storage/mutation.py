"""One mutation = one transaction: the idempotency key, the act, its audit rows and outbox rows, the answer (AUD-2).

The key's row is inserted first. A caller with the same key waits there for the first one to end, bounded by the lock
timeout; then it finds the stored answer, or, when the first one failed, does the work itself. Failures store nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, TypeVar

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import Conflict, FieldViolations, Refused
from candela_server.kernel.read_fields import idempotency_key
from candela_server.kernel.reason import Reason

from .changes import Changes
from .postgres import Postgres, Tx, is_lock_timeout, is_retryable

MAX_TRIES = 5
KEPT_FOR = timedelta(days=7)
"""How long an answer can be asked for again; afterwards the same key is a new request."""

FIRST_PAUSE_S = 0.01

was_replayed: ContextVar[bool] = ContextVar("was_replayed", default=False)
"""Whether the answer of this call was stored by an earlier one."""


class Request(Protocol):
    """What is asked of a protobuf request here; storage knows no stubs."""

    idempotency_key: str

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:
        """The message's bytes."""
        ...

    def ClearField(self, field_name: Any) -> None:
        """Forgets a field."""
        ...

    def CopyFrom(self, other: Any) -> None:
        """Becomes like another message."""
        ...


class Response(Protocol):
    """What is asked of a protobuf response here."""

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes:
        """The message's bytes."""
        ...

    @classmethod
    def FromString(cls, s: bytes) -> Self:
        """The message of these bytes."""
        ...


_Response = TypeVar("_Response", bound=Response)


class IdempotencyMismatchError(Refused):
    """The key was used before, for another request."""

    reason = Reason.IDEMPOTENCY_MISMATCH

    def __init__(self, key: str, method: str) -> None:
        super().__init__(
            f"idempotency key {key!r} was used before with another request to {method}; "
            "use a new key for a new request",
            idempotency_key=key,
            method=method,
        )


class IdempotencyInFlightError(Conflict):
    """A request with the same key is still running."""

    reason = Reason.IDEMPOTENCY_IN_FLIGHT

    def __init__(self, key: str) -> None:
        super().__init__(
            f"a request with the idempotency key {key!r} is still running; send the same again",
            retry_after=timedelta(seconds=1),
            idempotency_key=key,
        )


class Mutations:
    """Runs acts so that repeating a request repeats its answer and nothing else."""

    def __init__(self, db: Postgres, clock: Clock, changes: Changes | None = None) -> None:
        """Takes where to write, the time that records are stamped with, and how other servers hear of changes.

        Without `changes` an answer does not wait until they have heard: for processes that are alone.
        """
        self._db = db
        self._clock = clock
        self._changes = changes

    async def run(
        self,
        request: Request,
        response_class: type[_Response],
        act: Callable[[Tx], Awaitable[_Response]],
    ) -> _Response:
        """The answer of `act`, or the stored answer of an earlier run with the same key and request.

        Raises InvalidInput without a key, IdempotencyMismatchError for another request under the same key, and what
        `act` raises; then nothing is stored. An act that leaves no audit row is a defect and is rolled back.
        """
        with FieldViolations() as fields:
            key = fields.read("idempotency_key", idempotency_key, request.idempotency_key)
        caller = current_caller.get()
        request_hash = hash_of(request)
        pause_s = FIRST_PAUSE_S
        for tries_left in reversed(range(MAX_TRIES)):
            token: str | None = None
            try:
                async with self._db.writing(caller.merchant_id) as tx:
                    stored = await _claim(tx, caller.method, key, request_hash, self._clock.now())
                    if stored is not None:
                        was_replayed.set(True)
                        response = response_class.FromString(stored)
                    else:
                        response = await act(tx)
                        assert tx.audited, f"{caller.method} changed something without audit entry"
                        await _store_answer(tx, caller.method, key, response.SerializeToString())
                    if self._changes and (tx.changed_entitlements or stored is not None):
                        # A stored answer waits too: whoever gave it first may have died before it was heard of.
                        token = self._changes.token()
                        await tx.send_token(token)
                if self._changes and token:
                    await self._changes.until_heard(token)
                return response
            except BaseException as error:
                if self._changes and token:
                    self._changes.forget(token)
                if is_lock_timeout(error):
                    raise IdempotencyInFlightError(key) from error
                if not is_retryable(error) or not tries_left:
                    raise
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s *= 2
        raise AssertionError("the last try returns or raises")


async def purge_idempotency_records(db: Postgres, now: datetime) -> int:
    """Forgets answers that are older than `KEPT_FOR`; returns how many."""
    async with db.system() as tx:
        # tenant-scope: an old answer is forgotten whosever it is
        return await tx.execute(
            "DELETE FROM idempotency_record WHERE created_at < $1", now - KEPT_FOR
        )


async def _claim(tx: Tx, method: str, key: str, request_hash: bytes, now: datetime) -> bytes | None:
    """Takes the key for this transaction, or returns the answer that is stored under it."""
    taken = await tx.fetchval(
        """
        INSERT INTO idempotency_record (merchant_id, method, key, request_hash, created_at)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (merchant_id, method, key) DO NOTHING
        RETURNING true
        """,
        tx.merchant_id,
        method,
        key,
        request_hash,
        now,
    )
    if taken:
        return None
    row = await tx.fetchrow(
        """
        SELECT request_hash, response FROM idempotency_record
        WHERE merchant_id = $1 AND method = $2 AND key = $3
        """,
        tx.merchant_id,
        method,
        key,
    )
    if row is None:
        # Purged between the two statements: as good as never used; the caller's retry takes it.
        raise IdempotencyInFlightError(key)
    if row["request_hash"] != request_hash:
        raise IdempotencyMismatchError(key, method)
    stored: bytes | None = row["response"]
    assert stored is not None, "a committed record has an answer"
    return stored


async def _store_answer(tx: Tx, method: str, key: str, response: bytes) -> None:
    await tx.execute(
        """
        UPDATE idempotency_record SET response = $4
        WHERE merchant_id = $1 AND method = $2 AND key = $3
        """,
        tx.merchant_id,
        method,
        key,
        response,
    )


def hash_of(request: Request) -> bytes:
    """What two requests share that ask for the same, whatever their keys."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("idempotency_key")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()
