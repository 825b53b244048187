import datetime

from candela.billing.v1 import credit_note_pb2 as _credit_note_pb2
from candela.billing.v1 import invoice_pb2 as _invoice_pb2
from candela.subscription.v1 import subscription_change_pb2 as _subscription_change_pb2
from candela.subscription.v1 import subscription_service_pb2 as _subscription_service_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PreviewNextInvoiceRequest(_message.Message):
    __slots__ = ("subscription_id",)
    SUBSCRIPTION_ID_FIELD_NUMBER: _ClassVar[int]
    subscription_id: str
    def __init__(self, subscription_id: _Optional[str] = ...) -> None: ...

class PreviewNextInvoiceResponse(_message.Message):
    __slots__ = ("invoice", "credit_notes")
    INVOICE_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTES_FIELD_NUMBER: _ClassVar[int]
    invoice: _invoice_pb2.Invoice
    credit_notes: _containers.RepeatedCompositeFieldContainer[_credit_note_pb2.CreditNote]
    def __init__(self, invoice: _Optional[_Union[_invoice_pb2.Invoice, _Mapping]] = ..., credit_notes: _Optional[_Iterable[_Union[_credit_note_pb2.CreditNote, _Mapping]]] = ...) -> None: ...

class PreviewSubscriptionChangeRequest(_message.Message):
    __slots__ = ("create_subscription", "change_plan", "override_price", "change_quantity", "swap_component", "pause_subscription", "resume_subscription", "cancel_subscription", "reactivate_subscription", "undo_cancellation")
    CREATE_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CHANGE_PLAN_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_PRICE_FIELD_NUMBER: _ClassVar[int]
    CHANGE_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SWAP_COMPONENT_FIELD_NUMBER: _ClassVar[int]
    PAUSE_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RESUME_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CANCEL_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REACTIVATE_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    UNDO_CANCELLATION_FIELD_NUMBER: _ClassVar[int]
    create_subscription: _subscription_service_pb2.CreateSubscriptionRequest
    change_plan: _subscription_change_pb2.ChangePlanRequest
    override_price: _subscription_change_pb2.OverridePriceRequest
    change_quantity: _subscription_change_pb2.ChangeQuantityRequest
    swap_component: _subscription_change_pb2.SwapComponentRequest
    pause_subscription: _subscription_change_pb2.PauseSubscriptionRequest
    resume_subscription: _subscription_change_pb2.ResumeSubscriptionRequest
    cancel_subscription: _subscription_change_pb2.CancelSubscriptionRequest
    reactivate_subscription: _subscription_change_pb2.ReactivateSubscriptionRequest
    undo_cancellation: _subscription_change_pb2.UndoCancellationRequest
    def __init__(self, create_subscription: _Optional[_Union[_subscription_service_pb2.CreateSubscriptionRequest, _Mapping]] = ..., change_plan: _Optional[_Union[_subscription_change_pb2.ChangePlanRequest, _Mapping]] = ..., override_price: _Optional[_Union[_subscription_change_pb2.OverridePriceRequest, _Mapping]] = ..., change_quantity: _Optional[_Union[_subscription_change_pb2.ChangeQuantityRequest, _Mapping]] = ..., swap_component: _Optional[_Union[_subscription_change_pb2.SwapComponentRequest, _Mapping]] = ..., pause_subscription: _Optional[_Union[_subscription_change_pb2.PauseSubscriptionRequest, _Mapping]] = ..., resume_subscription: _Optional[_Union[_subscription_change_pb2.ResumeSubscriptionRequest, _Mapping]] = ..., cancel_subscription: _Optional[_Union[_subscription_change_pb2.CancelSubscriptionRequest, _Mapping]] = ..., reactivate_subscription: _Optional[_Union[_subscription_change_pb2.ReactivateSubscriptionRequest, _Mapping]] = ..., undo_cancellation: _Optional[_Union[_subscription_change_pb2.UndoCancellationRequest, _Mapping]] = ...) -> None: ...

class PreviewSubscriptionChangeResponse(_message.Message):
    __slots__ = ("invoices", "next_invoice", "preview_token", "expires_at", "credit_notes")
    INVOICES_FIELD_NUMBER: _ClassVar[int]
    NEXT_INVOICE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    CREDIT_NOTES_FIELD_NUMBER: _ClassVar[int]
    invoices: _containers.RepeatedCompositeFieldContainer[_invoice_pb2.Invoice]
    next_invoice: _invoice_pb2.Invoice
    preview_token: str
    expires_at: _timestamp_pb2.Timestamp
    credit_notes: _containers.RepeatedCompositeFieldContainer[_credit_note_pb2.CreditNote]
    def __init__(self, invoices: _Optional[_Iterable[_Union[_invoice_pb2.Invoice, _Mapping]]] = ..., next_invoice: _Optional[_Union[_invoice_pb2.Invoice, _Mapping]] = ..., preview_token: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., credit_notes: _Optional[_Iterable[_Union[_credit_note_pb2.CreditNote, _Mapping]]] = ...) -> None: ...
