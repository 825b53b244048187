"""A publishable key opens the public methods and nothing else, over gRPC and HTTP (PUB-1, KEY-1)."""

from __future__ import annotations

import http.client
from typing import Any

import grpc
import pytest
from candela import Failure, failure_of
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from candela_server.edge.methods import PUBLIC_METHODS
from candela_server.edge.services import services_of

from tests.helpers.servers import LiveServer
from tests.helpers.waiting import PATIENCE_S

METHODS = [method for service in services_of([]) for method in service.descriptor.methods]


@pytest.mark.spec("PUB-1", "KEY-1")
@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_publishable_key__opens_nothing_but_the_public_methods(
    live_server: LiveServer, method: MethodDescriptor
) -> None:
    failure = call_with_publishable_key(live_server, method)

    if f"{method.containing_service.full_name}/{method.name}" in PUBLIC_METHODS:
        assert failure.code is not grpc.StatusCode.PERMISSION_DENIED
    else:
        assert failure.code is grpc.StatusCode.PERMISSION_DENIED
        assert failure.reason == "ERROR_REASON_FORBIDDEN_PUBLISHABLE_KEY"


@pytest.mark.spec("PUB-1", "KEY-1")
@pytest.mark.parametrize(
    "path", ["/v1/invoices/inv_00000000000000000000000000/pdf"], ids=["invoice"]
)
def test_publishable_key_over_http__opens_nothing_but_the_table(
    live_server: LiveServer, path: str
) -> None:
    connection = http.client.HTTPConnection(live_server.http_address, timeout=PATIENCE_S)
    connection.request(
        "GET", path, headers={"Authorization": f"Bearer {live_server.publishable_key}"}
    )

    assert connection.getresponse().status == 401


def call_with_publishable_key(live: LiveServer, method: MethodDescriptor) -> Failure:
    """Calls a method with an empty request and the key in X-Candela-Key; it must fail."""
    requests = message_factory.GetMessageClass(method.input_type)
    answers = message_factory.GetMessageClass(method.output_type)
    metadata = (("x-candela-key", live.publishable_key),)
    with grpc.insecure_channel(live.address) as channel:
        open_call = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }[method.client_streaming, method.server_streaming]
        call = open_call(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=requests.SerializeToString,
            response_deserializer=answers.FromString,
        )
        request = iter([requests()]) if method.client_streaming else requests()
        with pytest.raises(grpc.RpcError) as caught:
            _ = [*_each_answer(call(request, metadata=metadata, timeout=PATIENCE_S), method)]
    return failure_of(caught.value)


def _each_answer(answer: Any, method: MethodDescriptor) -> Any:
    return answer if method.server_streaming else [answer]
