"""Up to where a stream has told everything, and the token that says so (ENT-8)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from candela_server.kernel.clock import Clock

from .rules.resume_token import Point, Watched, encode_point

# A token is made anew so often, so that its age is counted from nearly when it was sent.
_TOKEN_S = 60.0
_NEVER = datetime.max.replace(tzinfo=UTC)


class Progress:
    """What the next resume token says."""

    def __init__(self, watched: Watched, clock: Clock) -> None:
        """Takes what tokens are bound to."""
        self._watched = watched
        self._clock = clock
        # When time alone changes what was sent of a customer; of those without metered features, and few have any.
        self._boundaries: dict[str, datetime] = {}
        self._first_boundary: datetime | None = None
        self._before: datetime | None = None
        self._token = ""
        self._token_of: Point | None = None
        self._token_until_s = 0.0
        self.complete_to = 0
        """Every change with a smaller xid was told."""

    def resume(self, point: Point) -> None:
        """Goes on from an earlier stream."""
        self.complete_to = point.revision
        self._before = point.unmoved_until

    def note(self, customer_id: str, boundary: datetime | None) -> None:
        """A customer was told, and time alone changes it at this instant; None for never, or for usage anyway."""
        if boundary is None:
            self._boundaries.pop(customer_id, None)
            return
        self._boundaries[customer_id] = boundary
        self._first_boundary = min(self._first_boundary or _NEVER, boundary)

    def time_passed(self) -> bool:
        """Whether time alone may have changed a customer since the earlier stream told of it."""
        return self._before is not None and self._before <= self._clock.now()

    def is_ahead(self, listed_to: str | None, *, some_untold: bool) -> bool:
        """Whether a token would say more now than the last one."""
        return self._token_of != self._point(listed_to, some_untold)

    def token(self, listed_to: str | None, *, some_untold: bool) -> str:
        """The token that continues here.

        `listed_to` is how far the first listing went; some are untold when they are only known from an earlier stream.
        """
        point, now_s = self._point(listed_to, some_untold), asyncio.get_running_loop().time()
        if self._token_of != point or now_s >= self._token_until_s:
            self._token = encode_point(self._watched, point, self._clock.now())
            self._token_of, self._token_until_s = point, now_s + _TOKEN_S
        return self._token

    def _point(self, listed_to: str | None, some_untold: bool) -> Point:
        first = self._first_boundary
        if first is not None and first <= self._clock.now():
            # It may be that of a customer who was told anew since.
            first = self._first_boundary = min(self._boundaries.values(), default=None)
        if some_untold and self._before is not None:
            first = min(first or _NEVER, self._before)
        return Point(revision=self.complete_to, listed_to=listed_to, unmoved_until=first)
