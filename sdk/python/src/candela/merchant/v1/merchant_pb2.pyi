import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_LIVE: _ClassVar[Mode]
    MODE_TEST: _ClassVar[Mode]

class NumberingReset(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NUMBERING_RESET_UNSPECIFIED: _ClassVar[NumberingReset]
    NUMBERING_RESET_NEVER: _ClassVar[NumberingReset]
    NUMBERING_RESET_YEARLY: _ClassVar[NumberingReset]

class ProrationTiming(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PRORATION_TIMING_UNSPECIFIED: _ClassVar[ProrationTiming]
    PRORATION_TIMING_NEXT_INVOICE: _ClassVar[ProrationTiming]
    PRORATION_TIMING_INVOICE_NOW: _ClassVar[ProrationTiming]
    PRORATION_TIMING_NONE: _ClassVar[ProrationTiming]

class UnknownEventPolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNKNOWN_EVENT_POLICY_UNSPECIFIED: _ClassVar[UnknownEventPolicy]
    UNKNOWN_EVENT_POLICY_REJECT: _ClassVar[UnknownEventPolicy]
    UNKNOWN_EVENT_POLICY_DEAD_LETTER: _ClassVar[UnknownEventPolicy]

class UnmatchedNamePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    UNMATCHED_NAME_POLICY_UNSPECIFIED: _ClassVar[UnmatchedNamePolicy]
    UNMATCHED_NAME_POLICY_ACCEPT: _ClassVar[UnmatchedNamePolicy]
    UNMATCHED_NAME_POLICY_REJECT: _ClassVar[UnmatchedNamePolicy]
    UNMATCHED_NAME_POLICY_DEAD_LETTER: _ClassVar[UnmatchedNamePolicy]

class PastDueAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAST_DUE_ACTION_UNSPECIFIED: _ClassVar[PastDueAction]
    PAST_DUE_ACTION_KEEP: _ClassVar[PastDueAction]
    PAST_DUE_ACTION_DOWNGRADE: _ClassVar[PastDueAction]
    PAST_DUE_ACTION_BLOCK: _ClassVar[PastDueAction]
MODE_UNSPECIFIED: Mode
MODE_LIVE: Mode
MODE_TEST: Mode
NUMBERING_RESET_UNSPECIFIED: NumberingReset
NUMBERING_RESET_NEVER: NumberingReset
NUMBERING_RESET_YEARLY: NumberingReset
PRORATION_TIMING_UNSPECIFIED: ProrationTiming
PRORATION_TIMING_NEXT_INVOICE: ProrationTiming
PRORATION_TIMING_INVOICE_NOW: ProrationTiming
PRORATION_TIMING_NONE: ProrationTiming
UNKNOWN_EVENT_POLICY_UNSPECIFIED: UnknownEventPolicy
UNKNOWN_EVENT_POLICY_REJECT: UnknownEventPolicy
UNKNOWN_EVENT_POLICY_DEAD_LETTER: UnknownEventPolicy
UNMATCHED_NAME_POLICY_UNSPECIFIED: UnmatchedNamePolicy
UNMATCHED_NAME_POLICY_ACCEPT: UnmatchedNamePolicy
UNMATCHED_NAME_POLICY_REJECT: UnmatchedNamePolicy
UNMATCHED_NAME_POLICY_DEAD_LETTER: UnmatchedNamePolicy
PAST_DUE_ACTION_UNSPECIFIED: PastDueAction
PAST_DUE_ACTION_KEEP: PastDueAction
PAST_DUE_ACTION_DOWNGRADE: PastDueAction
PAST_DUE_ACTION_BLOCK: PastDueAction

class Merchant(_message.Message):
    __slots__ = ("id", "name", "mode", "time_zone", "default_currency", "settings", "created_at", "version", "test_clock_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_CURRENCY_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TEST_CLOCK_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    mode: Mode
    time_zone: str
    default_currency: str
    settings: MerchantSettings
    created_at: _timestamp_pb2.Timestamp
    version: int
    test_clock_id: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., mode: _Optional[_Union[Mode, str]] = ..., time_zone: _Optional[str] = ..., default_currency: _Optional[str] = ..., settings: _Optional[_Union[MerchantSettings, _Mapping]] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., version: _Optional[int] = ..., test_clock_id: _Optional[str] = ...) -> None: ...

class MerchantSettings(_message.Message):
    __slots__ = ("event_dedupe_window", "event_lateness", "unknown_customer_policy", "invoice_grace", "past_due_policy", "invoice_number_prefix", "max_invoices_per_customer_per_day", "unmatched_name_policy", "invoice_numbering", "credit_note_numbering", "payment_terms_days", "proration")
    EVENT_DEDUPE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    EVENT_LATENESS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_CUSTOMER_POLICY_FIELD_NUMBER: _ClassVar[int]
    INVOICE_GRACE_FIELD_NUMBER: _ClassVar[int]
    PAST_DUE_POLICY_FIELD_NUMBER: _ClassVar[int]
    INVOICE_NUMBER_PREFIX_FIELD_NUMBER: _ClassVar[int]
    MAX_INVOICES_PER_CUSTOMER_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_NAME_POLICY_FIELD_NUMBER: _ClassVar[int]
    INVOICE_NUMBERING_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTE_NUMBERING_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_TERMS_DAYS_FIELD_NUMBER: _ClassVar[int]
    PRORATION_FIELD_NUMBER: _ClassVar[int]
    event_dedupe_window: _duration_pb2.Duration
    event_lateness: _duration_pb2.Duration
    unknown_customer_policy: UnknownEventPolicy
    invoice_grace: _duration_pb2.Duration
    past_due_policy: PastDuePolicy
    invoice_number_prefix: str
    max_invoices_per_customer_per_day: int
    unmatched_name_policy: UnmatchedNamePolicy
    invoice_numbering: NumberingScheme
    credit_note_numbering: NumberingScheme
    payment_terms_days: int
    proration: ProrationTiming
    def __init__(self, event_dedupe_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., event_lateness: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., unknown_customer_policy: _Optional[_Union[UnknownEventPolicy, str]] = ..., invoice_grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., past_due_policy: _Optional[_Union[PastDuePolicy, _Mapping]] = ..., invoice_number_prefix: _Optional[str] = ..., max_invoices_per_customer_per_day: _Optional[int] = ..., unmatched_name_policy: _Optional[_Union[UnmatchedNamePolicy, str]] = ..., invoice_numbering: _Optional[_Union[NumberingScheme, _Mapping]] = ..., credit_note_numbering: _Optional[_Union[NumberingScheme, _Mapping]] = ..., payment_terms_days: _Optional[int] = ..., proration: _Optional[_Union[ProrationTiming, str]] = ...) -> None: ...

class NumberingScheme(_message.Message):
    __slots__ = ("digits", "reset", "next_number")
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    NEXT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    digits: int
    reset: NumberingReset
    next_number: int
    def __init__(self, digits: _Optional[int] = ..., reset: _Optional[_Union[NumberingReset, str]] = ..., next_number: _Optional[int] = ...) -> None: ...

class PastDuePolicy(_message.Message):
    __slots__ = ("grace", "then", "downgrade_plan_id")
    GRACE_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    DOWNGRADE_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    grace: _duration_pb2.Duration
    then: PastDueAction
    downgrade_plan_id: str
    def __init__(self, grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., then: _Optional[_Union[PastDueAction, str]] = ..., downgrade_plan_id: _Optional[str] = ...) -> None: ...
