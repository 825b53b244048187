from candela.customer.v1 import customer_pb2 as _customer_pb2
from candela.payment.v1 import payment_method_pb2 as _payment_method_pb2
from candela.payment.v1 import provider_pb2 as _provider_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreatePaymentMethodRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer", "provider", "provider_reference")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer: _customer_pb2.CustomerRef
    provider: _provider_pb2.Provider
    provider_reference: str
    def __init__(self, idempotency_key: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., provider: _Optional[_Union[_provider_pb2.Provider, str]] = ..., provider_reference: _Optional[str] = ...) -> None: ...

class CreatePaymentMethodResponse(_message.Message):
    __slots__ = ("payment_method",)
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    payment_method: _payment_method_pb2.PaymentMethod
    def __init__(self, payment_method: _Optional[_Union[_payment_method_pb2.PaymentMethod, _Mapping]] = ...) -> None: ...

class StartPaymentMethodSetupRequest(_message.Message):
    __slots__ = ("idempotency_key", "customer", "provider", "return_url")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    RETURN_URL_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    customer: _customer_pb2.CustomerRef
    provider: _provider_pb2.Provider
    return_url: str
    def __init__(self, idempotency_key: _Optional[str] = ..., customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., provider: _Optional[_Union[_provider_pb2.Provider, str]] = ..., return_url: _Optional[str] = ...) -> None: ...

class StartPaymentMethodSetupResponse(_message.Message):
    __slots__ = ("url", "provider_secret")
    URL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_SECRET_FIELD_NUMBER: _ClassVar[int]
    url: str
    provider_secret: str
    def __init__(self, url: _Optional[str] = ..., provider_secret: _Optional[str] = ...) -> None: ...

class ListPaymentMethodsRequest(_message.Message):
    __slots__ = ("customer", "page_size", "page_token")
    CUSTOMER_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    customer: _customer_pb2.CustomerRef
    page_size: int
    page_token: str
    def __init__(self, customer: _Optional[_Union[_customer_pb2.CustomerRef, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPaymentMethodsResponse(_message.Message):
    __slots__ = ("payment_methods", "next_page_token")
    PAYMENT_METHODS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    payment_methods: _containers.RepeatedCompositeFieldContainer[_payment_method_pb2.PaymentMethod]
    next_page_token: str
    def __init__(self, payment_methods: _Optional[_Iterable[_Union[_payment_method_pb2.PaymentMethod, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdatePaymentMethodRequest(_message.Message):
    __slots__ = ("idempotency_key", "payment_method_id", "position")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_ID_FIELD_NUMBER: _ClassVar[int]
    POSITION_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    payment_method_id: str
    position: int
    def __init__(self, idempotency_key: _Optional[str] = ..., payment_method_id: _Optional[str] = ..., position: _Optional[int] = ...) -> None: ...

class UpdatePaymentMethodResponse(_message.Message):
    __slots__ = ("payment_method",)
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    payment_method: _payment_method_pb2.PaymentMethod
    def __init__(self, payment_method: _Optional[_Union[_payment_method_pb2.PaymentMethod, _Mapping]] = ...) -> None: ...

class DetachPaymentMethodRequest(_message.Message):
    __slots__ = ("idempotency_key", "payment_method_id")
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    PAYMENT_METHOD_ID_FIELD_NUMBER: _ClassVar[int]
    idempotency_key: str
    payment_method_id: str
    def __init__(self, idempotency_key: _Optional[str] = ..., payment_method_id: _Optional[str] = ...) -> None: ...

class DetachPaymentMethodResponse(_message.Message):
    __slots__ = ("payment_method",)
    PAYMENT_METHOD_FIELD_NUMBER: _ClassVar[int]
    payment_method: _payment_method_pb2.PaymentMethod
    def __init__(self, payment_method: _Optional[_Union[_payment_method_pb2.PaymentMethod, _Mapping]] = ...) -> None: ...
