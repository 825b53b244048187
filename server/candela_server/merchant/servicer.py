"""Answers gRPC for merchants, API keys and the audit trail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from candela.merchant.v1 import (
    api_key_service_pb2,
    api_key_service_pb2_grpc,
    audit_service_pb2,
    audit_service_pb2_grpc,
    merchant_pb2,
    merchant_service_pb2,
    merchant_service_pb2_grpc,
)

from candela_server.contract.values import interval_from_proto
from candela_server.kernel.caller import current_caller
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.page import make_page
from candela_server.storage.mutation import Mutations
from candela_server.storage.postgres import Postgres, Tx
from candela_server.storage.room import Room, position

from . import read, store, wire
from .create_api_key import create_api_key
from .list_audit_entries import AuditFilter, list_audit_entries
from .model import ApiKeyNotFoundError, Merchant
from .numbering import Series
from .revoke_api_key import revoke_api_key
from .rotate_api_key import rotate_api_key
from .settings_wire import update_merchant_from_proto
from .update_merchant import DowngradePlanProblem, update_merchant


@dataclass(frozen=True, slots=True)
class Numbering:
    """Series of documents, which are known above this room: what comes next in each, and where an empty one begins."""

    next_of: Callable[[Tx, Merchant], Awaitable[Mapping[Series, int]]]
    start: Callable[[Tx, Merchant, Series, int], Awaitable[None]]


class MerchantServicer(merchant_service_pb2_grpc.MerchantServiceServicer):
    """MerchantService."""

    def __init__(
        self,
        db: Postgres,
        mutations: Mutations,
        downgrade_plan_problem: DowngradePlanProblem,
        numbering: Numbering,
    ) -> None:
        """Takes what it reads from, writes through, asks about plans, and counts documents by."""
        self._db = db
        self._mutations = mutations
        self._downgrade_plan_problem = downgrade_plan_problem
        self._numbering = numbering

    async def GetMerchant(
        self, request: merchant_service_pb2.GetMerchantRequest, context: Any
    ) -> merchant_service_pb2.GetMerchantResponse:
        """The key's own merchant."""
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            merchant = await read.get_merchant(tx)
            return merchant_service_pb2.GetMerchantResponse(
                merchant=await self._shown(tx, merchant)
            )

    async def UpdateMerchant(
        self, request: merchant_service_pb2.UpdateMerchantRequest, context: Any
    ) -> merchant_service_pb2.UpdateMerchantResponse:
        """Changes names and policies."""
        command = update_merchant_from_proto(request)

        async def act(tx: Tx) -> merchant_service_pb2.UpdateMerchantResponse:
            merchant = await update_merchant(tx, self._downgrade_plan_problem, command)
            for series, change in command.settings.numberings:
                if change.next_number is not None:
                    await self._numbering.start(tx, merchant, series, change.next_number)
            return merchant_service_pb2.UpdateMerchantResponse(
                merchant=await self._shown(tx, merchant)
            )

        return await self._mutations.run(request, merchant_service_pb2.UpdateMerchantResponse, act)

    async def _shown(self, tx: Tx, merchant: Merchant) -> merchant_pb2.Merchant:
        return wire.merchant_to_proto(merchant, await self._numbering.next_of(tx, merchant))


class ApiKeyServicer(Room, api_key_service_pb2_grpc.ApiKeyServiceServicer):
    """ApiKeyService. Answers that hold a secret are stored for replay without it (KEY-1)."""

    async def CreateApiKey(
        self, request: api_key_service_pb2.CreateApiKeyRequest, context: Any
    ) -> api_key_service_pb2.CreateApiKeyResponse:
        """Makes a key."""
        command = wire.create_api_key_from_proto(request)
        secret = ""

        async def act(tx: Tx) -> api_key_service_pb2.CreateApiKeyResponse:
            nonlocal secret
            created = await create_api_key(tx, self._clock, command)
            secret = created.text
            return api_key_service_pb2.CreateApiKeyResponse(
                api_key=wire.api_key_to_proto(created.key)
            )

        response = await self._mutations.run(request, api_key_service_pb2.CreateApiKeyResponse, act)
        response.secret = secret
        return response

    async def ListApiKeys(
        self, request: api_key_service_pb2.ListApiKeysRequest, context: Any
    ) -> api_key_service_pb2.ListApiKeysResponse:
        """One page of keys, prefixes only."""
        merchant_id = current_caller.get().merchant_id
        scope, page_request = self.page("api_keys", request)
        async with self._db.reading(merchant_id) as tx:
            found = await read.list_api_keys(
                tx, limit=page_request.fetch_limit, after=page_request.after
            )
        page = make_page(scope, page_request, found, position)
        return api_key_service_pb2.ListApiKeysResponse(
            api_keys=[wire.api_key_to_proto(key) for key in page.items],
            next_page_token=page.next_token,
        )

    async def RotateApiKey(
        self, request: api_key_service_pb2.RotateApiKeyRequest, context: Any
    ) -> api_key_service_pb2.RotateApiKeyResponse:
        """Replaces a key."""
        command = wire.rotate_api_key_from_proto(request)
        secret = ""

        async def act(tx: Tx) -> api_key_service_pb2.RotateApiKeyResponse:
            nonlocal secret
            successor, replaced = await rotate_api_key(tx, self._clock, command)
            secret = successor.text
            return api_key_service_pb2.RotateApiKeyResponse(
                api_key=wire.api_key_to_proto(successor.key),
                replaced=wire.api_key_to_proto(replaced),
            )

        response = await self._mutations.run(request, api_key_service_pb2.RotateApiKeyResponse, act)
        response.secret = secret
        return response

    async def RevokeApiKey(
        self, request: api_key_service_pb2.RevokeApiKeyRequest, context: Any
    ) -> api_key_service_pb2.RevokeApiKeyResponse:
        """Stops a key."""
        command = wire.revoke_api_key_from_proto(request)

        async def act(tx: Tx) -> api_key_service_pb2.RevokeApiKeyResponse:
            revoked = await revoke_api_key(tx, self._clock, command)
            return api_key_service_pb2.RevokeApiKeyResponse(api_key=wire.api_key_to_proto(revoked))

        return await self._mutations.run(request, api_key_service_pb2.RevokeApiKeyResponse, act)

    async def RevealPublishableKey(
        self, request: api_key_service_pb2.RevealPublishableKeyRequest, context: Any
    ) -> api_key_service_pb2.RevealPublishableKeyResponse:
        """A publishable key in full."""
        key_id = wire.api_key_id_from_proto("api_key_id", request.api_key_id)
        async with self._db.reading(current_caller.get().merchant_id) as tx:
            key = await store.find_publishable_key(tx, key_id)
        if key is None:
            raise ApiKeyNotFoundError(key_id)
        return api_key_service_pb2.RevealPublishableKeyResponse(publishable_key=key)


class AuditServicer(Room, audit_service_pb2_grpc.AuditServiceServicer):
    """AuditService."""

    async def ListAuditEntries(
        self, request: audit_service_pb2.ListAuditEntriesRequest, context: Any
    ) -> audit_service_pb2.ListAuditEntriesResponse:
        """One page of entries, newest first."""
        merchant_id = current_caller.get().merchant_id
        with FieldViolations() as fields:
            during = (
                fields.read("during", interval_from_proto, request.during)
                if request.HasField("during")
                else None
            )
        wanted = AuditFilter(
            subject_id=request.subject_id or None,
            action=request.action or None,
            api_key_id=request.api_key_id or None,
            request_id=request.request_id or None,
            during=during,
        )
        scope, page_request = self.page("audit_entries", request, repr(wanted))
        async with self._db.reading(merchant_id) as tx:
            found = await list_audit_entries(
                tx, wanted, limit=page_request.fetch_limit, before=page_request.after
            )
        page = make_page(scope, page_request, found, lambda entry: (entry.at, entry.id))
        return audit_service_pb2.ListAuditEntriesResponse(
            audit_entries=wire.audit_entries_to_proto(page.items),
            next_page_token=page.next_token,
        )
