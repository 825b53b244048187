"""A merchant's settings as their jsonb column holds them: spans in whole seconds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .model import (
    MerchantSettings,
    PastDueAction,
    PastDuePolicy,
    ProrationTiming,
    UnknownEventPolicy,
    UnmatchedNamePolicy,
)
from .numbering import NumberingReset, NumberingScheme

_DEFAULT = MerchantSettings()


def settings_to_json(settings: MerchantSettings) -> dict[str, Any]:
    """What is stored, and what the audit trail shows."""
    return {
        "event_dedupe_window_s": settings.event_dedupe_window // timedelta(seconds=1),
        "event_lateness_s": settings.event_lateness // timedelta(seconds=1),
        "unknown_customer_policy": settings.unknown_customer_policy,
        "invoice_grace_s": settings.invoice_grace // timedelta(seconds=1),
        "past_due_policy": {
            "grace_s": settings.past_due_policy.grace // timedelta(seconds=1),
            "then": settings.past_due_policy.then,
            "downgrade_plan_id": settings.past_due_policy.downgrade_plan_id,
        },
        "invoice_number_prefix": settings.invoice_number_prefix,
        "max_invoices_per_customer_per_day": settings.max_invoices_per_customer_per_day,
        "unmatched_name_policy": settings.unmatched_name_policy,
        "invoice_numbering": _numbering_to_json(settings.invoice_numbering),
        "credit_note_numbering": _numbering_to_json(settings.credit_note_numbering),
        "payment_terms_days": settings.payment_terms_days,
        "proration": settings.proration,
    }


def settings_from_json(stored: Mapping[str, Any]) -> MerchantSettings:
    """What a merchant has set; one from before there was a setting has its default."""
    return MerchantSettings(
        event_dedupe_window=timedelta(seconds=stored["event_dedupe_window_s"]),
        event_lateness=timedelta(seconds=stored["event_lateness_s"]),
        unknown_customer_policy=UnknownEventPolicy(stored["unknown_customer_policy"]),
        invoice_grace=timedelta(seconds=stored["invoice_grace_s"]),
        past_due_policy=_past_due_policy_from_json(stored.get("past_due_policy")),
        invoice_number_prefix=stored["invoice_number_prefix"],
        max_invoices_per_customer_per_day=stored["max_invoices_per_customer_per_day"],
        unmatched_name_policy=UnmatchedNamePolicy(
            stored.get("unmatched_name_policy", _DEFAULT.unmatched_name_policy)
        ),
        invoice_numbering=_numbering_from_json(stored.get("invoice_numbering")),
        credit_note_numbering=_numbering_from_json(stored.get("credit_note_numbering")),
        payment_terms_days=stored.get("payment_terms_days", _DEFAULT.payment_terms_days),
        proration=ProrationTiming(stored.get("proration", _DEFAULT.proration)),
    )


def _past_due_policy_from_json(stored: Mapping[str, Any] | None) -> PastDuePolicy:
    if stored is None:
        return PastDuePolicy()
    return PastDuePolicy(
        grace=timedelta(seconds=stored["grace_s"]),
        then=PastDueAction(stored["then"]),
        downgrade_plan_id=stored["downgrade_plan_id"],
    )


def _numbering_to_json(scheme: NumberingScheme) -> dict[str, Any]:
    return {"digits": scheme.digits, "reset": scheme.reset}


def _numbering_from_json(stored: Mapping[str, Any] | None) -> NumberingScheme:
    if stored is None:
        return NumberingScheme()
    return NumberingScheme(digits=stored["digits"], reset=NumberingReset(stored["reset"]))
