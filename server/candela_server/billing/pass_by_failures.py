"""Goes on with everybody else when the pipeline fails for one: that one is passed by, and tried again later (INV-1).

A chunk that fails is tried again in halves, until what fails is alone: one subscription, one draft, one scheduled
change. Its failure is noted, which is an alert for the operator (edge/http/alerts.py), and tried again after a time
that doubles with each attempt; a run that a person starts tries it at once. An outage is nobody's fault: it ends the
run, and the next minute's goes on. So does a number of failures that must have a common cause.

On a test clock nothing is passed by: there the clock rests with the reason, and who moves it sees it at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog

from candela_server.kernel.errors import Unavailable
from candela_server.storage.postgres import Postgres, Tx, is_lock_timeout, is_retryable

from . import failure_store
from .failure_store import BillingFailure, Work

log = structlog.get_logger("candela.billing")

_T = TypeVar("_T")

RETRY_AFTER: Final = timedelta(minutes=5)
RETRY_AFTER_AT_MOST: Final = timedelta(hours=6)
MAX_FAILURES: Final = 100
"""Of one run. More than that have a cause in common, which is not theirs."""
_FORGOTTEN_AFTER: Final = timedelta(days=1)
_MAX_LENGTH: Final = 500


@dataclass(slots=True)
class Attempt:
    """One transaction's part of the work: how much it may take, what it must leave. Who works says what it `took`."""

    limit: int
    passing_by: list[str]
    took: list[str] = field(default_factory=list)


class Passing:
    """One run over one kind of work of one merchant."""

    def __init__(
        self,
        db: Postgres,
        merchant_id: str,
        work: Work,
        *,
        now: datetime,
        chunk: int,
        passes_by: bool,
        again: bool,
    ) -> None:
        """Begins with whole chunks; `again` tries at once what waits to be tried."""
        self._db = db
        self._merchant_id = merchant_id
        self._work = work
        self._now = now
        self._chunk = chunk
        self._size = chunk
        self._passes_by = passes_by
        self._again = again
        self._known: dict[str, BillingFailure] | None = None
        self._passing_by: list[str] = []
        self.failures: dict[str, str] = {}

    async def do(
        self,
        act: Callable[[Tx, Attempt], Awaitable[_T]],
        *,
        lets_out: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> _T:
        """What `act` made of the next chunk, in one transaction; those that fail by themselves are passed by.

        `lets_out` are errors by which `act` speaks to the caller.
        """
        while True:
            attempt = Attempt(self._size, self._passing_by)
            try:
                async with self._db.writing(self._merchant_id) as tx:
                    await self._read(tx)
                    attempt.passing_by = self._passing_by
                    done = await act(tx, attempt)
                    await self._forget(tx, attempt.took)
            except lets_out:
                raise
            except Exception as error:
                await self._judge(attempt, error)
            else:
                self._size = min(self._chunk, self._size * 2)
                return done

    async def _read(self, tx: Tx) -> None:
        if self._known is not None or not self._passes_by:
            return
        found = await failure_store.list_failures(tx, self._work)
        self._known = {one.subject_id: one for one in found}
        if not self._again:
            self._passing_by = [one.subject_id for one in found if one.retry_at > self._now]
        # What was not even tried again was done, or ended, in some other way.
        gone = [one for one in found if one.retry_at + _FORGOTTEN_AFTER < self._now]
        if gone:
            await failure_store.forget_failures(tx, self._work, [one.subject_id for one in gone])

    async def _forget(self, tx: Tx, done: list[str]) -> None:
        healed = [one for one in done if self._known and one in self._known]
        if healed:
            await failure_store.forget_failures(tx, self._work, healed)

    async def _judge(self, attempt: Attempt, error: Exception) -> None:
        """Makes the next chunk smaller, or passes by the one that is to blame; raises when nobody is."""
        if not self._passes_by or not attempt.took or _passes(error):
            raise error
        if len(attempt.took) > 1:
            self._size = max(1, min(self._size, len(attempt.took)) // 2)
            return
        if len(self.failures) >= MAX_FAILURES:
            raise error
        await self._note(attempt.took[0], error)

    async def _note(self, subject_id: str, error: Exception) -> None:
        failure = f"{type(error).__name__}: {error}"[:_MAX_LENGTH]
        before = (self._known or {}).get(subject_id)
        attempts = before.attempts + 1 if before else 1
        noted = BillingFailure(
            subject_id=subject_id,
            failure=failure,
            attempts=attempts,
            failed_at=self._now,
            retry_at=self._now + _wait(attempts),
        )
        log.error(
            "billing_failed_for_one",
            merchant_id=self._merchant_id,
            work=self._work,
            subject_id=subject_id,
            retry_at=noted.retry_at.isoformat(),
            exc_info=error,
        )
        async with self._db.writing(self._merchant_id) as tx:
            await failure_store.put_failure(tx, self._work, noted)
            if before is None:
                await tx.audit("billing.failed", subject_id, after={"failure": failure})
        self.failures[subject_id] = failure
        self._passing_by = [*self._passing_by, subject_id]


def _passes(error: Exception) -> bool:
    """Whether it says nothing about what was tried: the same may succeed in a moment."""
    return isinstance(error, Unavailable | OSError) or is_retryable(error) or is_lock_timeout(error)


def _wait(attempts: int) -> timedelta:
    # No power of a large number: after some attempts it is the longest wait anyway.
    doublings: int = min(attempts - 1, 10)
    return min(RETRY_AFTER * (1 << doublings), RETRY_AFTER_AT_MOST)
