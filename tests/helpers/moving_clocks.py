"""Test clocks that are moved from outside, by the contract."""

from __future__ import annotations

from datetime import datetime

from candela import Client
from candela.merchant.v1 import test_clock_pb2, test_clock_service_pb2

from tests.helpers.waiting import until


def advance(candela: Client, clock_id: str, to: datetime) -> None:
    """Moves a test clock and waits until the worker has brought it there."""
    request = test_clock_service_pb2.AdvanceTestClockRequest(test_clock_id=clock_id)
    request.target_at.FromDatetime(to)
    candela.test_clocks.AdvanceTestClock(request)
    look = test_clock_service_pb2.GetTestClockRequest(test_clock_id=clock_id)

    def arrived() -> bool:
        found = candela.test_clocks.GetTestClock(look).test_clock
        assert found.status != test_clock_pb2.TEST_CLOCK_STATUS_FAILED, found.failure
        return found.status == test_clock_pb2.TEST_CLOCK_STATUS_READY

    until(arrived)
