"""Pricing tables, between the contract and the model; nothing here decides."""

from __future__ import annotations

from candela.catalog.v1 import price_pb2, pricing_table_pb2, pricing_table_service_pb2

from candela_server.contract.values import (
    money_to_proto,
    optional_timestamp_to_proto,
    timestamp_to_proto,
)
from candela_server.kernel.errors import FieldViolations
from candela_server.kernel.money import format_decimal
from candela_server.kernel.read_fields import slug, typed_id
from candela_server.kernel.read_names import line

from .create_pricing_table import CreatePricingTable
from .model import PlanId
from .price import Price
from .pricing_table import (
    PricingTable,
    PricingTableId,
    PricingTableRow,
    PublicFeature,
    PublicPlan,
    PublicPricingTable,
)
from .rules.display_amount import display_amounts
from .rules.redirect_url import https_url
from .rules.table_rows import MAX_ROWS
from .update_pricing_table import UpdatePricingTable
from .wire import feature_value_to_proto


def create_pricing_table_from_proto(
    request: pricing_table_service_pb2.CreatePricingTableRequest,
) -> CreatePricingTable:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        _check_count(fields, "rows", len(request.rows))
        return CreatePricingTable(
            slug=fields.read("slug", slug, request.slug),
            name=fields.read("name", line(1, 200), request.name),
            rows=fields.read_each("rows", _row_from_proto, request.rows),
        )


def update_pricing_table_from_proto(
    request: pricing_table_service_pb2.UpdatePricingTableRequest,
) -> UpdatePricingTable:
    """The command; raises InvalidInput with every wrong field."""
    with FieldViolations() as fields:
        if request.HasField("rows"):
            _check_count(fields, "rows.values", len(request.rows.values))
        return UpdatePricingTable(
            table_id=fields.read("pricing_table_id", _table_id, request.pricing_table_id),
            name=fields.read_given(request, "name", line(1, 200)),
            rows=fields.read_each("rows.values", _row_from_proto, request.rows.values)
            if request.HasField("rows")
            else None,
        )


def pricing_table_id_from_proto(value: str) -> PricingTableId:
    """A table's id. Raises InvalidInput."""
    with FieldViolations() as fields:
        return fields.read("pricing_table_id", _table_id, value)


def pricing_table_slug_from_proto(value: str) -> str:
    """A table's slug. Raises InvalidInput."""
    with FieldViolations() as fields:
        return fields.read("slug", slug, value)


def pricing_table_to_proto(table: PricingTable) -> pricing_table_pb2.PricingTable:
    """The table as its merchant manages it."""
    return pricing_table_pb2.PricingTable(
        id=table.id,
        slug=table.slug,
        name=table.name,
        rows=[
            pricing_table_pb2.PricingTableRow(
                plan_id=row.plan_id,
                popular=row.popular,
                enterprise_redirect_url=row.enterprise_redirect_url,
            )
            for row in table.rows
        ],
        created_at=timestamp_to_proto(table.created_at),
        archived_at=optional_timestamp_to_proto(table.archived_at),
    )


def public_pricing_table_to_proto(
    table: PublicPricingTable,
) -> pricing_table_pb2.PublicPricingTable:
    """The table as a page shows it."""
    return pricing_table_pb2.PublicPricingTable(
        slug=table.slug, plans=[_public_plan_to_proto(plan) for plan in table.plans]
    )


def _public_plan_to_proto(shown: PublicPlan) -> pricing_table_pb2.PublicPlan:
    enterprise = shown.plan.is_enterprise_plan
    return pricing_table_pb2.PublicPlan(
        plan_id=shown.plan.id,
        slug=shown.plan.slug,
        name=shown.plan.name,
        description=shown.plan.description,
        popular=shown.row.popular,
        is_enterprise_plan=enterprise,
        enterprise_redirect_url=shown.row.enterprise_redirect_url if enterprise else "",
        free=shown.free,
        prices=[_public_price_to_proto(price) for price in shown.prices],
        features=[_public_feature_to_proto(feature) for feature in shown.features],
        trial_days=shown.trial_days,
    )


def _public_price_to_proto(price: Price) -> pricing_table_pb2.PublicPrice:
    return pricing_table_pb2.PublicPrice(
        price_id=price.id,
        currency=price.currency,
        display_amounts=[
            price_pb2.DisplayAmount(amount=money_to_proto(shown.amount), per=shown.per)
            for shown in display_amounts(price)
        ],
    )


def _public_feature_to_proto(shown: PublicFeature) -> pricing_table_pb2.PublicFeature:
    allowance = shown.allowance
    return pricing_table_pb2.PublicFeature(
        slug=shown.feature.slug,
        name=shown.feature.name,
        value=feature_value_to_proto(shown.value),
        credit_allowance=format_decimal(allowance.amount) if allowance else None,
        per_seat=bool(allowance and allowance.per_seat),
    )


def _row_from_proto(row: pricing_table_pb2.PricingTableRow) -> PricingTableRow:
    with FieldViolations() as fields:
        return PricingTableRow(
            plan_id=PlanId(fields.read("plan_id", typed_id("plan"), row.plan_id)),
            popular=row.popular,
            enterprise_redirect_url=fields.read(
                "enterprise_redirect_url", https_url, row.enterprise_redirect_url
            )
            if row.enterprise_redirect_url
            else "",
        )


def _check_count(fields: FieldViolations, field: str, count: int) -> None:
    if not 1 <= count <= MAX_ROWS:
        fields.add(field, f"must have 1 to {MAX_ROWS} rows, not {count}")


def _table_id(value: str) -> PricingTableId:
    return PricingTableId(typed_id("table")(value))
