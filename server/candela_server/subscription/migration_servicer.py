"""Answers gRPC for migrations of subscribers between versions of a plan."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from candela.subscription.v1 import migration_service_pb2 as pb
from candela.subscription.v1 import migration_service_pb2_grpc

from candela_server.kernel.caller import current_caller
from candela_server.kernel.page import PageRequest, make_page
from candela_server.storage.postgres import Tx
from candela_server.storage.room import Room, position

from . import migration_store, migration_wire
from .cancel_migration import CancelMigration, cancel_migration
from .create_migration import create_migration
from .migration import Migration, MigrationId, MigrationNotFoundError, MigrationResult
from .preview_migration import preview_migration

# Results are in the order of their subscriptions; a page's place needs an instant all the same.
_NO_INSTANT: Final = datetime(1970, 1, 1, tzinfo=UTC)


class MigrationServicer(Room, migration_service_pb2_grpc.MigrationServiceServicer):
    """MigrationService (CAT-9)."""

    async def PreviewMigration(
        self, request: pb.PreviewMigrationRequest, context: Any
    ) -> pb.PreviewMigrationResponse:
        """One page of what would become of whom."""
        terms = migration_wire.terms_from_proto(request)
        scope, wanted = self.page("migration_preview", request, repr(terms))
        async with self._db.reading(scope.merchant_id) as tx:
            preview = await preview_migration(
                tx, self._clock, terms, after_id=_after_id(wanted), limit=wanted.fetch_limit
            )
        page = make_page(scope, wanted, preview.results, _place)
        return pb.PreviewMigrationResponse(
            total_count=preview.total_count,
            results=[migration_wire.result_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )

    async def CreateMigration(
        self, request: pb.CreateMigrationRequest, context: Any
    ) -> pb.CreateMigrationResponse:
        """Begins to move."""
        terms = migration_wire.terms_from_proto(request)

        async def act(tx: Tx) -> pb.CreateMigrationResponse:
            migration = await create_migration(tx, self._clock, terms)
            return pb.CreateMigrationResponse(
                migration=migration_wire.migration_to_proto(migration)
            )

        return await self._mutations.run(request, pb.CreateMigrationResponse, act)

    async def GetMigration(
        self, request: pb.GetMigrationRequest, context: Any
    ) -> pb.GetMigrationResponse:
        """One migration with its progress."""
        migration_id = migration_wire.migration_id_from_proto(request.migration_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            found = await _get_migration(tx, migration_id)
        return pb.GetMigrationResponse(migration=migration_wire.migration_to_proto(found))

    async def ListMigrations(
        self, request: pb.ListMigrationsRequest, context: Any
    ) -> pb.ListMigrationsResponse:
        """One page of migrations."""
        scope, wanted = self.page("migrations", request)
        async with self._db.reading(scope.merchant_id) as tx:
            found = await migration_store.page_migrations(
                tx, limit=wanted.fetch_limit, after=wanted.after
            )
        page = make_page(scope, wanted, found, position)
        return pb.ListMigrationsResponse(
            migrations=[migration_wire.migration_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )

    async def ListMigrationResults(
        self, request: pb.ListMigrationResultsRequest, context: Any
    ) -> pb.ListMigrationResultsResponse:
        """One page of what became of each subscription."""
        migration_id = migration_wire.migration_id_from_proto(request.migration_id)
        outcomes = migration_wire.outcomes_from_proto(list(request.outcomes))
        scope, wanted = self.page("migration_results", request, f"{migration_id}:{outcomes!r}")
        async with self._db.reading(scope.merchant_id) as tx:
            await _get_migration(tx, migration_id)
            found = await migration_store.page_results(
                tx,
                migration_id,
                outcomes=outcomes,
                after_id=_after_id(wanted),
                limit=wanted.fetch_limit,
            )
        page = make_page(scope, wanted, found, _place)
        return pb.ListMigrationResultsResponse(
            results=[migration_wire.result_to_proto(one) for one in page.items],
            next_page_token=page.next_token,
        )

    async def CancelMigration(
        self, request: pb.CancelMigrationRequest, context: Any
    ) -> pb.CancelMigrationResponse:
        """Stops a migration."""
        command = CancelMigration(
            migration_id=migration_wire.migration_id_from_proto(request.migration_id)
        )

        async def act(tx: Tx) -> pb.CancelMigrationResponse:
            migration = await cancel_migration(tx, self._clock, command)
            return pb.CancelMigrationResponse(
                migration=migration_wire.migration_to_proto(migration)
            )

        return await self._mutations.run(request, pb.CancelMigrationResponse, act)


async def _get_migration(tx: Tx, migration_id: MigrationId) -> Migration:
    found = await migration_store.find_migration(tx, migration_id)
    if found is None:
        raise MigrationNotFoundError(migration_id)
    return found


def _place(result: MigrationResult) -> tuple[datetime, str]:
    return _NO_INSTANT, result.subscription_id


def _after_id(wanted: PageRequest) -> str:
    return wanted.after[1] if wanted.after else ""
