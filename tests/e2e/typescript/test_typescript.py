"""The TypeScript SDK, as built, against a live server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.programs import passes
from tests.helpers.servers import LiveServer

_BUILT = Path(__file__).parents[3] / "sdk" / "typescript" / "dist" / "index.js"


@pytest.mark.spec("SDK-1", "CAT-1", "ENT-2", "EVT-2")
def test_typescript_sdk_against_a_live_server__checks_sends_and_reads(
    live_server: LiveServer,
) -> None:
    if not _BUILT.exists():
        pytest.skip("not built: scripts/test builds it, or npm run build in sdk/typescript")
    passes(["node", "--test", "smoke.test.js"], Path(__file__).parent, live_server)
