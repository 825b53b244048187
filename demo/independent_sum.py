"""What the invoice must say, added up from the CSV alone: nothing of Candela is imported here.

The first line of a key counts and later ones do not. A sum stands for each kind of message; what is beyond the
included amount costs its overage price; seats are charged for the coming month.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

SEATS = 5
SEAT_PRICE = Decimal("30.00")
INCLUDED_PER_SEAT = {"premium-message": Decimal(100), "cheap-message": Decimal(1000)}
OVERAGE_PRICE = {"premium-message": Decimal("0.20"), "cheap-message": Decimal("0.02")}
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Expected:
    """The independent account of one file."""

    used: dict[str, Decimal]
    overage: dict[str, Decimal]
    distinct_keys: int
    lines: int
    total: Decimal


def add_up(path: Path) -> Expected:
    """Adds the file up, with the standard library only."""
    used = dict.fromkeys(OVERAGE_PRICE, Decimal(0))
    seen: set[str] = set()
    lines = 0
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            lines += 1
            if line["idempotency_key"] in seen:
                continue
            seen.add(line["idempotency_key"])
            if line["event"] in used:
                used[line["event"]] += Decimal(line["value"])
    total = SEATS * SEAT_PRICE
    overage = {}
    for event, amount in used.items():
        included = INCLUDED_PER_SEAT[event] * SEATS
        overage[event] = max(amount - included, Decimal(0))
        gross = (amount * OVERAGE_PRICE[event]).quantize(_CENT, ROUND_HALF_UP)
        within = min(amount, included)
        total += gross - (within * OVERAGE_PRICE[event]).quantize(_CENT, ROUND_HALF_UP)
    return Expected(used=used, overage=overage, distinct_keys=len(seen), lines=lines, total=total)
