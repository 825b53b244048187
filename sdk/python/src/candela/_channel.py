"""How calls leave: the channel's options, the key in the metadata, idempotency keys, and retries.

A call that fails with UNAVAILABLE is tried again by gRPC itself with the same idempotency key, so that it takes
effect once.
"""

from __future__ import annotations

import ipaddress
import json
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
from google.protobuf.message import Message

DEFAULT_TIMEOUT_S = 30.0

_SERVICE_CONFIG = json.dumps(
    {
        "methodConfig": [
            {
                # A stream of events resumes by itself, from what was acknowledged. gRPC's own retry would be in its
                # way: it repeats a stream whose requests have all been sent, and may then wait for its answer for ever.
                "name": [
                    {"service": "candela.metering.v1.IngestionService", "method": "StreamEvents"}
                ],
            },
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            },
        ]
    }
)
OPTIONS: list[tuple[str, str | int]] = [
    ("grpc.service_config", _SERVICE_CONFIG),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    # Slower than the server's limit on pings, so that a quiet connection is kept and never punished.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


class CallDetails(NamedTuple):
    """The details of one call, as interceptors hand them on."""

    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any


def uses_tls(address: str) -> bool:
    """Whether a connection is encrypted when nobody says: everywhere but on the machine itself."""
    if address.startswith("unix:"):
        return False
    host = address.rpartition(":")[0].strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        # A name: one that only begins like the machine's own address is somebody else's.
        return host != "localhost"


def with_key(details: grpc.ClientCallDetails, authorization: str) -> CallDetails:
    """The call's details with the API key, and with a deadline if it has none."""
    return CallDetails(
        method=details.method,
        timeout=details.timeout,
        metadata=[*(details.metadata or ()), ("authorization", authorization)],
        credentials=details.credentials,
        wait_for_ready=getattr(details, "wait_for_ready", None),
        compression=getattr(details, "compression", None),
    )


def fill_idempotency_key(request: Any) -> None:
    """Gives a changing request a key of its own, unless the caller chose one."""
    if not isinstance(request, Message):
        return
    if "idempotency_key" in request.DESCRIPTOR.fields_by_name:
        changing: Any = request
        if not changing.idempotency_key:
            changing.idempotency_key = str(uuid.uuid4())


class AuthorizedCalls(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds the key to every call, a deadline to unary ones, and idempotency keys to changing ones."""

    def __init__(self, api_key: str) -> None:
        """Takes the API key ("sk_…" or "pk_…")."""
        self._authorization = f"Bearer {api_key}"

    def intercept_unary_unary(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        """One question, one answer."""
        fill_idempotency_key(request)
        details = with_key(client_call_details, self._authorization)
        if details.timeout is None:
            details = details._replace(timeout=DEFAULT_TIMEOUT_S)
        return continuation(details, request)

    def intercept_unary_stream(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request: Any,
    ) -> Any:
        """One question, many answers: no deadline unless the caller gives one."""
        return continuation(with_key(client_call_details, self._authorization), request)

    def intercept_stream_stream(
        self,
        continuation: Callable[[Any, Any], Any],
        client_call_details: grpc.ClientCallDetails,
        request_iterator: Any,
    ) -> Any:
        """Many of both: no deadline unless the caller gives one."""
        return continuation(with_key(client_call_details, self._authorization), request_iterator)


def open_channel(address: str, api_key: str, *, tls: bool | None) -> grpc.Channel:
    """A channel whose calls carry the key."""
    encrypted = uses_tls(address) if tls is None else tls
    channel = (
        grpc.secure_channel(address, grpc.ssl_channel_credentials(), options=OPTIONS)
        if encrypted
        else grpc.insecure_channel(address, options=OPTIONS)
    )
    return grpc.intercept_channel(channel, AuthorizedCalls(api_key))
