"""Many mutations, one transaction: each with its own idempotency key, audit row, answer or refusal (AUD-2).

For acts that would only wait for one another, because they change the same thing. What `mutation.py` promises of one
request holds for each of them: a key stands for one request and its one answer, which is stored with what it answers;
a refusal stores nothing. Keys are looked up once the act has its lock, so that the same request elsewhere has stored
its answer by then or waits; they are taken last, with the answers. Where another transaction took one meanwhile all the
same, everything is undone and done again, and that request gets the stored answer. What a request alone got wrong
is its own; what befalls the transaction befalls all of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeAlias, TypeVar

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import FieldViolations, Unavailable
from candela_server.kernel.read_fields import idempotency_key

from .changes import Changes
from .mutation import (
    FIRST_PAUSE_S,
    MAX_TRIES,
    IdempotencyInFlightError,
    IdempotencyMismatchError,
    Request,
    Response,
    hash_of,
    was_replayed,
)
from .postgres import (
    DatabaseUnavailableError,
    Postgres,
    Tx,
    is_lock_timeout,
    is_retryable,
    is_timeout,
)

_Response = TypeVar("_Response", bound=Response)


class SharedRequest(Generic[_Response]):
    """One request among several, and what became of it: its response or its refusal."""

    __slots__ = (
        "caller",
        "heard",
        "key",
        "refusal",
        "replayed",
        "request_hash",
        "response",
        "response_class",
    )

    def __init__(self, request: Request, response_class: type[_Response]) -> None:
        """Made in the context of its call. Raises InvalidInput without an idempotency key."""
        with FieldViolations() as fields:
            self.key = fields.read("idempotency_key", idempotency_key, request.idempotency_key)
        self.caller = current_caller.get()
        self.request_hash = hash_of(request)
        self.response_class = response_class
        self.heard: asyncio.Task[None] | None = None
        self.response: _Response | None = None
        self.refusal: Exception | None = None
        self.replayed = False

    @property
    def name(self) -> tuple[str, str]:
        """What is stored once: the method and its key."""
        return self.caller.method, self.key

    async def outcome(self) -> _Response:
        """The response, when every server that answers checks has heard of it. Raises the refusal."""
        if self.refusal is not None:
            raise self.refusal
        assert self.response is not None, "asked for before it was decided"
        if self.heard is not None:
            # Shared with the neighbours, so that one who gives up does not take it from them.
            await asyncio.shield(self.heard)
        if self.replayed:
            was_replayed.set(True)
        return self.response


AnyRequest: TypeAlias = SharedRequest[Any]
Lock: TypeAlias = Callable[[Tx], Awaitable[None]]
"""Waits until nobody else changes the same thing."""

Act: TypeAlias = Callable[[Tx, Sequence[AnyRequest]], Awaitable[None]]
"""Gives each request its response or its refusal, and writes what was decided, audit rows too."""


class SharedMutations:
    """Runs acts over many requests at once."""

    def __init__(self, db: Postgres, clock: Clock, changes: Changes | None = None) -> None:
        """As Mutations."""
        self._db = db
        self._clock = clock
        self._changes = changes
        self._hearing: set[asyncio.Task[None]] = set()

    async def run(
        self, merchant_id: str, requests: Sequence[AnyRequest], lock: Lock, act: Act
    ) -> None:
        """Returns when each request, no two of one name, has its outcome; what failed has left nothing.

        An act that breaks for a reason which may be one request's alone is run again for each of them.
        """
        pause_s = FIRST_PAUSE_S
        for tries_left in reversed(range(MAX_TRIES)):
            attempt = _Attempt(self._clock.now(), self._changes)
            try:
                await attempt.run(self._db, merchant_id, requests, lock, act)
            except Exception as error:
                again = is_retryable(error) or isinstance(error, _KeyTakenError)
                if not again or not tries_left:
                    await self._part(merchant_id, requests, lock, act, error, attempt)
                    return
            else:
                self._await_ears(attempt, requests)
                return
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s *= 2

    async def _part(
        self,
        merchant_id: str,
        requests: Sequence[AnyRequest],
        lock: Lock,
        act: Act,
        error: Exception,
        attempt: _Attempt,
    ) -> None:
        """Finds out whose the failure is, where it may be one request's: then the others must not fail by it."""
        if is_timeout(error):
            error = DatabaseUnavailableError()
        # No database, or a busy allowance, is everybody's matter; a key that is in use elsewhere is not.
        shared = isinstance(error, Unavailable) or (attempt.acting and is_lock_timeout(error))
        if not shared and len(requests) > 1:
            for one in requests:
                await self.run(merchant_id, [one], lock, act)
            return
        in_flight = is_lock_timeout(error) or isinstance(error, _KeyTakenError)
        for one in requests:
            _refuse(one, IdempotencyInFlightError(one.key) if in_flight else error)

    def _await_ears(self, attempt: _Attempt, requests: Sequence[AnyRequest]) -> None:
        if self._changes is None or attempt.token is None:
            return
        heard = asyncio.create_task(self._changes.until_heard(attempt.token))
        self._hearing.add(heard)
        heard.add_done_callback(self._hearing.discard)
        for one in requests:
            one.heard = heard


class _NothingDecidedError(Exception):
    """Every request was refused: the transaction is undone, as it would be for one."""


class _KeyTakenError(Exception):
    """Another transaction took a key between look-up and commit."""


class _Attempt:
    """One transaction over some requests. `acting` says that it failed within the lock or the act, if it failed."""

    __slots__ = ("_changes", "_now", "acting", "token")

    def __init__(self, now: datetime, changes: Changes | None) -> None:
        self._now = now
        self._changes = changes
        self.acting = False
        self.token: str | None = None

    async def run(
        self, db: Postgres, merchant_id: str, requests: Sequence[AnyRequest], lock: Lock, act: Act
    ) -> None:
        """Decides all. Raises whatever the database or the act raises; then nothing is stored."""
        for one in requests:
            one.response, one.refusal, one.replayed = None, None, False
        try:
            async with db.writing(merchant_id) as tx:
                self.acting = True
                await lock(tx)
                await _answer_again(tx, requests)
                fresh = [one for one in requests if one.response is None and one.refusal is None]
                if fresh:
                    await act(tx, fresh)
                self.acting = False
                await self._store(tx, requests, fresh)
        except _NothingDecidedError:
            pass
        except BaseException:
            if self._changes is not None and self.token is not None:
                self._changes.forget(self.token)
            raise

    async def _store(
        self, tx: Tx, requests: Sequence[AnyRequest], fresh: Sequence[AnyRequest]
    ) -> None:
        decided = [one for one in fresh if one.response is not None]
        assert all(one.response is not None or one.refusal is not None for one in fresh), (
            "no outcome"
        )
        assert tx.audited or not decided, "something was changed without audit entry"
        replayed = any(one.replayed for one in requests)
        if not decided and not replayed:
            raise _NothingDecidedError
        if decided:
            await _store_answers(tx, decided, self._now)
        # A stored answer waits too: whoever gave it first may have died before it was heard of.
        if self._changes is not None and (tx.changed_entitlements or replayed):
            self.token = self._changes.token()
            await tx.send_token(self.token)


def _refuse(one: AnyRequest, refusal: Exception) -> None:
    one.response, one.replayed, one.refusal = None, False, refusal


async def _answer_again(tx: Tx, requests: Sequence[AnyRequest]) -> None:
    """Gives those whose key was used before the stored answer, or refuses another request under it."""
    rows = await tx.fetch(
        """
        SELECT asked.method, asked.key, kept.request_hash, kept.response
        FROM unnest($2::text[], $3::text[]) AS asked (method, key)
        CROSS JOIN LATERAL (
            SELECT request_hash, response FROM idempotency_record
            WHERE merchant_id = $1 AND method = asked.method AND key = asked.key
            -- A search for each, whatever a plan that was made when the table was small would prefer.
            OFFSET 0
        ) AS kept
        """,
        tx.merchant_id,
        *_names(requests),
    )
    stored = {(row["method"], row["key"]): row for row in rows}
    for one in requests:
        row = stored.get(one.name)
        if row is None:
            continue
        if row["request_hash"] != one.request_hash:
            _refuse(one, IdempotencyMismatchError(one.key, one.caller.method))
            continue
        assert row["response"] is not None, "a committed record has an answer"
        one.response = one.response_class.FromString(row["response"])
        one.replayed = True


async def _store_answers(tx: Tx, decided: Sequence[AnyRequest], now: datetime) -> None:
    """Takes the keys, with the answers. Raises _KeyTakenError when another transaction took one of them.

    In one order everywhere, so that two transactions that share keys wait for one another and never in a circle.
    """
    in_order = sorted(decided, key=lambda one: one.name)
    stored = await tx.execute(
        """
        INSERT INTO idempotency_record (merchant_id, method, key, request_hash, response, created_at)
        SELECT $1, asked.method, asked.key, asked.request_hash, asked.response, $6
        FROM unnest($2::text[], $3::text[], $4::bytea[], $5::bytea[])
             AS asked (method, key, request_hash, response)
        ON CONFLICT (merchant_id, method, key) DO NOTHING
        """,
        tx.merchant_id,
        *_names(in_order),
        [one.request_hash for one in in_order],
        [one.response.SerializeToString() for one in in_order if one.response is not None],
        now,
    )
    if stored != len(in_order):
        raise _KeyTakenError


def _names(requests: Sequence[AnyRequest]) -> tuple[list[str], list[str]]:
    return [one.caller.method for one in requests], [one.key for one in requests]
