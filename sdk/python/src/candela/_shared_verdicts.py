"""Yes or no by slug, kept once for all who hold the same.

Customers of one plan mostly do, and a look-up is nearly twice as fast where the mapping that it reads is in the
processor's cache, because others read it too.
"""

from __future__ import annotations

from collections.abc import Iterable

Verdicts = dict[str, bool]
"""Yes or no by slug. Shared: never changed, only replaced."""


class SharedVerdicts:
    """The mappings in use, found by what they hold."""

    def __init__(self) -> None:
        """Begins with none."""
        self._known: dict[frozenset[tuple[str, bool]], Verdicts] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._known)

    def share(self, verdicts: Iterable[tuple[str, bool]], *, holders: int) -> Verdicts:
        """The one mapping of these verdicts; `holders` hold one or two each, so that more need not be kept."""
        content = frozenset(verdicts)
        shared = self._known.get(content)
        if shared is None:
            if len(self._known) > 2 * holders:
                # Most are of yesterday. Who holds one keeps it; it is only not found any more.
                self._known.clear()
            shared = self._known[content] = dict(content)
        return shared
