"""One CheckMany that was asked before: its questions as they were understood, and the bytes of its last answer.

Data plane. Budget: 1 µs a question, of which reading its counter is the most. What it gives up for that: it holds only
as long as every snapshot that it rests on is alive; when one of its counters has moved, that answer is made anew and
all are joined again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from candela_server.kernel.clock import Clock
from candela_server.metering.quick_counters import CounterGroup, Raw, is_good

from .prepared_check import PreparedCheck

_IS_ALIVE: Final = attrgetter("alive")


class PreparedBatch:
    """Questions that were asked together; whoever asks them again sends the same bytes."""

    __slots__ = (
        "_due_at",
        "_epoch",
        "_metered",
        "_raws",
        "_response",
        "_snapshots",
        "checks",
        "counters",
    )

    def __init__(self, checks: Sequence[PreparedCheck]) -> None:
        """Prepares the reading of all counters at once. All checks about one customer rest on one snapshot."""
        self.checks = checks
        self._snapshots = list({id(one.snapshot): one.snapshot for one in checks}.values())
        for one in self._snapshots:
            one.asked = True
        # A snapshot on a test clock stays valid until the clock is moved, and then it is not alive any more.
        self._due_at = min(
            (
                one.valid_until
                for one in self._snapshots
                if one.valid_until is not None and one.frozen_now is None
            ),
            default=None,
        )
        self._metered = [one for one in checks if one.counter is not None]
        self.counters = CounterGroup([one.counter for one in self._metered if one.counter])
        self._epoch: Any = None
        self._raws: list[Raw] = []
        self._response = b""

    def holds(self, now: datetime) -> bool:
        """Whether nothing has changed behind any of the questions but usage."""
        if self._due_at is not None and now >= self._due_at:
            return False
        return all(map(_IS_ALIVE, self._snapshots))

    def response(self, epoch: Any, raws: list[Raw], clock: Clock) -> bytes | None:
        """The CheckManyResponse for what the counters hold; None when one of them is no good."""
        if self._response and epoch == self._epoch and raws == self._raws:
            return self._response
        for check, raw in zip(self._metered, raws, strict=True):
            if not is_good(raw, epoch):
                return None
            check.with_raw(raw, clock)
        response = b"".join([check.as_item() for check in self.checks])
        # What is reserved lapses with time, which no counter tells.
        if not any([check.held for check in self._metered]):
            self._epoch, self._raws, self._response = epoch, raws, response
        return response
