from candela.billing.v1 import credit_note_pb2 as _credit_note_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PreviewCreditNoteRequest(_message.Message):
    __slots__ = ("invoice_id", "lines", "use", "reason", "memo")
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    invoice_id: str
    lines: _containers.RepeatedCompositeFieldContainer[_credit_note_pb2.CreditNoteLine]
    use: _credit_note_pb2.CreditNoteUse
    reason: _credit_note_pb2.CreditNoteReason
    memo: str
    def __init__(self, invoice_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[_credit_note_pb2.CreditNoteLine, _Mapping]]] = ..., use: _Optional[_Union[_credit_note_pb2.CreditNoteUse, str]] = ..., reason: _Optional[_Union[_credit_note_pb2.CreditNoteReason, str]] = ..., memo: _Optional[str] = ...) -> None: ...

class PreviewCreditNoteResponse(_message.Message):
    __slots__ = ("credit_note",)
    CREDIT_NOTE_FIELD_NUMBER: _ClassVar[int]
    credit_note: _credit_note_pb2.CreditNote
    def __init__(self, credit_note: _Optional[_Union[_credit_note_pb2.CreditNote, _Mapping]] = ...) -> None: ...

class CreateCreditNoteRequest(_message.Message):
    __slots__ = ("idempotency_key", "invoice_id", "lines", "use", "reason", "memo")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    LINES_FIELD_NUMBER: _ClassVar[int]
    USE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MEMO_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    invoice_id: str
    lines: _containers.RepeatedCompositeFieldContainer[_credit_note_pb2.CreditNoteLine]
    use: _credit_note_pb2.CreditNoteUse
    reason: _credit_note_pb2.CreditNoteReason
    memo: str
    def __init__(self, idempotency_key: _Optional[str] = ..., invoice_id: _Optional[str] = ..., lines: _Optional[_Iterable[_Union[_credit_note_pb2.CreditNoteLine, _Mapping]]] = ..., use: _Optional[_Union[_credit_note_pb2.CreditNoteUse, str]] = ..., reason: _Optional[_Union[_credit_note_pb2.CreditNoteReason, str]] = ..., memo: _Optional[str] = ...) -> None: ...

class CreateCreditNoteResponse(_message.Message):
    __slots__ = ("credit_note",)
    CREDIT_NOTE_FIELD_NUMBER: _ClassVar[int]
    credit_note: _credit_note_pb2.CreditNote
    def __init__(self, credit_note: _Optional[_Union[_credit_note_pb2.CreditNote, _Mapping]] = ...) -> None: ...

class GetCreditNoteRequest(_message.Message):
    __slots__ = ("credit_note_id",)
    CREDIT_NOTE_ID_FIELD_NUMBER: _ClassVar[int]
    credit_note_id: str
    def __init__(self, credit_note_id: _Optional[str] = ...) -> None: ...

class GetCreditNoteResponse(_message.Message):
    __slots__ = ("credit_note",)
    CREDIT_NOTE_FIELD_NUMBER: _ClassVar[int]
    credit_note: _credit_note_pb2.CreditNote
    def __init__(self, credit_note: _Optional[_Union[_credit_note_pb2.CreditNote, _Mapping]] = ...) -> None: ...

class ListCreditNotesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "invoice_id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INVOICE_ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    invoice_id: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., invoice_id: _Optional[str] = ...) -> None: ...

class ListCreditNotesResponse(_message.Message):
    __slots__ = ("credit_notes", "next_page_token")
    CREDIT_NOTES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    credit_notes: _containers.RepeatedCompositeFieldContainer[_credit_note_pb2.CreditNote]
    next_page_token: str
    def __init__(self, credit_notes: _Optional[_Iterable[_Union[_credit_note_pb2.CreditNote, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
