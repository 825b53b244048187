"""Answers gRPC for runs that people start."""

from __future__ import annotations

from typing import Any

from candela.billing.v1 import billing_run_service_pb2 as pb
from candela.billing.v1 import billing_run_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.errors import InvalidInput
from candela_server.kernel.page import TokenScope, make_page, read_page_request
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx

from . import billing_run_store, billing_run_wire
from .start_billing_run import start_billing_run


class BillingRunServicer(billing_run_service_pb2_grpc.BillingRunServiceServicer):
    """BillingRunService (INV-1)."""

    def __init__(
        self, db: Postgres, mutations: Mutations, clock: Clock, page_secret: bytes
    ) -> None:
        """Takes what it reads from, writes through, and tells time by."""
        self._db = db
        self._mutations = mutations
        self._clock = clock
        self._page_secret = page_secret

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
        scope = TokenScope(
            secret=self._page_secret,
            merchant_id=current_caller.get().merchant_id,
            list_name="billing_runs",
            filter="",
        )
        wanted = read_page_request(scope, request.page_size, request.page_token)
        async with self._db.reading(scope.merchant_id) as tx:
            found = await billing_run_store.page_runs(
                tx, limit=wanted.fetch_limit, after=wanted.after
            )
        page = make_page(scope, wanted, found, lambda one: (one.created_at, one.id))
        return pb.ListBillingRunsResponse(
            billing_runs=[billing_run_wire.billing_run_to_proto(run) for run in page.items],
            next_page_token=page.next_token,
        )
