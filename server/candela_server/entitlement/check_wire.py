"""Checks as the wire has them, cut and joined without messages in between. Data plane: see quick_check.py."""

from __future__ import annotations

from typing import Final

from candela.entitlement.v1 import entitlement_service_pb2 as pb

_TAG_1: Final = 0x0A
_MAX_SHIFT: Final = 28


def questions_in(request: bytes) -> list[bytes]:
    """The bytes of each CheckRequest of a CheckManyRequest. Raises DecodeError.

    They are cut out instead of parsed: a question that was asked before is known by its bytes. A request with anything
    else in it, as a later contract may have, is parsed.
    """
    found: list[bytes] = []
    place, end = 0, len(request)
    while place < end:
        if request[place] != _TAG_1 or place + 1 == end:
            return _parsed(request)
        place += 1
        length = request[place]
        if length >= 0x80:  # longer than most questions are
            length &= 0x7F
            shift = 7
            while True:
                place += 1
                if place >= end or shift > _MAX_SHIFT:
                    return _parsed(request)
                byte = request[place]
                length |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
        begin = place + 1
        place = begin + length
        if place > end:
            return _parsed(request)
        found.append(request[begin:place])
    return found


def _parsed(request: bytes) -> list[bytes]:
    return [one.SerializeToString() for one in pb.CheckManyRequest.FromString(request).checks]


def response_item(response: bytes) -> bytes:
    """A CheckResponse as an element of a CheckManyResponse."""
    return field_1(field_1(response))


def field_1(message: bytes) -> bytes:
    """A message as the field 1 of another, as the wire has it: tag, length, bytes."""
    length, encoded = len(message), bytearray(b"\x0a")
    while length > 0x7F:
        encoded.append(length & 0x7F | 0x80)
        length >>= 7
    encoded.append(length)
    return bytes(encoded) + message
