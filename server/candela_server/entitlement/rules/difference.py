"""What to send of a customer, given what was sent before: nothing, the difference, or everything (ENT-8).

What was sent is remembered as one 64-bit print per feature, not as answers: eight bytes each, beside a tuple of slugs
that all customers of a catalog share.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

WHOLE_FROM_SHARE = 2
"""Where one in so many answers changed, the whole is as short to say, and needs no state to be understood."""
WHOLE_FROM_COUNT = 4
"""Fewer changed answers than this are always sent as a difference."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a watcher holds of one customer: the people's print, and a print of each answer by slug.

    It was so at `revision`. `told_revision` is the one that the watcher knows it by, from which a difference must be
    told: an older one when nothing differed since, and None when an earlier stream told it.
    """

    revision: int
    told_revision: int | None
    people_print: int
    slugs: tuple[str, ...]
    prints: array[int]


@dataclass(frozen=True, slots=True)
class Difference:
    """Which answers to send again (positions in the new list), and which slugs are gone."""

    changed: tuple[int, ...]
    removed: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether the watcher holds it all."""
        return not self.changed and not self.removed


def prints_of(answers: Sequence[bytes]) -> array[int]:
    """The prints of answers, in their order. Good inside this process only: it is Python's own hash of bytes."""
    return array("q", map(hash, answers))


def difference(sent: Sent | None, now: Sent) -> Difference | None:
    """What the watcher lacks; None when it should get everything.

    That is so for a customer it does not know, when users changed, for which a difference has no words, and when so
    much changed that everything is hardly longer.
    """
    if sent is None or sent.people_print != now.people_print:
        return None
    if sent.slugs is now.slugs or sent.slugs == now.slugs:
        changed = tuple(
            index
            for index, (before, after) in enumerate(zip(sent.prints, now.prints, strict=True))
            if before != after
        )
        removed: tuple[str, ...] = ()
    else:
        held = dict(zip(sent.slugs, sent.prints, strict=True))
        changed = tuple(
            index
            for index, (slug, after) in enumerate(zip(now.slugs, now.prints, strict=True))
            if held.pop(slug, None) != after
        )
        removed = tuple(held)
    if len(changed) >= WHOLE_FROM_COUNT and len(changed) * WHOLE_FROM_SHARE > len(now.slugs):
        return None
    return Difference(changed, removed)
