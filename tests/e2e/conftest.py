"""What tests of faults share: two servers on stores that may be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.cluster import Cluster, running_cluster
from tests.helpers.own_stores import own_stores

_FOLDER = Path(__file__).parents[2] / ".candela" / "faults"


@pytest.fixture(scope="session")
def started_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two servers on stores of their own, for all tests of faults of the session."""
    with (
        own_stores(_FOLDER) as stores,
        running_cluster(stores, tmp_path_factory.mktemp("cluster")) as cluster,
    ):
        yield cluster


@pytest.fixture
def cluster(started_cluster: Cluster) -> Iterator[Cluster]:
    """The servers, whole; what the test breaks is mended afterwards."""
    yield started_cluster
    started_cluster.heal()
