"""Numbering schemes, between the contract and the model; nothing here decides."""

from __future__ import annotations

from typing import Final

from candela.merchant.v1 import merchant_pb2

from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.read_fields import whole_number

from .numbering import NumberingChange, NumberingReset, NumberingScheme

_MAX_DIGITS: Final = 12

_RESETS = {
    NumberingReset.NEVER: merchant_pb2.NUMBERING_RESET_NEVER,
    NumberingReset.YEARLY: merchant_pb2.NUMBERING_RESET_YEARLY,
}


def numbering_from_proto(scheme: merchant_pb2.NumberingScheme) -> NumberingChange:
    """What an update changes of a scheme. Raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        return NumberingChange(
            digits=fields.read_given(scheme, "digits", whole_number(1, _MAX_DIGITS)),
            reset=fields.read("reset", _reset, scheme.reset),
            next_number=fields.read_given(
                scheme, "next_number", whole_number(1, 10**_MAX_DIGITS - 1)
            ),
        )


def numbering_to_proto(scheme: NumberingScheme, next_number: int) -> merchant_pb2.NumberingScheme:
    """The scheme as the contract shows it."""
    return merchant_pb2.NumberingScheme(
        digits=scheme.digits, reset=_RESETS[scheme.reset], next_number=next_number
    )


def _reset(value: int) -> NumberingReset | None:
    for reset, number in _RESETS.items():
        if number == value:
            return reset
    if value == merchant_pb2.NUMBERING_RESET_UNSPECIFIED:
        return None
    raise ValueError("must be NEVER or YEARLY")
