"""What one process watches of a merchant: the streams, and what is known of the customers they name (ENT-8)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from .watch import WatchStream


@dataclass(slots=True)
class KnownCustomer:
    """What is known of a watched customer: when time changes it, and its usage when it was last read."""

    valid_until: datetime | None
    used_print: int | None


@dataclass(slots=True)
class WatchedMerchant:
    """What is watched of one merchant.

    Changes from `since` on are still to be looked for; the usage of those in `turn` is read next.
    """

    streams: set[WatchStream] = field(default_factory=set)
    known: dict[str, KnownCustomer] = field(default_factory=dict)
    since: int | None = None
    turn: deque[str] = field(default_factory=deque)

    def next_turn(self) -> deque[str]:
        """Those whose usage is read next; everybody with metered features once the last turn is over."""
        if not self.turn:
            self.turn.extend(
                one for one, known in self.known.items() if known.used_print is not None
            )
        return self.turn

    def take_print(self, customer_id: str, used_print: int) -> bool:
        """Remembers how the usage of a customer reads now; answers whether it moved."""
        known = self.known.get(customer_id)
        if known is None or known.used_print == used_print:
            return False
        known.used_print = used_print
        return True
