"""Between the kernel's values and candela.type.v1; one place, so that money is written the same way everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from candela.type.v1 import interval_pb2, item_error_pb2, money_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from candela_server.kernel import read_fields
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.interval import Interval
from candela_server.kernel.money import Money, format_decimal
from candela_server.kernel.reason import Reason

_Status = TypeVar("_Status")


def timestamp_to_proto(instant: datetime) -> Timestamp:
    """The instant, to the microsecond."""
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


def optional_timestamp_to_proto(instant: datetime | None) -> Timestamp | None:
    """The instant, or None, which leaves a message field absent."""
    return None if instant is None else timestamp_to_proto(instant)


def money_to_proto(money: Money) -> money_pb2.Money:
    """The amount as a plain decimal in major units."""
    return money_pb2.Money(currency=money.currency, amount=format_decimal(money.amount))


def interval_to_proto(interval: Interval) -> interval_pb2.Interval:
    """The span, end exclusive."""
    return interval_pb2.Interval(
        start_at=timestamp_to_proto(interval.start_at), end_at=timestamp_to_proto(interval.end_at)
    )


def interval_from_proto(interval: interval_pb2.Interval) -> Interval:
    """The span. Raises ValueError when an end is missing or the order is wrong."""
    if not interval.HasField("start_at") or not interval.HasField("end_at"):
        raise ValueError("needs both start_at and end_at")
    return Interval(
        start_at=read_fields.instant(interval.start_at), end_at=read_fields.instant(interval.end_at)
    )


def item_error_to_proto(
    index: int, reason: Reason, field: str, message: str
) -> item_error_pb2.ItemError:
    """Why one item of a batch was refused."""
    return item_error_pb2.ItemError(
        index=index,
        reason=reason.value,
        field=field,
        message=message,
    )


def states_from_proto(values: Sequence[int], numbers: Mapping[_Status, int]) -> list[_Status]:
    """The states that a list asks for in `statuses`; `numbers` says what the contract calls each.

    Raises InvalidInput.
    """
    known = {int(number): status for status, number in numbers.items()}
    with FieldViolations() as fields:
        for index, value in enumerate(values):
            if value not in known:
                fields.add(f"statuses[{index}]", "must be a state")
        return [known[value] for value in values]
