"""Answers gRPC for test clocks (OPS-2)."""

from __future__ import annotations

from typing import Any

from candela.merchant.v1 import test_clock_service_pb2, test_clock_service_pb2_grpc

from candela_server.kernel.caller import Mode, current_caller
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import read, wire
from .advance_test_clock import advance_test_clock
from .archive_test_clock import archive_test_clock
from .create_test_clock import create_test_clock
from .model import LiveModeError


class TestClockServicer(Room, test_clock_service_pb2_grpc.TestClockServiceServicer):
    """TestClockService."""

    async def CreateTestClock(
        self, request: test_clock_service_pb2.CreateTestClockRequest, context: Any
    ) -> test_clock_service_pb2.CreateTestClockResponse:
        """Makes a clock at rest."""
        _refuse_live_mode()
        command = wire.create_test_clock_from_proto(request)

        async def act(tx: Tx) -> test_clock_service_pb2.CreateTestClockResponse:
            clock = await create_test_clock(tx, self._clock, command)
            return test_clock_service_pb2.CreateTestClockResponse(
                test_clock=wire.test_clock_to_proto(clock)
            )

        return await self._mutations.run(
            request, test_clock_service_pb2.CreateTestClockResponse, act
        )

    async def GetTestClock(
        self, request: test_clock_service_pb2.GetTestClockRequest, context: Any
    ) -> test_clock_service_pb2.GetTestClockResponse:
        """One clock."""
        _refuse_live_mode()
        clock_id = wire.test_clock_id_from_proto(request.test_clock_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            clock = await read.get_test_clock(tx, clock_id)
        return test_clock_service_pb2.GetTestClockResponse(
            test_clock=wire.test_clock_to_proto(clock)
        )

    async def ListTestClocks(
        self, request: test_clock_service_pb2.ListTestClocksRequest, context: Any
    ) -> test_clock_service_pb2.ListTestClocksResponse:
        """One page of the clocks in use."""
        _refuse_live_mode()
        merchant_id = current_caller.get().merchant_id
        scope, page_request = self.page("test_clocks", request)
        async with self._db.reading(merchant_id) as tx:
            found = await read.list_test_clocks(
                tx, limit=page_request.fetch_limit, after=page_request.after
            )
        page = make_page(scope, page_request, found, position)
        return test_clock_service_pb2.ListTestClocksResponse(
            test_clocks=[wire.test_clock_to_proto(clock) for clock in page.items],
            next_page_token=page.next_token,
        )

    async def AdvanceTestClock(
        self, request: test_clock_service_pb2.AdvanceTestClockRequest, context: Any
    ) -> test_clock_service_pb2.AdvanceTestClockResponse:
        """Sends a clock forward."""
        _refuse_live_mode()
        command = wire.advance_test_clock_from_proto(request)

        async def act(tx: Tx) -> test_clock_service_pb2.AdvanceTestClockResponse:
            clock = await advance_test_clock(tx, self._clock, command)
            return test_clock_service_pb2.AdvanceTestClockResponse(
                test_clock=wire.test_clock_to_proto(clock)
            )

        return await self._mutations.run(
            request, test_clock_service_pb2.AdvanceTestClockResponse, act
        )

    async def ArchiveTestClock(
        self, request: test_clock_service_pb2.ArchiveTestClockRequest, context: Any
    ) -> test_clock_service_pb2.ArchiveTestClockResponse:
        """Retires a clock."""
        _refuse_live_mode()
        clock_id = wire.test_clock_id_from_proto(request.test_clock_id)

        async def act(tx: Tx) -> test_clock_service_pb2.ArchiveTestClockResponse:
            clock = await archive_test_clock(tx, self._clock, clock_id)
            return test_clock_service_pb2.ArchiveTestClockResponse(
                test_clock=wire.test_clock_to_proto(clock)
            )

        return await self._mutations.run(
            request, test_clock_service_pb2.ArchiveTestClockResponse, act
        )


def _refuse_live_mode() -> None:
    if current_caller.get().mode is not Mode.TEST:
        raise LiveModeError
