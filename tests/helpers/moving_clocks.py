"""Test clocks that are moved from outside, by the contract."""

from __future__ import annotations

import time
from datetime import datetime

from candela import Client
from candela.merchant.v1 import test_clock_pb2, test_clock_service_pb2

DEADLINE_S = 120.0
"""Much longer than it takes: the machine may be busy."""


def advance(candela: Client, clock_id: str, to: datetime) -> None:
    """Moves a test clock and waits until the worker has brought it there."""
    request = test_clock_service_pb2.AdvanceTestClockRequest(test_clock_id=clock_id)
    request.target_at.FromDatetime(to)
    candela.test_clocks.AdvanceTestClock(request)
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        found = candela.test_clocks.GetTestClock(
            test_clock_service_pb2.GetTestClockRequest(test_clock_id=clock_id)
        ).test_clock
        if found.status == test_clock_pb2.TEST_CLOCK_STATUS_READY:
            return
        assert found.status != test_clock_pb2.TEST_CLOCK_STATUS_FAILED, found.failure
        time.sleep(0.05)
    raise TimeoutError(f"the test clock did not arrive in {DEADLINE_S:.0f} s")
