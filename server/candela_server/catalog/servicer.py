"""What this room's servicers have in common; each service has a file of its own."""

from __future__ import annotations

from typing import Any

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.page import PageRequest, TokenScope, read_page_request
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres


class Room:
    """What each servicer of this room holds."""

    def __init__(
        self, db: Postgres, mutations: Mutations, clock: Clock, page_secret: bytes
    ) -> None:
        """Takes what it reads from, writes through, and tells time by."""
        self._db = db
        self._mutations = mutations
        self._clock = clock
        self._page_secret = page_secret

    def page(
        self, list_name: str, request: Any, wanted: str = ""
    ) -> tuple[TokenScope, PageRequest]:
        """The list's token scope and the page that the request asks for; a token is bound to what was `wanted`."""
        scope = TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name=list_name,
            filter=wanted,
        )
        return scope, read_page_request(scope, request.page_size, request.page_token)


def position(item: Any) -> Any:
    """Where an item stands in a list: lists are ordered by created_at and id."""
    return item.created_at, item.id


def rest_after(items: list[Any], wanted: PageRequest) -> list[Any]:
    """The part of a short, whole list that the page asks for."""
    after = wanted.after
    rest = items if after is None else [item for item in items if position(item) > after]
    return rest[: wanted.fetch_limit]
