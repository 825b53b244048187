"""Interval: the half-open span [start_at, end_at) that periods, windows and grants are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_NO_OFFSET = timedelta(0)


@dataclass(frozen=True, slots=True)
class Interval:
    """The instants from `start_at` on and before `end_at`, both aware UTC.

    Consecutive intervals touch without overlapping: the very end of one is the start of the next.
    """

    start_at: datetime
    end_at: datetime

    def __post_init__(self) -> None:
        # Identity first: nearly every datetime here carries this very object, and utcoffset() is
        # slow.
        if self.start_at.tzinfo is not UTC and self.start_at.utcoffset() != _NO_OFFSET:
            raise ValueError(f"start_at {self.start_at} is not in UTC")
        if self.end_at.tzinfo is not UTC and self.end_at.utcoffset() != _NO_OFFSET:
            raise ValueError(f"end_at {self.end_at} is not in UTC")
        if self.start_at >= self.end_at:
            raise ValueError(f"start_at {self.start_at} must be before end_at {self.end_at}")

    @property
    def duration(self) -> timedelta:
        """The elapsed time; across a daylight-saving change it is not a whole number of days."""
        return self.end_at - self.start_at

    def contains(self, instant: datetime) -> bool:
        """Whether `instant` lies inside: the start does, the end does not."""
        return self.start_at <= instant < self.end_at

    def overlaps(self, other: Interval) -> bool:
        """Whether some instant lies in both; touching spans share none."""
        return self.start_at < other.end_at and other.start_at < self.end_at

    def __str__(self) -> str:
        return f"[{self.start_at.isoformat()}, {self.end_at.isoformat()})"
