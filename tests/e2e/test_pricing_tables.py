"""Pricing tables as merchants manage them and as pages read them, over real gRPC and HTTP (PUB-1)."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from candela import Client, Failure, failure_of
from candela.catalog.v1 import (
    plan_pb2,
    plan_service_pb2,
    price_pb2,
    price_terms_pb2,
    pricing_table_pb2,
    pricing_table_service_pb2,
)
from candela.merchant.v1 import api_key_pb2, api_key_service_pb2, audit_service_pb2
from candela.type.v1 import money_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor

from candela_server.edge.methods import PUBLIC_METHODS
from candela_server.edge.services import services_of

from tests.helpers.servers import LiveServer, create_merchant_by_command

METHODS = [method for service in services_of([]) for method in service.descriptor.methods]
UNKNOWN_TABLE = "table_00000000000000000000000000"
SALES = "https://example.com/sales"


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
    connection = http.client.HTTPConnection(live.http_address, timeout=10)
    connection.request(
        method,
        f"/v1/public/pricing-tables/{slug}",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    response = connection.getresponse()
    named = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, named, response.read())


def refused(call: object, request: object) -> Failure:
    """Why a call failed; it must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request)  # type: ignore[operator]
    return failure_of(caught.value)


@dataclass(frozen=True, slots=True)
class Shop:
    """A merchant of one test."""

    candela: Client
    secret_key: str
    publishable_key: str

    def plan(self, slug: str, **fields: Any) -> plan_pb2.Plan:
        """A plan at $5 a month, public unless said otherwise; an enterprise plan has no price."""
        fields = {"publicly_visible": True, **fields}
        charge = price_terms_pb2.FlatCharge(unit_price=money_pb2.Money(currency="USD", amount="5"))
        monthly = price_pb2.PriceComponent(
            name="Fee",
            kind=price_pb2.COMPONENT_KIND_FIXED,
            recurrence_rule="FREQ=MONTHLY",
            charge=price_terms_pb2.ChargeModel(flat=charge),
        )
        prices = [plan_pb2.NewPrice(currency="USD", components=[monthly])]
        request = plan_service_pb2.CreatePlanRequest(
            slug=slug,
            name=slug,
            prices=[] if fields.get("is_enterprise_plan") else prices,
            **fields,
        )
        return self.candela.plans.CreatePlan(request).plan

    def table(self, slug: str, *plans: plan_pb2.Plan) -> pricing_table_pb2.PricingTable:
        """A table of these plans."""
        request = pricing_table_service_pb2.CreatePricingTableRequest(
            slug=slug, name=slug, rows=[row(plan.id) for plan in plans]
        )
        return self.candela.pricing_tables.CreatePricingTable(request).pricing_table


def row(plan_id: str, url: str = "", *, popular: bool = False) -> pricing_table_pb2.PricingTableRow:
    return pricing_table_pb2.PricingTableRow(
        plan_id=plan_id, popular=popular, enterprise_redirect_url=url
    )


@pytest.fixture
def shop(live_server: LiveServer) -> Iterator[Shop]:
    merchant = create_merchant_by_command(dict(live_server.server.environment), "Shop")
    with Client(live_server.address, merchant["secret_key"]) as candela:
        yield Shop(candela, merchant["secret_key"], merchant["publishable_key"])


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
    connection = http.client.HTTPConnection(live_server.http_address, timeout=10)
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
            _ = [*_each_answer(call(request, metadata=metadata, timeout=10), method)]
    return failure_of(caught.value)


def _each_answer(answer: Any, method: MethodDescriptor) -> Any:
    return answer if method.server_streaming else [answer]


@pytest.mark.spec("PUB-1", "KEY-2")
def test_read_only_key__reads_tables_and_changes_none(live_server: LiveServer, shop: Shop) -> None:
    table = shop.table("pricing", shop.plan("basic"))
    made = shop.candela.api_keys.CreateApiKey(
        api_key_service_pb2.CreateApiKeyRequest(
            name="reader",
            kind=api_key_pb2.API_KEY_KIND_SECRET,
            scopes=[api_key_pb2.API_KEY_SCOPE_READ],
        )
    )
    archive = pricing_table_service_pb2.ArchivePricingTableRequest(pricing_table_id=table.id)
    with Client(live_server.address, made.secret) as reader:
        listed = reader.pricing_tables.ListPricingTables(
            pricing_table_service_pb2.ListPricingTablesRequest()
        )
        got = refused(reader.pricing_tables.ArchivePricingTable, archive)

    assert list(listed.pricing_tables) == [table]
    assert got.code is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.spec("PUB-1", "CAT-10")
def test_rows_and_names_that_cannot_be__are_all_refused_by_path(shop: Shop) -> None:
    request = pricing_table_service_pb2.CreatePricingTableRequest(
        slug="Pricing!",
        rows=[
            row(shop.plan("basic").id),
            row("price_00000000000000000000000000"),
            row("", "http://example.com"),
        ],
    )
    malformed = refused(shop.candela.pricing_tables.CreatePricingTable, request)
    empty = refused(
        shop.candela.pricing_tables.CreatePricingTable,
        pricing_table_service_pb2.CreatePricingTableRequest(slug="empty", name="Empty"),
    )
    many = refused(
        shop.candela.pricing_tables.CreatePricingTable,
        pricing_table_service_pb2.CreatePricingTableRequest(
            slug="many", name="Many", rows=[request.rows[0]] * 51
        ),
    )
    unknown = refused(
        shop.candela.pricing_tables.CreatePricingTable,
        pricing_table_service_pb2.CreatePricingTableRequest(
            slug="pricing",
            name="Pricing",
            rows=[request.rows[0], row("plan_00000000000000000000000000")],
        ),
    )

    assert malformed.code is grpc.StatusCode.INVALID_ARGUMENT
    assert {field.field for field in malformed.fields} == {
        "slug",
        "name",
        "rows[1].plan_id",
        "rows[2].plan_id",
        "rows[2].enterprise_redirect_url",
    }
    assert [field.field for field in empty.fields] == ["rows"]
    assert [field.field for field in many.fields] == ["rows"]
    assert unknown.reason == "ERROR_REASON_PLAN_NOT_FOUND"
    assert [field.field for field in unknown.fields] == ["rows[1].plan_id"]


@pytest.mark.spec("PUB-1", "CAT-1", "CAT-7")
def test_plans_that_may_not_be_shown__are_refused_and_nothing_is_stored(shop: Shop) -> None:
    basic, hidden = shop.plan("basic"), shop.plan("hidden", publicly_visible=False)
    got = refused(
        shop.candela.pricing_tables.CreatePricingTable,
        pricing_table_service_pb2.CreatePricingTableRequest(
            slug="pricing", name="Pricing", rows=[row(basic.id, SALES), row(hidden.id)]
        ),
    )
    listed = shop.candela.pricing_tables.ListPricingTables(
        pricing_table_service_pb2.ListPricingTablesRequest()
    )

    assert [field.field for field in got.fields] == [
        "rows[0].enterprise_redirect_url",
        "rows[1].plan_id",
    ]
    assert not listed.pricing_tables


@pytest.mark.spec("PUB-1", "CAT-10")
def test_slug_of_another_table__is_taken_even_when_that_is_archived(shop: Shop) -> None:
    table = shop.table("pricing", shop.plan("basic"))
    shop.candela.pricing_tables.ArchivePricingTable(
        pricing_table_service_pb2.ArchivePricingTableRequest(pricing_table_id=table.id)
    )
    got = refused(
        shop.candela.pricing_tables.CreatePricingTable,
        pricing_table_service_pb2.CreatePricingTableRequest(
            slug="pricing", name="Again", rows=table.rows
        ),
    )

    assert got.code is grpc.StatusCode.ALREADY_EXISTS
    assert got.reason == "ERROR_REASON_SLUG_TAKEN"


@pytest.mark.spec("PUB-1", "AUD-1", "AUD-2")
def test_table_changed_and_archived__is_read_as_it_is_and_leaves_its_trace(shop: Shop) -> None:
    one, two = shop.plan("one"), shop.plan("two")
    create = pricing_table_service_pb2.CreatePricingTableRequest(
        idempotency_key=secrets.token_hex(8), slug="pricing", name="Pricing", rows=[row(one.id)]
    )
    made = shop.candela.pricing_tables.CreatePricingTable(create).pricing_table
    again = shop.candela.pricing_tables.CreatePricingTable(create).pricing_table
    update = pricing_table_service_pb2.UpdatePricingTableRequest(pricing_table_id=made.id)
    update.rows.values.extend([row(two.id, popular=True), row(one.id)])
    reordered = shop.candela.pricing_tables.UpdatePricingTable(update).pricing_table
    renamed = shop.candela.pricing_tables.UpdatePricingTable(
        pricing_table_service_pb2.UpdatePricingTableRequest(pricing_table_id=made.id, name="New")
    ).pricing_table
    archive = pricing_table_service_pb2.ArchivePricingTableRequest(pricing_table_id=made.id)
    archived = shop.candela.pricing_tables.ArchivePricingTable(archive).pricing_table
    archive.idempotency_key = ""
    still = shop.candela.pricing_tables.ArchivePricingTable(archive).pricing_table
    got = shop.candela.pricing_tables.GetPricingTable(
        pricing_table_service_pb2.GetPricingTableRequest(pricing_table_id=made.id)
    ).pricing_table
    public = refused(
        shop.candela.pricing_tables.GetPublicPricingTable,
        pricing_table_service_pb2.GetPublicPricingTableRequest(slug="pricing"),
    )
    trail = shop.candela.audit.ListAuditEntries(
        audit_service_pb2.ListAuditEntriesRequest(subject_id=made.id)
    )

    assert again == made
    assert [(one.plan_id, one.popular) for one in reordered.rows] == [
        (two.id, True),
        (one.id, False),
    ]
    assert (renamed.name, renamed.rows) == ("New", reordered.rows)
    assert archived.HasField("archived_at")
    assert still == archived == got
    assert public.reason == "ERROR_REASON_PRICING_TABLE_NOT_FOUND"
    assert sorted(entry.action for entry in trail.audit_entries) == [
        "pricing_table.archived",
        "pricing_table.archived",
        "pricing_table.created",
        "pricing_table.updated",
        "pricing_table.updated",
    ]


@pytest.mark.spec("PUB-1")
@pytest.mark.parametrize("name", ["Get", "Update", "Archive"])
def test_table_that_is_not_there__is_not_found(shop: Shop, name: str) -> None:
    request = getattr(pricing_table_service_pb2, f"{name}PricingTableRequest")
    call = getattr(shop.candela.pricing_tables, f"{name}PricingTable")
    got = refused(call, request(pricing_table_id=UNKNOWN_TABLE))
    malformed = refused(call, request(pricing_table_id="pricing"))

    assert got.code is grpc.StatusCode.NOT_FOUND
    assert got.reason == "ERROR_REASON_PRICING_TABLE_NOT_FOUND"
    assert [field.field for field in malformed.fields] == ["pricing_table_id"]


@pytest.mark.spec("PUB-1")
def test_tables__are_listed_in_pages_oldest_first(shop: Shop) -> None:
    plan = shop.plan("basic")
    want = [shop.table(f"table-{number}", plan).id for number in range(3)]
    first = shop.candela.pricing_tables.ListPricingTables(
        pricing_table_service_pb2.ListPricingTablesRequest(page_size=2)
    )
    rest = shop.candela.pricing_tables.ListPricingTables(
        pricing_table_service_pb2.ListPricingTablesRequest(
            page_size=2, page_token=first.next_page_token
        )
    )

    assert [table.id for table in [*first.pricing_tables, *rest.pricing_tables]] == want
    assert len(first.pricing_tables) == 2
    assert rest.next_page_token == ""
