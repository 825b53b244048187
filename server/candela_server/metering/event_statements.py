"""A merchant's transaction that touches raw events: statements with named parameters, for both drivers.

Corrections run in the mutation's own transaction, so that the fact, its audit entry and the rollups are one; raw
events are another role's, which `as_events` takes for some statements. What a preview runs as well is written once,
for a transaction of either driver.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

from candela_server.storage.events import Connection
from candela_server.storage.postgres import Tx

Values: TypeAlias = tuple[Any, ...]


class Statements(Protocol):
    """A transaction that may read events; parameters are named, as %(name)s."""

    async def fetch(self, sql: str, parameters: Mapping[str, Any]) -> list[Values]:
        """The rows."""
        ...


class ReadingStatements:
    """Statements of the event store's own connection."""

    def __init__(self, connection: Connection) -> None:
        """Takes the connection, in a transaction."""
        self._connection = connection

    async def fetch(self, sql: str, parameters: Mapping[str, Any]) -> list[Values]:
        """The rows."""
        cursor = await self._connection.execute(sql, parameters)
        return await cursor.fetchall()


class WritingStatements:
    """Statements of a merchant's transaction, as candela_events for a while."""

    def __init__(self, tx: Tx) -> None:
        """Made by `as_events` only."""
        self._tx = tx
        self.merchant_id = tx.merchant_id

    async def fetch(self, sql: str, parameters: Mapping[str, Any]) -> list[Values]:
        """The rows."""
        text, names = _numbered(sql)
        rows = await self._tx.fetch(text, *[parameters[name] for name in names])
        return [tuple(row.values()) for row in rows]

    async def execute(self, sql: str, parameters: Mapping[str, Any]) -> int:
        """Runs a statement and returns how many rows it touched."""
        text, names = _numbered(sql)
        return await self._tx.execute(text, *[parameters[name] for name in names])


@asynccontextmanager
async def as_events(tx: Tx) -> AsyncIterator[WritingStatements]:
    """The transaction as candela_events, which alone may touch raw events and which no wall holds back.

    An error ends the transaction, and the role with it.
    """
    await tx.execute("SET LOCAL ROLE candela_events")
    yield WritingStatements(tx)
    await tx.execute("SET LOCAL ROLE candela_app")


_NAME = re.compile(r"%\((\w+)\)s")


@lru_cache(maxsize=1000)
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with numbered parameters in place of named ones, and the names in order."""
    names: list[str] = []

    def number(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _NAME.sub(number, sql), tuple(names)
