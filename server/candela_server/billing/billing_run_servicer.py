"""Answers gRPC for runs that people start."""

from __future__ import annotations

from typing import Any

from candela.billing.v1 import billing_run_service_pb2 as pb
from candela.billing.v1 import billing_run_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import billing_run_store, billing_run_wire
from .start_billing_run import start_billing_run


class BillingRunServicer(Room, billing_run_service_pb2_grpc.BillingRunServiceServicer):
    """BillingRunService (INV-1)."""

    async def StartBillingRun(
        self, request: pb.StartBillingRunRequest, context: Any
    ) -> pb.StartBillingRunResponse:
        """Bills at once what is due."""

        async def act(tx: Tx) -> pb.StartBillingRunResponse:
            run = await start_billing_run(tx, self._clock)
            return pb.StartBillingRunResponse(
                billing_run=billing_run_wire.billing_run_to_proto(run)
            )

        return await self._mutations.run(request, pb.StartBillingRunResponse, act)

    async def GetBillingRun(
        self, request: pb.GetBillingRunRequest, context: Any
    ) -> pb.GetBillingRunResponse:
        """One run."""
        run_id = billing_run_wire.billing_run_id_from_proto(request.billing_run_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await billing_run_store.find_run(tx, run_id)
        if found is None:
            raise InvalidInput(
                f"no billing run {run_id}; ListBillingRuns shows what exists",
                field="billing_run_id",
            )
        return pb.GetBillingRunResponse(billing_run=billing_run_wire.billing_run_to_proto(found))

    async def ListBillingRuns(
        self, request: pb.ListBillingRunsRequest, context: Any
    ) -> pb.ListBillingRunsResponse:
        """One page of runs."""
        scope, wanted = self.page("billing_runs", request)
        async with self._db.reading(scope.merchant_id) as tx:
            found = await billing_run_store.page_runs(
                tx, limit=wanted.fetch_limit, after=wanted.after
            )
        page = make_page(scope, wanted, found, position)
        return pb.ListBillingRunsResponse(
            billing_runs=[billing_run_wire.billing_run_to_proto(run) for run in page.items],
            next_page_token=page.next_token,
        )
