"""Does a piece of work for one after the other, so that one's failure stops no other.

In real time a failure is logged, and the next look tries it again. Where nothing may be passed by, as on a test clock,
which rests with the reason for whoever moves it, the failure is raised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

log = structlog.get_logger("candela.work")

_One = TypeVar("_One")


async def each_by_itself(
    some: Iterable[_One],
    act: Callable[[_One], Awaitable[int]],
    *,
    failure: str,
    passes_by: bool = True,
) -> int:
    """The sum of what `act` answers for each; `failure` is how it is logged that one failed."""
    count = 0
    for one in some:
        try:
            count += await act(one)
        except Exception as error:
            if not passes_by:
                raise
            log.error(failure, subject=one, exc_info=error)
    return count
