"""A merchant's update and its settings, between the contract and the model; nothing here decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal

from candela.merchant.v1 import merchant_pb2, merchant_service_pb2
from google.protobuf.duration_pb2 import Duration

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import currency_code, time_zone, typed_id, whole_number
from candela_server.kernel.read_names import line

from .model import (
    CREDIT_NOTE_NUMBER_PREFIX,
    MerchantSettings,
    PastDueAction,
    PastDuePolicy,
    ProrationTiming,
    TestClockId,
    UnknownEventPolicy,
    UnmatchedNamePolicy,
)
from .numbering import Series
from .numbering_wire import numbering_from_proto, numbering_to_proto
from .settings_change import PastDueChange, SettingsChange
from .update_merchant import UpdateMerchant

MAX_PREFIX_LENGTH = 20

_EVENT_POLICIES = {
    UnknownEventPolicy.REJECT: merchant_pb2.UNKNOWN_EVENT_POLICY_REJECT,
    UnknownEventPolicy.DEAD_LETTER: merchant_pb2.UNKNOWN_EVENT_POLICY_DEAD_LETTER,
}
_NAME_POLICIES = {
    UnmatchedNamePolicy.ACCEPT: merchant_pb2.UNMATCHED_NAME_POLICY_ACCEPT,
    UnmatchedNamePolicy.REJECT: merchant_pb2.UNMATCHED_NAME_POLICY_REJECT,
    UnmatchedNamePolicy.DEAD_LETTER: merchant_pb2.UNMATCHED_NAME_POLICY_DEAD_LETTER,
}
_PAST_DUE_ACTIONS = {
    PastDueAction.KEEP: merchant_pb2.PAST_DUE_ACTION_KEEP,
    PastDueAction.DOWNGRADE: merchant_pb2.PAST_DUE_ACTION_DOWNGRADE,
    PastDueAction.BLOCK: merchant_pb2.PAST_DUE_ACTION_BLOCK,
}
_PRORATIONS = {
    ProrationTiming.NEXT_INVOICE: merchant_pb2.PRORATION_TIMING_NEXT_INVOICE,
    ProrationTiming.INVOICE_NOW: merchant_pb2.PRORATION_TIMING_INVOICE_NOW,
    ProrationTiming.NONE: merchant_pb2.PRORATION_TIMING_NONE,
}
_ENDS_WITH_YEAR = re.compile(r"[0-9]{4}-$")


def update_merchant_from_proto(
    request: merchant_service_pb2.UpdateMerchantRequest,
) -> UpdateMerchant:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return UpdateMerchant(
            name=fields.read_given(request, "name", line(1, 200)),
            time_zone=fields.read_given(request, "time_zone", time_zone),
            default_currency=fields.read_given(request, "default_currency", currency_code),
            test_clock_id=fields.read_given(request, "test_clock_id", _test_clock_id),
            settings=fields.read("settings", _settings_from_proto, request.settings),
            expected_version=request.expected_version
            if request.HasField("expected_version")
            else None,
        )


def settings_to_proto(
    settings: MerchantSettings, next_numbers: Mapping[Series, int]
) -> merchant_pb2.MerchantSettings:
    """The settings as the contract shows them."""
    return merchant_pb2.MerchantSettings(
        event_dedupe_window=_duration(settings.event_dedupe_window),
        event_lateness=_duration(settings.event_lateness),
        unknown_customer_policy=_EVENT_POLICIES[settings.unknown_customer_policy],
        invoice_grace=_duration(settings.invoice_grace),
        past_due_policy=_policy_to_proto(settings.past_due_policy),
        invoice_number_prefix=settings.invoice_number_prefix,
        max_invoices_per_customer_per_day=settings.max_invoices_per_customer_per_day,
        unmatched_name_policy=_NAME_POLICIES[settings.unmatched_name_policy],
        invoice_numbering=numbering_to_proto(
            settings.invoice_numbering, next_numbers[Series.INVOICE]
        ),
        credit_note_numbering=numbering_to_proto(
            settings.credit_note_numbering, next_numbers[Series.CREDIT_NOTE]
        ),
        payment_terms_days=settings.payment_terms_days,
        proration=_PRORATIONS[settings.proration],
    )


def _settings_from_proto(settings: merchant_pb2.MerchantSettings) -> SettingsChange:
    with FieldViolations() as fields:
        return SettingsChange(
            event_dedupe_window=fields.read_given(
                settings, "event_dedupe_window", _span(timedelta(days=36), timedelta(days=400))
            ),
            event_lateness=fields.read_given(
                settings, "event_lateness", _span(timedelta(hours=1), timedelta(days=180))
            ),
            unknown_customer_policy=fields.read(
                "unknown_customer_policy", _event_policy, settings.unknown_customer_policy
            ),
            invoice_grace=fields.read_given(
                settings, "invoice_grace", _span(timedelta(0), timedelta(days=30))
            ),
            past_due_policy=fields.read(
                "past_due_policy", _policy_from_proto, settings.past_due_policy
            ),
            invoice_number_prefix=fields.read_given(settings, "invoice_number_prefix", _prefix),
            max_invoices_per_customer_per_day=fields.read_given(
                settings, "max_invoices_per_customer_per_day", whole_number(1, 1000)
            ),
            unmatched_name_policy=fields.read(
                "unmatched_name_policy", _name_policy, settings.unmatched_name_policy
            ),
            invoice_numbering=fields.read(
                "invoice_numbering", numbering_from_proto, settings.invoice_numbering
            ),
            credit_note_numbering=fields.read(
                "credit_note_numbering", numbering_from_proto, settings.credit_note_numbering
            ),
            payment_terms_days=fields.read_given(
                settings, "payment_terms_days", whole_number(0, 365)
            ),
            proration=fields.read("proration", _proration, settings.proration),
        )


def _policy_from_proto(policy: merchant_pb2.PastDuePolicy) -> PastDueChange:
    with FieldViolations() as fields:
        return PastDueChange(
            grace=fields.read_given(policy, "grace", _span(timedelta(0), timedelta(days=90))),
            then=fields.read("then", _past_due_action, policy.then),
            downgrade_plan_id=fields.read(
                "downgrade_plan_id", typed_id("plan"), policy.downgrade_plan_id
            )
            if policy.downgrade_plan_id
            else None,
        )


def _policy_to_proto(policy: PastDuePolicy) -> merchant_pb2.PastDuePolicy:
    return merchant_pb2.PastDuePolicy(
        grace=_duration(policy.grace),
        then=_PAST_DUE_ACTIONS[policy.then],
        downgrade_plan_id=policy.downgrade_plan_id or "",
    )


def _event_policy(value: int) -> UnknownEventPolicy | None:
    for policy, number in _EVENT_POLICIES.items():
        if number == value:
            return policy
    if value == merchant_pb2.UNKNOWN_EVENT_POLICY_UNSPECIFIED:
        return None
    raise ValueError("must be REJECT or DEAD_LETTER")


def _name_policy(value: int) -> UnmatchedNamePolicy | None:
    for policy, number in _NAME_POLICIES.items():
        if number == value:
            return policy
    if value == merchant_pb2.UNMATCHED_NAME_POLICY_UNSPECIFIED:
        return None
    raise ValueError("must be ACCEPT, REJECT or DEAD_LETTER")


def _past_due_action(value: int) -> PastDueAction | None:
    for action, number in _PAST_DUE_ACTIONS.items():
        if number == value:
            return action
    if value == merchant_pb2.PAST_DUE_ACTION_UNSPECIFIED:
        return None
    raise ValueError("must be KEEP, DOWNGRADE or BLOCK")


def _proration(value: int) -> ProrationTiming | None:
    for timing, number in _PRORATIONS.items():
        if number == value:
            return timing
    if value == merchant_pb2.PRORATION_TIMING_UNSPECIFIED:
        return None
    raise ValueError("must be NEXT_INVOICE, INVOICE_NOW or NONE")


def _test_clock_id(value: str) -> TestClockId | Literal[""]:
    return TestClockId(typed_id("tck")(value)) if value else ""


def _span(least: timedelta, most: timedelta) -> Callable[[Duration], timedelta]:
    """A reader of spans of whole seconds within bounds, both inclusive."""

    second = timedelta(seconds=1)

    def read_span(value: Duration) -> timedelta:
        # Compared as seconds: a Duration holds spans that a timedelta cannot.
        if value.nanos or not least // second <= value.seconds <= most // second:
            raise ValueError(
                f"must be {_words(least)} to {_words(most)}, in whole seconds, not "
                f"{value.seconds}.{abs(value.nanos):09} s"
            )
        return timedelta(seconds=value.seconds)

    return read_span


def _words(span: timedelta) -> str:
    return f"{span.days} days" if span.days or not span else f"{span // timedelta(hours=1)} hours"


def _prefix(value: str) -> str:
    if len(value) > MAX_PREFIX_LENGTH:
        raise ValueError(f"must have at most {MAX_PREFIX_LENGTH} characters, not {len(value)}")
    if not value.isascii() or not value.isprintable():
        raise ValueError("must hold printable ASCII only")
    if value[-1:].isdigit():
        raise ValueError(
            f"must not end with a digit, or numbers of two prefixes could be equal; try {value + '-'!r}"
        )
    if _ENDS_WITH_YEAR.search(value):
        raise ValueError(
            "must not end with a year and a hyphen, or its numbers could be those of a yearly series;"
            " try invoice_numbering.reset YEARLY, which puts the year there"
        )
    if value.casefold() == CREDIT_NOTE_NUMBER_PREFIX.casefold():
        raise ValueError(
            f"must not be {value!r}: credit notes have it, and their numbers would be equal; try 'INV-'"
        )
    return value


def _duration(span: timedelta) -> Duration:
    duration = Duration()
    duration.FromTimedelta(span)
    return duration
