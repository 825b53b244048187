"""Pricing tables as merchants manage them, over real gRPC (PUB-1)."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from candela import Client
from candela.catalog.v1 import (
    pricing_table_service_pb2,
)
from candela.merchant.v1 import api_key_pb2, api_key_service_pb2, audit_service_pb2

from tests.helpers.names import fresh
from tests.helpers.pricing_tables import SALES, Shop, open_shop, row
from tests.helpers.refusing import refused
from tests.helpers.servers import LiveServer

UNKNOWN_TABLE = "table_00000000000000000000000000"


@pytest.fixture
def shop(live_server: LiveServer) -> Iterator[Shop]:
    with open_shop(live_server) as opened:
        yield opened


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
        idempotency_key=fresh("key"), slug="pricing", name="Pricing", rows=[row(one.id)]
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
