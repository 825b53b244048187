"""Streams that must end by themselves: nobody reads them, or their key is gone (KEY-2, faults 56 and 57)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc
import pytest
from candela import failure_of
from candela.entitlement.v1 import entitlement_pb2, entitlement_service_pb2_grpc
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from grpc import aio

from candela_server.config import Settings
from candela_server.edge.door import Door
from candela_server.edge.grpc_server import GrpcServer
from candela_server.edge.services import services_of
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.authenticate import Authenticator
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant
from tests.helpers.ports import free_port
from tests.helpers.waiting import PATIENCE_S, becomes

MAX_UNREAD_S = 0.5
# What a client that does not read lets a server send: 64 KiB, and no more because the connection is quick.
SMALL_WINDOW = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]


class Talkative(entitlement_service_pb2_grpc.EntitlementServiceServicer):
    """Sends large messages as fast as they are taken, or none at all to whoever watches customers by id."""

    def __init__(self) -> None:
        self.serving = 0

    async def Watch(
        self, request: pb.WatchRequest, context: Any
    ) -> AsyncGenerator[pb.WatchResponse, None]:
        self.serving += 1
        try:
            while request.customer_ids:
                await asyncio.sleep(1)
            answer = entitlement_pb2.Entitlement(feature="x" * 10_000)
            while True:
                yield pb.WatchResponse(snapshot=pb.EntitlementSnapshot(entitlements=[answer]))
        finally:
            self.serving -= 1


@pytest.fixture
async def address(db: Postgres, clock: FixedClock, talkative: Talkative) -> AsyncIterator[str]:
    address = f"127.0.0.1:{free_port()}"
    server = GrpcServer(
        Settings(database_url=db.url, grpc_address=address, drain_s=0.1),  # type: ignore[arg-type]
        Door(Authenticator(db, clock), max_unread_s=MAX_UNREAD_S),
        services_of([talkative]),
    )
    await server.start()
    yield address
    await server.drain()


@pytest.fixture
def talkative() -> Talkative:
    return Talkative()


async def until_serving(talkative: Talkative, count: int) -> None:
    await becomes(lambda: talkative.serving == count, f"{count} streams are served")


async def end_of(stream: Any) -> grpc.RpcError:
    """Why the stream ended, once all that was sent is read."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            async for _ in stream:
                pass
        except grpc.RpcError as error:
            return error
    raise AssertionError("the stream ended without a word")


@pytest.mark.spec("ENT-8")
async def test_stream_that_nobody_reads__is_ended_and_says_so(
    address: str, talkative: Talkative, merchant: TestMerchant
) -> None:
    async with aio.insecure_channel(address, options=SMALL_WINDOW) as channel:
        stub = entitlement_service_pb2_grpc.EntitlementServiceStub(channel)  # type: ignore[arg-type]
        stream: Any = stub.Watch(
            pb.WatchRequest(), metadata=[("authorization", f"Bearer {merchant.secret_key}")]
        )
        await anext(aiter(stream))
        await until_serving(talkative, 1)
        await until_serving(talkative, 0)
        ended = failure_of(await end_of(stream))

    assert ended.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "read" in ended.message


@pytest.mark.spec("ENT-8", "KEY-2")
@pytest.mark.parametrize("idle", [False, True], ids=["blocked by its reader", "idle"])
async def test_key_revoked__ends_the_stream_whatever_it_waits_for(
    address: str, talkative: Talkative, merchant: TestMerchant, db: Postgres, *, idle: bool
) -> None:
    async with aio.insecure_channel(address, options=SMALL_WINDOW) as channel:
        stub = entitlement_service_pb2_grpc.EntitlementServiceStub(channel)  # type: ignore[arg-type]
        stream: Any = stub.Watch(
            pb.WatchRequest(customer_ids=["cus_1"] if idle else []),
            metadata=[("authorization", f"Bearer {merchant.secret_key}")],
        )
        await until_serving(talkative, 1)
        async with db.writing(merchant.id) as tx:
            await tx.execute(
                "UPDATE api_key SET revoked_at = created_at WHERE merchant_id = $1", merchant.id
            )
        await until_serving(talkative, 0)
        ended = failure_of(await end_of(stream))

    assert ended.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.RESOURCE_EXHAUSTED)
