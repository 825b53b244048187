"""How many seats are in use: the most that were held at one time (SEAT-4)."""

from __future__ import annotations

from collections.abc import Sequence

from candela_server.subscription.seat import Seat


def seats_in_use(seats: Sequence[Seat]) -> int:
    """The most of these seats that were held at once: one that passes from a user to another counts once."""
    steps = [(seat.assigned_at, 1) for seat in seats]
    steps += [(seat.released_at, -1) for seat in seats if seat.released_at is not None]
    held = most = 0
    # At one instant, what is released is free for whoever comes.
    for _, step in sorted(steps):
        held += step
        most = max(most, held)
    return most
