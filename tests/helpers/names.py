"""Names that no other test of the session has, and that are the same in every run.

Never by chance: of some thousand random names, one reads like a number, a card or somebody's key sooner or later.
"""

from __future__ import annotations

from itertools import count

_numbers = count(1)


def fresh(kind: str) -> str:
    """A name of its own: "user-17"."""
    return f"{kind}-{next(_numbers)}"
