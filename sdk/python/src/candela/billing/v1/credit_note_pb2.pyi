import datetime

from candela.billing.v1 import invoice_pb2 as _invoice_pb2
from candela.type.v1 import money_pb2 as _money_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreditNoteUse(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_NOTE_USE_UNSPECIFIED: _ClassVar[CreditNoteUse]
    CREDIT_NOTE_USE_REDUCE_DUE: _ClassVar[CreditNoteUse]
    CREDIT_NOTE_USE_CREDIT_BALANCE: _ClassVar[CreditNoteUse]
    CREDIT_NOTE_USE_REFUND: _ClassVar[CreditNoteUse]

class CreditNoteReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CREDIT_NOTE_REASON_UNSPECIFIED: _ClassVar[CreditNoteReason]
    CREDIT_NOTE_REASON_DUPLICATE: _ClassVar[CreditNoteReason]
    CREDIT_NOTE_REASON_UNSATISFACTORY: _ClassVar[CreditNoteReason]
    CREDIT_NOTE_REASON_ORDER_CHANGE: _ClassVar[CreditNoteReason]
    CREDIT_NOTE_REASON_ORDER_CANCELLATION: _ClassVar[CreditNoteReason]
    CREDIT_NOTE_REASON_FRAUD: _ClassVar[CreditNoteReason]
    CREDIT_NOTE_REASON_OTHER: _ClassVar[CreditNoteReason]
CREDIT_NOTE_USE_UNSPECIFIED: CreditNoteUse
CREDIT_NOTE_USE_REDUCE_DUE: CreditNoteUse
CREDIT_NOTE_USE_CREDIT_BALANCE: CreditNoteUse
CREDIT_NOTE_USE_REFUND: CreditNoteUse
CREDIT_NOTE_REASON_UNSPECIFIED: CreditNoteReason
CREDIT_NOTE_REASON_DUPLICATE: CreditNoteReason
CREDIT_NOTE_REASON_UNSATISFACTORY: CreditNoteReason
CREDIT_NOTE_REASON_ORDER_CHANGE: CreditNoteReason
CREDIT_NOTE_REASON_ORDER_CANCELLATION: CreditNoteReason
CREDIT_NOTE_REASON_FRAUD: CreditNoteReason
CREDIT_NOTE_REASON_OTHER: CreditNoteReason

class CreditNote(_message.Message):
    __slots__ = ("id", "number", "invoice_id", "customer_id", "lines", "total", "use", "reason", "memo", "created_at", "subtotal", "taxes")
    ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    SUBTOTAL_FIELD_NUMBER: _ClassVar[int]
    TAXES_FIELD_NUMBER: _ClassVar[int]
    id: str
    number: str
    invoice_id: str
    customer_id: str
    lines: _containers.RepeatedCompositeFieldContainer[CreditNoteLine]
    total: _money_pb2.Money
    use: CreditNoteUse
    reason: CreditNoteReason
    memo: str
    created_at: _timestamp_pb2.Timestamp
    subtotal: _money_pb2.Money
    taxes: _containers.RepeatedCompositeFieldContainer[_invoice_pb2.TaxAmount]
    def __init__(self, id: _Optional[str] = ..., number: _Optional[str] = ..., invoice_id: _Optional[str] = ..., customer_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[CreditNoteLine, _Mapping]]] = ..., total: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., use: _Optional[_Union[CreditNoteUse, str]] = ..., reason: _Optional[_Union[CreditNoteReason, str]] = ..., memo: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., subtotal: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., taxes: _Optional[_Iterable[_Union[_invoice_pb2.TaxAmount, _Mapping]]] = ...) -> None: ...

class CreditNoteLine(_message.Message):
    __slots__ = ("invoice_line_id", "amount", "tax_amount")
    INVOICE_LINE_ID_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    TAX_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    invoice_line_id: str
    amount: _money_pb2.Money
    tax_amount: _money_pb2.Money
    def __init__(self, invoice_line_id: _Optional[str] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., tax_amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...
