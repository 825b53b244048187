"""Answers gRPC for credit definitions."""

from __future__ import annotations

from typing import Any

from candela.catalog.v1 import (
    credit_definition_service_pb2 as definition_pb,
)
from candela.catalog.v1 import (
    credit_definition_service_pb2_grpc as definition_grpc,
)

from candela_server.kernel import read_fields
from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import definition_store, read, version_wire, wire
from .add_credit_definition import add_credit_definition
from .archive_credit_definition import ArchiveCreditDefinition, archive_credit_definition
from .definition_wire import credit_definition_to_proto
from .model import CreditDefinitionId


class CreditDefinitionServicer(Room, definition_grpc.CreditDefinitionServiceServicer):
    """CreditDefinitionService."""

    async def CreateCreditDefinition(
        self, request: definition_pb.CreateCreditDefinitionRequest, context: Any
    ) -> definition_pb.CreateCreditDefinitionResponse:
        """Adds a definition to a plan."""
        command = version_wire.add_credit_definition_from_proto(request)

        async def act(tx: Tx) -> definition_pb.CreateCreditDefinitionResponse:
            definition = await add_credit_definition(tx, self._clock, command)
            return definition_pb.CreateCreditDefinitionResponse(
                credit_definition=credit_definition_to_proto(definition)
            )

        return await self._mutations.run(request, definition_pb.CreateCreditDefinitionResponse, act)

    async def ArchiveCreditDefinition(
        self, request: definition_pb.ArchiveCreditDefinitionRequest, context: Any
    ) -> definition_pb.ArchiveCreditDefinitionResponse:
        """Ends granting from a definition."""
        with FieldViolations() as fields:
            definition_id = fields.read(
                "credit_definition_id",
                read_fields.typed_id("cdef"),
                request.credit_definition_id,
            )
        command = ArchiveCreditDefinition(definition_id=CreditDefinitionId(definition_id))

        async def act(tx: Tx) -> definition_pb.ArchiveCreditDefinitionResponse:
            definition = await archive_credit_definition(tx, self._clock, command)
            return definition_pb.ArchiveCreditDefinitionResponse(
                credit_definition=credit_definition_to_proto(definition)
            )

        return await self._mutations.run(
            request, definition_pb.ArchiveCreditDefinitionResponse, act
        )

    async def GetCreditDefinition(
        self, request: definition_pb.GetCreditDefinitionRequest, context: Any
    ) -> definition_pb.GetCreditDefinitionResponse:
        """One definition."""
        with FieldViolations() as fields:
            definition_id = fields.read(
                "credit_definition_id",
                read_fields.typed_id("cdef"),
                request.credit_definition_id,
            )
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await read.get_credit_definition(tx, CreditDefinitionId(definition_id))
        return definition_pb.GetCreditDefinitionResponse(
            credit_definition=credit_definition_to_proto(found)
        )

    async def ListCreditDefinitions(
        self, request: definition_pb.ListCreditDefinitionsRequest, context: Any
    ) -> definition_pb.ListCreditDefinitionsResponse:
        """One page of definitions."""
        with FieldViolations() as fields:
            ref = (
                fields.read("plan", wire.ref_from_proto, "plan", request.plan)
                if request.HasField("plan")
                else None
            )
        scope, wanted = self.page("credit_definitions", request, repr(ref))
        async with self._db.reading(scope.merchant_id) as tx:
            plan = await read.get_plan(tx, ref) if ref else None
            found = await definition_store.page_credit_definitions(
                tx,
                plan_id=plan.id if plan else None,
                limit=wanted.fetch_limit,
                after=wanted.after,
            )
        page = make_page(scope, wanted, found, position)
        return definition_pb.ListCreditDefinitionsResponse(
            credit_definitions=[credit_definition_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )
