"""What a servicer holds that reads, changes and lists a merchant's things; each service has a file of its own."""

from __future__ import annotations

from typing import Any

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.page import PageRequest, TokenScope, read_page_request

from .mutation import Mutations
from .postgres import Postgres


class Room:
    """A servicer's means."""

    def __init__(
        self, db: Postgres, mutations: Mutations, clock: Clock, page_secret: bytes
    ) -> None:
        """Takes what it reads from, writes through, tells time by, and signs page tokens with."""
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
