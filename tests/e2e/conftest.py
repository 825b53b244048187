"""What tests from outside share: a client of the running server, and two servers on stores that may be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from candela import Client

from tests.helpers.cluster import Cluster, running_cluster
from tests.helpers.own_stores import own_stores
from tests.helpers.servers import LiveServer

_FOLDER = Path(__file__).parents[2] / ".candela" / "faults"


@pytest.fixture
def candela(live_server: LiveServer) -> Iterator[Client]:
    """A client of the server that all tests of the session share, with its merchant's secret key."""
    with Client(live_server.address, live_server.secret_key) as client:
        yield client


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
