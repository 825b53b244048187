"""Pricing tables as pages read them, over real HTTP (PUB-1)."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from candela.catalog.v1 import (
    plan_pb2,
    plan_service_pb2,
    pricing_table_pb2,
    pricing_table_service_pb2,
)

from tests.helpers.pricing_tables import SALES, Shop, open_shop, row
from tests.helpers.servers import LiveServer, create_merchant_by_command
from tests.helpers.waiting import PATIENCE_S


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(live: LiveServer, slug: str, method: str = "GET", **headers: str) -> Answer:
    """One HTTP request for a public table; underscores in header names stand for hyphens."""
    connection = http.client.HTTPConnection(live.http_address, timeout=PATIENCE_S)
    connection.request(
        method,
        f"/v1/public/pricing-tables/{slug}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    response = connection.getresponse()
    named = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, named, response.read())


@pytest.fixture
def shop(live_server: LiveServer) -> Iterator[Shop]:
    with open_shop(live_server) as opened:
        yield opened


@pytest.mark.spec("PUB-1")
@pytest.mark.parametrize("header", ["X-Candela-Key", "X-Lumen-Key"])
def test_page_with_a_publishable_key__reads_the_table_as_json(
    live_server: LiveServer, shop: Shop, header: str
) -> None:
    basic, sales = shop.plan("basic"), shop.plan("big", is_enterprise_plan=True)
    shop.candela.pricing_tables.CreatePricingTable(
        pricing_table_service_pb2.CreatePricingTableRequest(
            slug="pricing",
            name="Pricing",
            rows=[row(sales.id, SALES), row(basic.id, popular=True)],
        )
    )
    got = ask(live_server, "pricing", **{header: shop.publishable_key})
    price = shop.candela.plans.GetPlan(
        plan_service_pb2.GetPlanRequest(plan=plan_pb2.PlanRef(id=basic.id))
    ).prices[0]

    assert got.status == 200
    assert got.headers["content-type"] == "application/json"
    assert got.json == {
        "slug": "pricing",
        "plans": [
            {
                "planId": sales.id,
                "slug": "big",
                "name": "big",
                "description": "",
                "popular": False,
                "isEnterprisePlan": True,
                "enterpriseRedirectUrl": SALES,
                "free": False,
                "prices": [],
                "features": [],
                "trialDays": 0,
            },
            {
                "planId": basic.id,
                "slug": "basic",
                "name": "basic",
                "description": "",
                "popular": True,
                "isEnterprisePlan": False,
                "enterpriseRedirectUrl": "",
                "free": False,
                "prices": [
                    {
                        "priceId": price.id,
                        "currency": "USD",
                        "displayAmounts": [
                            {"amount": {"currency": "USD", "amount": "5"}, "per": "month"}
                        ],
                    }
                ],
                "features": [],
                "trialDays": 0,
            },
        ],
    }


@pytest.mark.spec("PUB-1")
def test_answer__may_be_kept_for_seconds_and_is_asked_for_again_by_etag(
    live_server: LiveServer, shop: Shop
) -> None:
    table = shop.table("pricing", shop.plan("basic"))
    key = shop.publishable_key
    first = ask(live_server, "pricing", x_candela_key=key)
    known = ask(live_server, "pricing", x_candela_key=key, if_none_match=first.headers["etag"])
    weak = f'"other", W/{first.headers["etag"]}'
    also_known = ask(live_server, "pricing", x_candela_key=key, if_none_match=weak)
    head = ask(live_server, "pricing", "HEAD", x_candela_key=key)
    shop.candela.pricing_tables.UpdatePricingTable(
        pricing_table_service_pb2.UpdatePricingTableRequest(
            pricing_table_id=table.id,
            rows=new_rows(row(shop.plan("other").id)),
        )
    )
    changed = ask(live_server, "pricing", x_candela_key=key, if_none_match=first.headers["etag"])

    assert first.headers["cache-control"].startswith("public, max-age=10")
    assert "x-candela-key" in first.headers["vary"].lower()
    assert (known.status, known.body) == (304, b"")
    assert known.headers["etag"] == first.headers["etag"]
    assert also_known.status == 304
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", first.headers["etag"])
    assert changed.status == 200
    assert [plan["slug"] for plan in changed.json["plans"]] == ["other"]


def new_rows(
    *rows: pricing_table_pb2.PricingTableRow,
) -> pricing_table_service_pb2.PricingTableRows:
    return pricing_table_service_pb2.PricingTableRows(values=rows)


@pytest.mark.spec("PUB-1")
def test_browser_on_another_site__may_ask_and_read(live_server: LiveServer, shop: Shop) -> None:
    shop.table("pricing", shop.plan("basic"))
    before = ask(
        live_server,
        "pricing",
        "OPTIONS",
        origin="https://shop.example",
        access_control_request_method="GET",
        access_control_request_headers="x-candela-key",
    )
    answers = [
        ask(live_server, "pricing", origin="https://shop.example", x_lumen_key=key)
        for key in (shop.publishable_key, "pk_test_wrong")
    ]
    posted = ask(live_server, "pricing", "POST", x_lumen_key=shop.publishable_key)

    assert before.status == 204
    assert before.headers["access-control-allow-methods"] == "GET"
    assert "X-Candela-Key" in before.headers["access-control-allow-headers"]
    assert [answer.status for answer in answers] == [200, 401]
    assert {one.headers["access-control-allow-origin"] for one in [before, *answers]} == {"*"}
    assert posted.status == 405


@pytest.mark.spec("PUB-1", "KEY-2")
def test_wrong_key_or_slug_over_http__is_told_as_json(live_server: LiveServer, shop: Shop) -> None:
    shop.table("pricing", shop.plan("basic"))
    other = create_merchant_by_command(dict(live_server.server.environment), "Other")
    key = shop.publishable_key
    got = [
        ask(live_server, "pricing"),
        ask(live_server, "pricing", x_candela_key="pk_test_wrong"),
        ask(live_server, "pricing", x_candela_key=key, x_lumen_key=key),
        ask(live_server, "pricing", x_candela_key=other["publishable_key"]),
        ask(live_server, "no-such", x_candela_key=key),
        ask(live_server, "No_Slug", x_candela_key=key),
    ]

    assert [(one.status, one.json["error"]["reason"]) for one in got] == [
        (401, "ERROR_REASON_UNAUTHENTICATED"),
        (401, "ERROR_REASON_UNAUTHENTICATED"),
        (401, "ERROR_REASON_UNAUTHENTICATED"),
        (404, "ERROR_REASON_PRICING_TABLE_NOT_FOUND"),
        (404, "ERROR_REASON_PRICING_TABLE_NOT_FOUND"),
        (400, "ERROR_REASON_INVALID_FIELD"),
    ]
    assert {one.headers["cache-control"] for one in got} == {"no-store"}
    assert ask(live_server, "pricing", x_candela_key=shop.secret_key).status == 200
    bearer = f"Bearer {shop.publishable_key}"
    assert ask(live_server, "pricing", authorization=bearer).status == 200
