"""A merchant's settings after a change; what cannot go together is refused with its field."""

from __future__ import annotations

from typing import TypeVar

from candela_server.kernel.errors import FieldViolations
from candela_server.merchant.model import MerchantSettings, PastDueAction, PastDuePolicy
from candela_server.merchant.settings_change import PastDueChange, SettingsChange

_Setting = TypeVar("_Setting")


def changed_settings(before: MerchantSettings, change: SettingsChange) -> MerchantSettings:
    """The settings after the change, the rest as before. Raises InvalidInput with paths from the settings."""
    with FieldViolations() as fields:
        lateness = _either(change.event_lateness, before.event_lateness)
        if lateness >= before.event_dedupe_window:
            fields.add(
                "event_lateness",
                f"must be shorter than event_dedupe_window, which is {before.event_dedupe_window.days}"
                " days, or a late repetition would count twice",
            )
        return MerchantSettings(
            event_dedupe_window=before.event_dedupe_window,
            event_lateness=lateness,
            unknown_customer_policy=_either(
                change.unknown_customer_policy, before.unknown_customer_policy
            ),
            invoice_grace=_either(change.invoice_grace, before.invoice_grace),
            past_due_policy=fields.read(
                "past_due_policy", _past_due_policy, before.past_due_policy, change.past_due_policy
            ),
            invoice_number_prefix=_either(
                change.invoice_number_prefix, before.invoice_number_prefix
            ),
            max_invoices_per_customer_per_day=_either(
                change.max_invoices_per_customer_per_day, before.max_invoices_per_customer_per_day
            ),
        )


def _past_due_policy(before: PastDuePolicy, change: PastDueChange) -> PastDuePolicy:
    then = _either(change.then, before.then)
    plan_id = change.downgrade_plan_id
    with FieldViolations() as fields:
        if then is PastDueAction.DOWNGRADE:
            plan_id = plan_id or before.downgrade_plan_id
            if plan_id is None:
                fields.add("downgrade_plan_id", "must name the free plan whose features remain")
        elif plan_id is not None:
            fields.add(
                "downgrade_plan_id",
                f"must be empty: then is {then.name}, and only DOWNGRADE needs it",
            )
        if fields.any:
            return before
        return PastDuePolicy(
            grace=_either(change.grace, before.grace), then=then, downgrade_plan_id=plan_id
        )


def _either(wanted: _Setting | None, before: _Setting) -> _Setting:
    return before if wanted is None else wanted
