"""When a trial ends (TRL-2)."""

from __future__ import annotations

from datetime import datetime

from candela_server.catalog.model import TrialTerms
from candela_server.kernel.recurrence import Recurrence
from candela_server.kernel.recurrence_text import Frequency


def trial_end(trial: TrialTerms, anchor_at: datetime, time_zone: str) -> datetime:
    """The end of a trial that began at `anchor_at`: so many days later, at the same time of day."""
    rule = Recurrence(frequency=Frequency.DAILY, interval=trial.days, time_zone=time_zone)
    return rule.occurrence(anchor_at, 1)
