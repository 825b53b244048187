"""Workers that are killed in the middle of what they do."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from tests.helpers.forked_biller import ForkedBiller

_LONGEST_S = 0.6


@dataclass(slots=True)
class Kills:
    """Kills that hit, on a machine of any speed: one that came too late is no kill, and the next comes sooner."""

    billers: list[ForkedBiller]
    moments: random.Random
    hit: int = 0
    _longest_s: float = _LONGEST_S

    def bill(self, now: datetime, *, kills: int) -> None:
        """What is due at an instant, by all workers at once, who are left alone after so many times."""
        times = 0
        while times < kills:
            if hit := self._killed(now):
                times += 1
                self.hit += hit
            else:
                self._longest_s /= 2
        for one in self.billers:
            one.begin(now)
        for one in self.billers:
            one.wait()

    def _killed(self, now: datetime) -> int:
        """How many were still at it."""
        begun = [one.begin(now) for one in self.billers]
        # A kill comes at any time: at the start, or in the middle of the work.
        time.sleep(self.moments.uniform(0, self._longest_s))
        for process_id in begun:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        return [one.wait() for one in self.billers].count(-signal.SIGKILL)
