"""Does a piece of billing for one after the other, each in a transaction of its own.

Where a failure is noted for the operator and tried again ever more rarely, pass_by_failures.py does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from candela_server.storage.each_by_itself import each_by_itself
from candela_server.storage.postgres import Postgres, Tx

_One = TypeVar("_One")


async def one_by_one(
    db: Postgres,
    merchant_id: str,
    some: Iterable[_One],
    act: Callable[[Tx, _One], Awaitable[int]],
    *,
    passes_by: bool,
    failure: str,
) -> int:
    """The sum of what `act` answers for each; `failure` is how it is logged that one failed."""

    async def act_apart(one: _One) -> int:
        async with db.writing(merchant_id) as tx:
            return await act(tx, one)

    return await each_by_itself(some, act_apart, failure=failure, passes_by=passes_by)
