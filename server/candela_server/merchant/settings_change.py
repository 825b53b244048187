"""What an update may change of a merchant's settings; None leaves a setting as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from .model import PastDueAction, ProrationTiming, UnknownEventPolicy, UnmatchedNamePolicy
from .numbering import SAME_NUMBERING, NumberingChange, Series


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
    invoice_numbering: NumberingChange = SAME_NUMBERING
    credit_note_numbering: NumberingChange = SAME_NUMBERING
    payment_terms_days: int | None = None
    proration: ProrationTiming | None = None

    @property
    def numberings(self) -> Sequence[tuple[Series, NumberingChange]]:
        """What changes of each series of documents."""
        return (
            (Series.INVOICE, self.invoice_numbering),
            (Series.CREDIT_NOTE, self.credit_note_numbering),
        )
