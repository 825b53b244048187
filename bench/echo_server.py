"""The baseline of checks: a bare grpc.aio server that parses the same request and sends a ready-made answer."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
from typing import Any

import grpc
import uvloop
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from grpc import aio


async def serve(address: str, answer: bytes) -> None:
    """Answers every check with the same bytes, parsed once."""
    response = pb.CheckResponse.FromString(answer)

    async def check(_request: pb.CheckRequest, _context: Any) -> pb.CheckResponse:
        return response

    handler = grpc.unary_unary_rpc_method_handler(
        check, pb.CheckRequest.FromString, pb.CheckResponse.SerializeToString
    )
    server = aio.server()
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "candela.entitlement.v1.EntitlementService", {"Check": handler}
            ),
        )
    )
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("answer", help="a CheckResponse in base64")
    options = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):
        uvloop.run(serve(options.address, base64.b64decode(options.answer)))
