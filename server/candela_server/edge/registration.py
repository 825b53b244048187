"""Catches the handlers that generated code would register, so that each can be wrapped once, before any call.

grpc.aio's interceptors run per call and cost more than the whole of our door; wrapping at registration costs nothing
afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc


class HandlerCollector:
    """Stands in for a server while generated code registers a servicer."""

    def __init__(self) -> None:
        """Begins empty."""
        self.handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    def add_generic_rpc_handlers(self, _handlers: object) -> None:
        """Ignored: the same handlers come by name to `add_registered_method_handlers`."""

    def add_registered_method_handlers(
        self, _service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Takes the handlers by method name."""
        self.handlers.update(handlers)
