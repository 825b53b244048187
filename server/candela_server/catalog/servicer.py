"""What this room's servicers have in common; each service has a file of its own."""

from __future__ import annotations

from typing import Any

from candela_server.kernel.page import PageRequest
from candela_server.storage.room import position


def rest_after(items: list[Any], wanted: PageRequest) -> list[Any]:
    """The part of a short, whole list that the page asks for."""
    after = wanted.after
    rest = items if after is None else [item for item in items if position(item) > after]
    return rest[: wanted.fetch_limit]
