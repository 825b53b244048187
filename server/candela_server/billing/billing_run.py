"""What exists of runs that people start (INV-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

BillingRunId = NewType("BillingRunId", str)

BILLING_RUN_STARTED = "billing_run_started"
"""The announcement upon which the worker carries a run out."""


class BillingRunStatus(StrEnum):
    """A run's life."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRun:
    """One pass of the pipeline over what is due for a merchant in real time."""

    id: BillingRunId
    until_at: datetime
    status: BillingRunStatus
    subscription_count: int
    invoice_count: int
    parked_count: int
    created_at: datetime
    ended_at: datetime | None
    failure: str
