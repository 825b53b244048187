"""The life of a plan version, and when it counts as published (CAT-3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candela_server.catalog.model import PlanVersionStatus
from candela_server.catalog.rules.version_states import may_become, publication_instant

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


@pytest.mark.spec("CAT-3")
def test_versions__go_from_draft_to_published_to_archived_and_nowhere_else() -> None:
    got = {
        (one, other)
        for one in PlanVersionStatus
        for other in PlanVersionStatus
        if may_become(one, other)
    }

    assert got == {
        (PlanVersionStatus.DRAFT, PlanVersionStatus.PUBLISHED),
        (PlanVersionStatus.PUBLISHED, PlanVersionStatus.ARCHIVED),
    }


@pytest.mark.spec("CAT-3")
def test_first_publication__is_now() -> None:
    assert publication_instant(NOON, None) == NOON
    assert publication_instant(NOON, NOON - TICK) == NOON


@pytest.mark.spec("CAT-3")
@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=2, max_size=20))
def test_publications_by_any_clocks__keep_their_order(skews: list[int]) -> None:
    latest: datetime | None = None
    for skew in skews:
        published_at = publication_instant(NOON + timedelta(microseconds=skew), latest)
        assert latest is None or published_at > latest
        latest = published_at
