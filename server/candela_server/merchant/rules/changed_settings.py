"""A merchant's settings after a change; what cannot go together is refused with its field."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeVar

from candela_server.kernel.errors import FieldViolations
from candela_server.merchant.model import MerchantSettings, PastDueAction, PastDuePolicy
from candela_server.merchant.numbering import NumberingChange, NumberingScheme
from candela_server.merchant.settings_change import PastDueChange, SettingsChange

LATEST_REPETITION: Final = timedelta(days=1)
"""How much longer a key is remembered than its event may be late: an event may lie some minutes ahead of the clock, and
servers' clocks differ, so that the last acceptable repetition comes a little after the lateness bound (EVT-2)."""

_Setting = TypeVar("_Setting")


def changed_settings(before: MerchantSettings, change: SettingsChange) -> MerchantSettings:
    """The settings after the change, the rest as before. Raises InvalidInput with paths from the settings."""
    with FieldViolations() as fields:
        lateness = _either(change.event_lateness, before.event_lateness)
        window = _either(change.event_dedupe_window, before.event_dedupe_window)
        if window < lateness + LATEST_REPETITION:
            _refuse_short_window(fields, change, window, lateness)
        return MerchantSettings(
            event_dedupe_window=window,
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
            unmatched_name_policy=_either(
                change.unmatched_name_policy, before.unmatched_name_policy
            ),
            invoice_numbering=_numbering(before.invoice_numbering, change.invoice_numbering),
            credit_note_numbering=_numbering(
                before.credit_note_numbering, change.credit_note_numbering
            ),
            payment_terms_days=_either(change.payment_terms_days, before.payment_terms_days),
            proration=_either(change.proration, before.proration),
        )


def _refuse_short_window(
    fields: FieldViolations, change: SettingsChange, window: timedelta, lateness: timedelta
) -> None:
    """Refuses the field that was changed, or the window when both were."""
    if change.event_dedupe_window is None:
        fields.add(
            "event_lateness",
            f"must be at least a day shorter than event_dedupe_window, which is {_days(window)},"
            f" not {_days(lateness)}, or a late repetition would count twice",
        )
    else:
        fields.add(
            "event_dedupe_window",
            f"must be at least a day longer than event_lateness, which is {_days(lateness)},"
            f" not {_days(window)}, or a late repetition would count twice",
        )


def _days(span: timedelta) -> str:
    days, rest = divmod(span, timedelta(days=1))
    return f"{days} days" + (f" and {rest.seconds} s" if rest else "")


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


def _numbering(before: NumberingScheme, change: NumberingChange) -> NumberingScheme:
    return NumberingScheme(
        digits=_either(change.digits, before.digits), reset=_either(change.reset, before.reset)
    )


def _either(wanted: _Setting | None, before: _Setting) -> _Setting:
    return before if wanted is None else wanted
