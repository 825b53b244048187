"""What the README shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.servers import LiveServer, create_merchant_by_command

README = Path(__file__).parent.parent.parent / "README.md"


@pytest.mark.spec("SDK-1", "CAT-1", "ENT-5")
def test_first_check_of_the_readme__answers_true(live_server: LiveServer) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Reader")
    code = code.replace("127.0.0.1:8430", live_server.address)
    code = code.replace("sk_test_…", merchant["secret_key"])

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr
