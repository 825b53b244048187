import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DunningEnd(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DUNNING_END_UNSPECIFIED: _ClassVar[DunningEnd]
    DUNNING_END_CANCEL: _ClassVar[DunningEnd]
    DUNNING_END_KEEP_PAST_DUE: _ClassVar[DunningEnd]
    DUNNING_END_WRITE_OFF: _ClassVar[DunningEnd]
DUNNING_END_UNSPECIFIED: DunningEnd
DUNNING_END_CANCEL: DunningEnd
DUNNING_END_KEEP_PAST_DUE: DunningEnd
DUNNING_END_WRITE_OFF: DunningEnd

class DunningPolicy(_message.Message):
    __slots__ = ("retry_delays", "then")
    RETRY_DELAYS_FIELD_NUMBER: _ClassVar[int]
    THEN_FIELD_NUMBER: _ClassVar[int]
    retry_delays: _containers.RepeatedCompositeFieldContainer[_duration_pb2.Duration]
    then: DunningEnd
    def __init__(self, retry_delays: _Optional[_Iterable[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]]] = ..., then: _Optional[_Union[DunningEnd, str]] = ...) -> None: ...
