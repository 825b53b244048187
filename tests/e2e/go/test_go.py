"""The Go SDK against a live server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.programs import passes
from tests.helpers.servers import LiveServer


@pytest.mark.spec("SDK-1", "CAT-1", "ENT-2", "EVT-2")
def test_go_sdk_against_a_live_server__checks_sends_and_reads(live_server: LiveServer) -> None:
    passes(["go", "test", "-count=1", "./..."], Path(__file__).parent, live_server)
