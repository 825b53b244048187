"""Whom one stream must look at next, and in which order (ENT-8).

First changed customers; then those that a change of the catalog may concern; those that are listed for the first
time; those whose usage moved or whose time passed; and, after a resumption, the rest, slowly, because usage moves
without leaving a trace. Only ids are kept, each once: however much changes, it never grows beyond who is watched.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

AT_ONCE = 16
"""Customers that one stream asks for at a time; a change that comes meanwhile waits for them."""
QUIET_AT_ONCE = 8
QUIET_PAUSE_S = 0.04
"""200 customers a second: a restart of the server must not make everybody load everything (fault 59)."""


@dataclass(slots=True)
class _Listing:
    """Customers to go through by id, after `after` and up to `to`.

    Quiet when the watcher knows them already; owed when something changed for them since.
    """

    after: str
    to: str | None
    quiet: bool
    owed: bool = False


class Agenda:
    """The customers that are still to be looked at."""

    def __init__(self, turn_page: Callable[[str], Awaitable[Sequence[str]]]) -> None:
        """Takes how to get the next ids after one, in order; none when there are no more."""
        self._turn_page = turn_page
        self._changed: dict[str, None] = {}
        self._swept: dict[str, None] = {}
        self._moved: dict[str, None] = {}
        self._listings: deque[_Listing] = deque()
        self._page: deque[str] = deque()
        self._quiet_at_s = 0.0
        self.listed_to: str | None = None
        """Up to whom the first listing was told; None when it was told to its end."""

    @property
    def told_all(self) -> bool:
        """Whether nothing is left to tell but how usage moved."""
        return (
            not self._changed
            and not self._swept
            and not any(not one.quiet for one in self._listings)
        )

    @property
    def told_changes(self) -> bool:
        """Whether every change that was marked is told; those not listed yet are told as they are then."""
        return not self._changed and not self._swept and not any(one.owed for one in self._listings)

    @property
    def is_listing(self) -> bool:
        """Whether a listing goes on, of whatever kind."""
        return bool(self._listings)

    @property
    def is_listing_quietly(self) -> bool:
        """Whether some may still be as they were before a resumption, usage aside."""
        return any(listing.quiet for listing in self._listings)

    def list_all(self) -> None:
        """Everybody is told for the first time."""
        self.listed_to = ""
        self._listings.append(_Listing("", None, quiet=False))

    def resume(self, listed_to: str | None) -> None:
        """Everybody up to `listed_to` is known to the watcher; None for everybody."""
        self.listed_to = listed_to
        if listed_to is not None:
            self._listings.append(_Listing(listed_to, None, quiet=False))
        self._listings.append(_Listing("", listed_to, quiet=True))

    def mark_changed(self, customer_ids: Iterable[str]) -> None:
        """Something changed for these."""
        self._changed.update((one, None) for one in customer_ids)

    def mark_moved(self, customer_id: str) -> None:
        """Usage moved, or time passed."""
        self._moved[customer_id] = None

    def sweep(self, customer_ids: Iterable[str]) -> None:
        """Something may have changed for these, and for all that are known and not listed yet."""
        self._swept.update((one, None) for one in customer_ids)
        for listing in self._listings:
            listing.owed = listing.owed or listing.quiet
            listing.quiet = False

    async def next(self) -> dict[str, bool]:
        """The next customers to look at, and whether the watcher knows each as it is, usage aside."""
        for marked in (self._changed, self._swept):
            if marked:
                return _taken(marked)
        if self._listings and not self._listings[0].quiet:
            if asked := await self._next_listed(AT_ONCE):
                return asked
            self._listings.popleft()
            self.listed_to = None
        if self._moved:
            return _taken(self._moved)
        if self.seconds_to_wait() == 0.0:
            self._quiet_at_s = self._now_s() + QUIET_PAUSE_S
            if asked := await self._next_listed(QUIET_AT_ONCE):
                return asked
            self._listings.popleft()
        return {}

    def was_told(self) -> None:
        """What `next` gave was told."""
        if self.listed_to is not None and self._listings and not self._listings[0].quiet:
            self.listed_to = self._listings[0].after

    def seconds_to_wait(self) -> float | None:
        """After how long the listing goes on; None without one."""
        return max(0.0, self._quiet_at_s - self._now_s()) if self._listings else None

    async def _next_listed(self, count: int) -> dict[str, bool]:
        listing = self._listings[0]
        if not self._page:
            page = await self._turn_page(listing.after)
            self._page.extend(one for one in page if listing.to is None or one <= listing.to)
        asked = {self._page.popleft(): listing.quiet for _ in range(min(count, len(self._page)))}
        if asked:
            listing.after = next(reversed(asked))
        return asked

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def _taken(marked: dict[str, None]) -> dict[str, bool]:
    """The first of the marked customers, without their marks."""
    taken = list(islice(marked, AT_ONCE))
    for one in taken:
        del marked[one]
    return dict.fromkeys(taken, False)
