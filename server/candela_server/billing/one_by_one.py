"""Does a piece of work for one after the other, each in a transaction of its own.

In real time one's failure is logged and stops no other; the next look tries it again. On a test clock nothing is passed
by: there the clock rests with the reason, and who moves it sees it at once. Where a failure is noted for the operator
and tried again ever more rarely, pass_by_failures.py does it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from candela_server.storage.postgres import Postgres, Tx

log = structlog.get_logger("candela.billing")

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
    count = 0
    for one in some:
        try:
            async with db.writing(merchant_id) as tx:
                count += await act(tx, one)
        except Exception as error:
            if not passes_by:
                raise
            log.error(failure, subject=one, exc_info=error)
    return count
