"""What is left of a span of time when others are taken out of it."""

from __future__ import annotations

from collections.abc import Iterable

from candela_server.kernel.interval import Interval


def outside(span: Interval, others: Iterable[Interval]) -> list[Interval]:
    """The parts of a span that lie in none of the others, in order of time."""
    left = [span]
    for one in others:
        left = [
            Interval(start_at, end_at)
            for part in left
            for start_at, end_at in (
                (part.start_at, min(part.end_at, one.start_at)),
                (max(part.start_at, one.end_at), part.end_at),
            )
            if start_at < end_at
        ]
    return left
