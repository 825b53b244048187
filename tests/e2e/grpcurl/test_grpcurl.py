"""grpcurl, as anybody would use it: it learns the services from the server itself (OPS-1)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.helpers.programs import output_of
from tests.helpers.servers import LiveServer

_FOLDER = Path(__file__).parent


def grpcurl(live: LiveServer, *arguments: str, key: str | None = None) -> str:
    """What grpcurl prints; it must succeed."""
    authorization = f"authorization: Bearer {key or live.secret_key}"
    ended = output_of(["grpcurl", "-plaintext", "-H", authorization, *arguments], _FOLDER, live)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.spec("OPS-1")
def test_list__names_the_services_of_the_contract(live_server: LiveServer) -> None:
    got = grpcurl(live_server, live_server.address, "list").split()

    assert {
        "candela.catalog.v1.PlanService",
        "candela.metering.v1.IngestionService",
        "candela.entitlement.v1.EntitlementService",
        "candela.billing.v1.InvoiceService",
        "grpc.health.v1.Health",
    } <= set(got)


@pytest.mark.spec("OPS-1")
def test_describe__shows_a_message_with_its_fields(live_server: LiveServer) -> None:
    got = grpcurl(live_server, live_server.address, "describe", ".candela.type.v1.Money")

    assert "string currency = 1;" in got


@pytest.mark.spec("OPS-1")
def test_call__answers_with_camel_case_names(live_server: LiveServer) -> None:
    got = grpcurl(
        live_server, live_server.address, "candela.merchant.v1.MerchantService/GetMerchant"
    )

    assert json.loads(got)["merchant"]["id"] == live_server.merchant_id


@pytest.mark.spec("OPS-1")
def test_health__is_serving_without_a_key(live_server: LiveServer) -> None:
    ended = output_of(
        ["grpcurl", "-plaintext", live_server.address, "grpc.health.v1.Health/Check"],
        _FOLDER,
        live_server,
    )

    assert json.loads(ended.stdout) == {"status": "SERVING"}, ended.stderr


@pytest.mark.spec("OPS-1", "ENT-2")
def test_refused_call__shows_the_reason(live_server: LiveServer) -> None:
    ended = output_of(
        [
            "grpcurl",
            "-plaintext",
            "-H",
            f"authorization: Bearer {live_server.secret_key}",
            "-d",
            '{"externalUserId": "nobody", "feature": "no-such-feature"}',
            live_server.address,
            "candela.entitlement.v1.EntitlementService/Check",
        ],
        _FOLDER,
        live_server,
    )

    assert ended.returncode != 0
    assert "Code: NotFound" in ended.stderr
    assert "ERROR_REASON_FEATURE_NOT_FOUND" in ended.stderr
