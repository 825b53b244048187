"""Quarter-hours: how instants fall into them, and how a window is made of whole ones and cut ones.

Every zone in use today is a multiple of 15 minutes off UTC, so the days of every time zone are whole quarter-hours.
Hourly buckets would be wrong in Kathmandu.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from candela_server.kernel.interval import Interval
from candela_server.metering.model import BucketSize

BUCKET = timedelta(minutes=15)
BUCKET_US = 900_000_000

MAX_BUCKETS = 1000
"""Buckets that one query may cut a window into."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class TooManyBucketsError(ValueError):
    """A window has more than MAX_BUCKETS buckets of the wanted size."""


@dataclass(frozen=True, slots=True)
class Split:
    """A window as the whole quarter-hours inside it and the parts of quarter-hours at its ends.

    Together they are the window, without gap or overlap; `whole` is None when no quarter-hour fits.
    """

    whole: Interval | None
    edges: tuple[Interval, ...]


def to_microseconds(instant: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The instant so many microseconds after 1970, exactly."""
    return _EPOCH + timedelta(microseconds=microseconds)


def bucket_start(instant: datetime) -> datetime:
    """The start of the quarter-hour that an instant lies in."""
    instant_us = to_microseconds(instant)
    return from_microseconds(instant_us - instant_us % BUCKET_US)


def split(window: Interval) -> Split:
    """Cuts a window at the first and last border of quarter-hours inside it."""
    start_us = to_microseconds(window.start_at)
    end_us = to_microseconds(window.end_at)
    first_us = -(-start_us // BUCKET_US) * BUCKET_US
    last_us = end_us // BUCKET_US * BUCKET_US
    if first_us > last_us:  # the window lies inside one quarter-hour
        return Split(None, (window,))
    first_at, last_at = from_microseconds(first_us), from_microseconds(last_us)
    edges: list[Interval] = []
    if start_us < first_us:
        edges.append(Interval(window.start_at, first_at))
    if last_us < end_us:
        edges.append(Interval(last_at, window.end_at))
    return Split(Interval(first_at, last_at) if first_us < last_us else None, tuple(edges))


def cut(window: Interval, size: BucketSize, zone: ZoneInfo) -> list[Interval]:
    """The buckets of a window in order; the first and last are cut to it (EVT-8).

    Raises TooManyBucketsError.
    """
    if size is BucketSize.WHOLE:
        return [window]
    buckets: list[Interval] = []
    start_at = window.start_at
    while start_at < window.end_at:
        if len(buckets) == MAX_BUCKETS:
            raise TooManyBucketsError(f"the window has more than {MAX_BUCKETS} buckets")
        end_at = min(_next_border(start_at, size, zone), window.end_at)
        buckets.append(Interval(start_at, end_at))
        start_at = end_at
    return buckets


def calendar_month(instant: datetime, zone: ZoneInfo) -> Interval:
    """The calendar month of `zone` that `instant` lies in."""
    first = instant.astimezone(zone).date().replace(day=1)
    return Interval(_midnight(first, zone), _midnight(_next_month(first), zone))


def _next_border(instant: datetime, size: BucketSize, zone: ZoneInfo) -> datetime:
    """The first border of buckets after `instant`."""
    local = instant.astimezone(zone)
    if size is BucketSize.HOUR:
        # Elapsed time to the next full hour on the wall. UTC arithmetic keeps a repeated autumn hour apart, and a
        # clock change at a full hour keeps the minutes.
        into_hour = timedelta(
            minutes=local.minute, seconds=local.second, microseconds=local.microsecond
        )
        return instant + timedelta(hours=1) - into_hour
    today = local.date()
    match size:
        case BucketSize.DAY:
            border = today + timedelta(days=1)
        case BucketSize.WEEK:
            border = today + timedelta(days=7 - today.weekday())
        case _:
            border = _next_month(today.replace(day=1))
    return _midnight(border, zone)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """The instant at which a civil day begins; where midnight does not exist, the end of the gap."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
