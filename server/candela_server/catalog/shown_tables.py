"""Public pricing tables under a crowd: a publishable key is public, so anybody may ask as often as they like (PUB-1).

A table is read from the database so many times a second, and those who ask meanwhile share that reading. Beyond that
everybody gets the copy of the last one, which is a fraction of a second old: a page that is visited by many, or
attacked, goes on being shown and costs PostgreSQL no more. What does not exist has no copy; asking for that so often
is refused. Visitors are not told apart: behind a proxy they have one address.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, Generic, TypeVar

from candela_server.kernel.errors import OverLimit

from .pricing_table import PricingTableNotFoundError

READINGS_PER_S: Final = 10
"""Of one table, and of what does not exist for one merchant; a process of its own each."""
MAX_COPIES: Final = 1_000
_MAX_BUDGETS: Final = 10_000

Shown = TypeVar("Shown")
"""A table as the public is shown it."""
Key = tuple[str, str]
"""Merchant and slug."""


class TooManyPublicReadsError(OverLimit):
    """Somebody asks for tables that do not exist, again and again."""

    def __init__(self) -> None:
        super().__init__(
            "too many requests for pricing tables that do not exist; check the slug",
            retry_after=timedelta(seconds=1),
            limit=READINGS_PER_S,
        )


class ShownTables(Generic[Shown]):
    """The copies of one process."""

    def __init__(self, read: Callable[[str, str], Awaitable[Shown]]) -> None:
        """Takes how a merchant's table is read; that raises PricingTableNotFoundError."""
        self._read = read
        self._copies: OrderedDict[Key, Shown] = OrderedDict()
        self._reading: dict[Key, asyncio.Task[Shown]] = {}
        self._budgets: OrderedDict[Key, _Budget] = OrderedDict()

    async def show(self, merchant_id: str, slug: str) -> Shown:
        """The table. Raises PricingTableNotFoundError and TooManyPublicReadsError."""
        key = (merchant_id, slug)
        reading = self._reading.get(key)
        if reading is None:
            copy = self._copies.get(key)
            # What is not there is paid for together, or new slugs would be new budgets.
            if not self._budget(key if copy is not None else (merchant_id, "")).take():
                if copy is None:
                    raise TooManyPublicReadsError
                return copy
            reading = self._reading[key] = asyncio.create_task(self._read_anew(key))
            reading.add_done_callback(_look_at)
        # Shielded: a visitor who leaves must not take the others' reading along.
        return await asyncio.shield(reading)

    async def _read_anew(self, key: Key) -> Shown:
        try:
            shown = await self._read(*key)
        except PricingTableNotFoundError:
            self._copies.pop(key, None)
            raise
        finally:
            del self._reading[key]
        self._copies[key] = shown
        self._copies.move_to_end(key)
        if len(self._copies) > MAX_COPIES:
            self._copies.popitem(last=False)
        return shown

    def _budget(self, key: Key) -> _Budget:
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = _Budget()
            if len(self._budgets) > _MAX_BUDGETS:
                self._budgets.popitem(last=False)
        return budget


class _Budget:
    """So many readings a second, a second's worth at once."""

    __slots__ = ("_at_s", "_left")

    def __init__(self) -> None:
        self._left = float(READINGS_PER_S)
        self._at_s = asyncio.get_running_loop().time()

    def take(self) -> bool:
        """Whether one more may be made now."""
        now_s = asyncio.get_running_loop().time()
        self._left = min(READINGS_PER_S, self._left + (now_s - self._at_s) * READINGS_PER_S)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


def _look_at(task: asyncio.Task[Any]) -> None:
    """So that a failure of which nobody waits to hear any more is no unhandled one."""
    if not task.cancelled():
        task.exception()
