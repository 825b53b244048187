"""Checks pass a quicker door than other calls: whatever comes in, it lets in and refuses the same (KEY-1, PUB-1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import grpc
import pytest
from candela import Client, Failure, failure_of
from candela.catalog.v1 import feature_service_pb2
from candela.entitlement.v1 import entitlement_service_pb2 as pb
from candela.merchant.v1 import api_key_pb2, api_key_service_pb2

from tests.helpers.fault_shop import Holder, Offer
from tests.helpers.names import fresh
from tests.helpers.servers import LiveServer
from tests.helpers.waiting import PATIENCE_S

SERVICE = "/candela.entitlement.v1.EntitlementService"
Metadata = Sequence[tuple[str, str | bytes]]


@pytest.fixture(scope="module")
def holder(live_server: LiveServer) -> Iterator[Holder]:
    with Client(live_server.address, live_server.secret_key) as candela:
        yield Offer.create(candela).sign_up(candela)


@pytest.fixture(scope="module")
def keys(live_server: LiveServer) -> dict[str, str]:
    """One key of each sort."""
    with Client(live_server.address, live_server.secret_key) as candela:

        def created(name: str, *scopes: api_key_pb2.ApiKeyScope) -> str:
            return candela.api_keys.CreateApiKey(
                api_key_service_pb2.CreateApiKeyRequest(
                    name=name, kind=api_key_pb2.API_KEY_KIND_SECRET, scopes=scopes
                )
            ).secret

        return {
            "all": live_server.secret_key,
            "read": created("read", api_key_pb2.API_KEY_SCOPE_READ),
            "write": created("write", api_key_pb2.API_KEY_SCOPE_WRITE),
            "public": live_server.publishable_key,
        }


class Caller:
    """Calls with bytes and with any metadata."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address, options=[("grpc.enable_retries", 0)])

    def call(self, method: str, request: bytes, metadata: Metadata) -> bytes | Failure:
        try:
            answer: bytes = self.channel.unary_unary(method)(
                request, timeout=PATIENCE_S, metadata=tuple(metadata)
            )
        except grpc.RpcError as error:
            return failure_of(error)
        return answer


@pytest.fixture
def caller(live_server: LiveServer) -> Iterator[Caller]:
    made = Caller(live_server.address)
    yield made
    made.channel.close()


def bearer(key: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {key}")


WAYS: dict[str, Any] = {
    "no key": lambda keys: [],
    "an empty key": lambda keys: [("authorization", "")],
    "no bearer": lambda keys: [("authorization", keys["all"])],
    "another scheme": lambda keys: [("authorization", f"Basic {keys['all']}")],
    "an unknown key": lambda keys: [bearer("sk_test_" + "A" * 49)],
    "a key and a letter": lambda keys: [bearer(keys["all"] + "x")],
    "the same key twice": lambda keys: [bearer(keys["all"])] * 2,
    "the same key three times": lambda keys: [bearer(keys["all"])] * 3,
    "an unknown key, then a good one": lambda keys: [bearer("sk_test_no"), bearer(keys["all"])],
    "a good key, then an unknown one": lambda keys: [bearer(keys["all"]), bearer("sk_test_no")],
    "a good key under two names": lambda keys: [
        bearer(keys["all"]),
        ("x-candela-key", keys["all"]),
    ],
    "two names, the other way round": lambda keys: [
        ("x-candela-key", keys["all"]),
        bearer(keys["all"]),
    ],
    "the publishable key": lambda keys: [bearer(keys["public"])],
    "a key that may not read": lambda keys: [bearer(keys["write"])],
    "a key that may read": lambda keys: [bearer(keys["read"])],
    "a key that may everything": lambda keys: [bearer(keys["all"])],
    "the other name": lambda keys: [("x-candela-key", keys["all"])],
    "a request id": lambda keys: [bearer(keys["all"]), ("x-request-id", "req-1")],
    "a long request id": lambda keys: [("x-request-id", "r" * 500), bearer(keys["read"])],
    "something else": lambda keys: [("x-other", "1"), bearer(keys["all"]), ("other-bin", b"\x00")],
}


@pytest.mark.spec("KEY-1", "PUB-1", "ENT-5")
@pytest.mark.parametrize("way", list(WAYS))
def test_whoever_asks__is_let_in_or_refused_as_by_any_other_method(
    caller: Caller, holder: Holder, keys: dict[str, str], way: str
) -> None:
    metadata = WAYS[way](keys)
    listing = feature_service_pb2.ListFeaturesRequest().SerializeToString()
    want = caller.call("/candela.catalog.v1.FeatureService/ListFeatures", listing, metadata)
    question = holder.switch()
    many = pb.CheckManyRequest(checks=[question])
    for method, request in (("Check", question), ("CheckMany", many)):
        # Twice, as the first time makes the key known.
        for _ in range(2):
            got = caller.call(f"{SERVICE}/{method}", request.SerializeToString(), metadata)
            if isinstance(want, bytes):
                assert isinstance(got, bytes)
                continue
            assert isinstance(got, Failure)
            assert (got.code, got.reason) == (want.code, want.reason)
            assert got.metadata.keys() == want.metadata.keys()


@pytest.mark.spec("ENT-5")
@pytest.mark.parametrize("method", ["Check", "CheckMany"])
@pytest.mark.parametrize(
    "junk",
    [b"\xff", b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x02\x2a\x05", b"\x0a\x03\x2a\x01\xc3", b"\x00"],
    ids=["tag cut", "longer than all", "inside cut", "no utf-8", "field 0"],
)
def test_malformed_bytes__are_an_invalid_argument(
    caller: Caller, keys: dict[str, str], method: str, junk: bytes
) -> None:
    for metadata in ([bearer(keys["all"])], [bearer(keys["read"]), ("x-request-id", "req-1")]):
        got = caller.call(f"{SERVICE}/{method}", junk, metadata)
        assert isinstance(got, Failure)
        assert got.code is grpc.StatusCode.INVALID_ARGUMENT
        assert got.reason == "ERROR_REASON_INVALID_FIELD"
    # Who may not ask is told nothing of what is wrong with the question.
    unknown = caller.call(f"{SERVICE}/{method}", junk, [])
    assert isinstance(unknown, Failure)
    assert unknown.code is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.spec("ENT-5")
def test_batches_of_a_wrong_size__are_refused_with_the_limit(
    caller: Caller, holder: Holder, keys: dict[str, str]
) -> None:
    for size in (0, 1_001):
        request = pb.CheckManyRequest(checks=[holder.switch()] * size).SerializeToString()
        got = caller.call(f"{SERVICE}/CheckMany", request, [bearer(keys["all"])])
        assert isinstance(got, Failure)
        assert got.code is grpc.StatusCode.INVALID_ARGUMENT
        assert got.reason == "ERROR_REASON_BATCH_TOO_LARGE"
        assert got.metadata["size"] == str(size)
        assert ("split the batch" in got.message) is (size > 0)


@pytest.mark.spec("ENT-5", "ENT-2")
def test_thousand_checks_by_every_id_with_mistakes__are_answered_in_order(
    caller: Caller, holder: Holder, keys: dict[str, str]
) -> None:
    kinds = [
        holder.switch(),
        holder.metered(),
        pb.CheckRequest(external_user_id=holder.user, feature=holder.offer.metered),
        pb.CheckRequest(external_customer_id=holder.customer.external_id, feature="no-such-thing"),
        pb.CheckRequest(external_customer_id=fresh("key"), feature=holder.offer.switch),
    ]
    request = pb.CheckManyRequest(checks=kinds * 200).SerializeToString()
    for _ in range(2):
        answer = caller.call(f"{SERVICE}/CheckMany", request, [bearer(keys["read"])])
        assert isinstance(answer, bytes)
        results = pb.CheckManyResponse.FromString(answer).results
        assert len(results) == 1_000
        for place, kind in enumerate(kinds):
            same = results[place :: len(kinds)]
            if kind.feature == "no-such-thing":
                assert [one.error.index for one in same] == list(range(place, 1_000, len(kinds)))
                continue
            assert all(one == same[0] for one in same)
            assert same[0].response.entitlement.feature == kind.feature
        assert results[1].response.entitlement == results[2].response.entitlement
