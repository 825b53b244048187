"""The gRPC server: which services, behind which door, with which limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from candela_server.config import Settings

from .door import Door
from .methods import methods_of
from .registration import HandlerCollector

# Streams are rebalanced by closing connections after a while; calls in progress get the grace to end.
_MAX_CONNECTION_AGE_MS = 30 * 60 * 1000
_MAX_CONNECTION_AGE_GRACE_MS = 5 * 60 * 1000
# The server pings an idle connection after 2 minutes, and lets clients ping at most every 20 seconds.
_KEEPALIVE_TIME_MS = 120_000
_KEEPALIVE_TIMEOUT_MS = 20_000
_MIN_PING_INTERVAL_MS = 20_000
_MAX_METADATA_BYTES = 16 * 1024
_HANDSHAKE_TIMEOUT_MS = 10_000
_MAX_STREAMS_PER_CONNECTION = 1000


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the contract: its descriptor, the servicer, and the generated registration."""

    descriptor: Any
    servicer: object
    base: type
    register: Callable[[Any, Any], None]


class GrpcServer:
    """A running server; it begins refusing when asked to drain and ends when calls have."""

    def __init__(self, settings: Settings, door: Door, services: Sequence[Service]) -> None:
        """Puts every method of every service behind the door."""
        self._settings = settings
        self._server = aio.server(
            options=_options(settings), maximum_concurrent_rpcs=settings.max_concurrent_calls
        )
        self._health = health.aio.HealthServicer()
        names = [service.descriptor.full_name for service in services]
        guarded: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        for service in services:
            guarded.update(_guarded(door, service))
        self._server.add_generic_rpc_handlers((_ByPath(guarded),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection:
            reflection.enable_server_reflection(
                [*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server
            )
        self._names = names

    async def start(self) -> None:
        """Binds the port, which other workers may share, and serves."""
        bound = self._server.add_insecure_port(self._settings.grpc_address)
        if bound == 0:
            raise OSError(f"cannot listen on {self._settings.grpc_address}")
        await self._server.start()
        for name in ["", *self._names]:
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def drain(self) -> None:
        """Says NOT_SERVING, refuses new calls, and lets those in progress end within the grace."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._settings.drain_s)

    async def wait(self) -> None:
        """Returns when the server has ended."""
        await self._server.wait_for_termination()


class _ByPath(grpc.GenericRpcHandler):
    """All methods of all services in one table: grpc asks handlers one after another, and a check is asked most."""

    def __init__(self, handlers: dict[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        self._handlers = handlers

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of the path `/package.Service/Method`; None for methods of nobody here."""
        return self._handlers.get(handler_call_details.method)


def _guarded(door: Door, service: Service) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
    """The service's handlers behind the door, by path."""
    collector = HandlerCollector()
    service.register(service.servicer, collector)
    methods = methods_of(service.descriptor)
    from_bytes = getattr(service.servicer, "from_bytes", {})
    return {
        f"/{service.descriptor.full_name}/{name}": door.guard(
            methods[name],
            handler,
            served=_is_served(service, name),
            from_bytes=from_bytes.get(name),
        )
        for name, handler in collector.handlers.items()
    }


def _is_served(service: Service, method: str) -> bool:
    return getattr(type(service.servicer), method) is not getattr(service.base, method)


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
        ("grpc.max_concurrent_streams", _MAX_STREAMS_PER_CONNECTION),
        ("grpc.max_connection_age_ms", _MAX_CONNECTION_AGE_MS),
        ("grpc.max_connection_age_grace_ms", _MAX_CONNECTION_AGE_GRACE_MS),
        ("grpc.keepalive_time_ms", _KEEPALIVE_TIME_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", _MIN_PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_TIMEOUT_MS),
    ]
