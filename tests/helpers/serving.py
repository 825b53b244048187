"""Waiting until a server serves, by its own word for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.helpers.waiting import until


class ServerDidNotStartError(RuntimeError):
    """A process of Candela ended or gave no answer; the message holds the end of its log."""


def until_serving(address: str, tail: Callable[[], str], running: Callable[[], bool]) -> None:
    """Returns when the server there answers that it serves.

    Fails when it never does, or has ended, with what `tail` says: the end of its log.
    """
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)

        def serves() -> bool:
            assert running(), "the server ended"
            with suppress(grpc.RpcError):
                answer = health.Check(
                    health_pb2.HealthCheckRequest(), timeout=2, wait_for_ready=True
                )
                return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
            return False

        try:
            until(serves, f"the server serves on {address}")
        except AssertionError as error:
            raise ServerDidNotStartError(f"{error}:\n{tail()}") from error
