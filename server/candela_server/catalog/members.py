"""Between an enum of the contract and one of the model; shared by this room's wires."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

_Member = TypeVar("_Member", bound=Enum)


def member_named(members: Mapping[_Member, int], value: int) -> _Member:
    """The member that the contract's number stands for. Raises ValueError."""
    for member, number in members.items():
        if number == value:
            return member
    names = ", ".join(str(member.name) for member in members)
    raise ValueError(f"must be one of {names}")
