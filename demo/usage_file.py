"""The demo's usage: a CSV that looks like a month of a small team's work, the same at every run.

Columns: idempotency_key, timestamp (UTC), user, event, value, model. Some keys come twice on purpose, as a sender that
retries would send them.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

SEED = 20260131
EVENT_COUNT = 24_000
REPEATED_SHARE = 0.02
PERIOD_START = datetime(2026, 1, 31, 15, 0, tzinfo=UTC)
PERIOD_END = datetime(2026, 2, 28, 15, 0, tzinfo=UTC)
USERS = ("ada", "grace", "katherine", "edsger", "barbara")
_ACTIVITY = (9, 6, 5, 3, 2)
_PREMIUM_SHARE = 0.06
_HALF_SHARE = 0.05
_OFFICE = ZoneInfo("America/New_York")
_COLUMNS = ("idempotency_key", "timestamp", "user", "event", "value", "model")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the file."""

    key: str
    timestamp: datetime
    user: str
    event: str
    value: Decimal
    model: str


def write_usage(path: Path) -> None:
    """Writes the file: in the order of time, with the repeated lines a little after their first."""
    chance = random.Random(SEED)
    rows = sorted((_row(chance, number) for number in range(EVENT_COUNT)), key=lambda row: row[1])
    lines: list[tuple[str, ...]] = []
    repeated: list[tuple[int, tuple[str, ...]]] = []
    for position, row in enumerate(rows):
        lines.append(row)
        if chance.random() < REPEATED_SHARE:
            repeated.append((position + chance.randrange(1, 400), row))
    for position, row in sorted(repeated, reverse=True):
        lines.insert(min(position, len(lines)), row)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(lines)


def read_usage(path: Path) -> Iterator[Row]:
    """The file's lines. Raises ValueError that names the line which cannot be read."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        missing = set(_COLUMNS) - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: the columns {', '.join(sorted(missing))} are missing")
        for line in reader:
            try:
                yield Row(
                    key=line["idempotency_key"],
                    timestamp=datetime.fromisoformat(line["timestamp"]).astimezone(UTC),
                    user=line["user"],
                    event=line["event"],
                    value=Decimal(line["value"]),
                    model=line["model"],
                )
            except (ValueError, ArithmeticError) as error:
                raise ValueError(f"{path}, line {reader.line_num}: {error}") from error


def _row(chance: random.Random, number: int) -> tuple[str, ...]:
    user = chance.choices(USERS, weights=_ACTIVITY)[0]
    premium = chance.random() < _PREMIUM_SHARE
    # A cheap message that is generated again counts half, so that sums are not whole numbers.
    value = "0.5" if not premium and chance.random() < _HALF_SHARE else "1"
    return (
        f"msg-{number:06d}-{chance.getrandbits(32):08x}",
        _instant(chance).isoformat(timespec="milliseconds"),
        user,
        "premium-message" if premium else "cheap-message",
        value,
        "grand" if premium else "petit",
    )


def _instant(chance: random.Random) -> datetime:
    while True:
        span_s = (PERIOD_END - PERIOD_START).total_seconds()
        instant = PERIOD_START + timedelta(milliseconds=int(chance.random() * span_s * 1000))
        local = instant.astimezone(_OFFICE)
        busy = 0.15 if local.weekday() >= 5 else 1.0
        busy *= 1.0 if 9 <= local.hour < 18 else 0.25 if 7 <= local.hour < 23 else 0.03
        if chance.random() < busy:
            return instant
