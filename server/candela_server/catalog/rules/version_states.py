"""The life of a plan version: draft → published → archived, and no way back (CAT-3)."""

from __future__ import annotations

from datetime import datetime, timedelta

from candela_server.catalog.model import PlanVersionStatus

_NEXT = {
    PlanVersionStatus.DRAFT: PlanVersionStatus.PUBLISHED,
    PlanVersionStatus.PUBLISHED: PlanVersionStatus.ARCHIVED,
}
_TICK = timedelta(microseconds=1)
"""The finest step that the database keeps."""


def may_become(status: PlanVersionStatus, wanted: PlanVersionStatus) -> bool:
    """Whether a version in one state may take the other as its next."""
    return _NEXT.get(status) is wanted


def publication_instant(now: datetime, latest: datetime | None) -> datetime:
    """When a version counts as published: now, but always after the plan's `latest` publication.

    What was published last is what is sold, so the order must hold even for two publications in one instant, and when
    the clocks of two servers differ by a little.
    """
    if latest is None or now > latest:
        return now
    return latest + _TICK
