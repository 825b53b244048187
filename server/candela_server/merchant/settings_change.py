"""What an update may change of a merchant's settings; None leaves a setting as it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from .model import PastDueAction, UnknownEventPolicy, UnmatchedNamePolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class PastDueChange:
    """The change of the past-due policy (ENT-10)."""

    grace: timedelta | None = None
    then: PastDueAction | None = None
    downgrade_plan_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """The change of all settings."""

    event_dedupe_window: timedelta | None = None
    event_lateness: timedelta | None = None
    unknown_customer_policy: UnknownEventPolicy | None = None
    invoice_grace: timedelta | None = None
    past_due_policy: PastDueChange = PastDueChange()
    invoice_number_prefix: str | None = None
    max_invoices_per_customer_per_day: int | None = None
    unmatched_name_policy: UnmatchedNamePolicy | None = None
