"""Every SQL text over pricing tables, and over what their public form shows besides; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from candela_server.storage.postgres import Tx, unique_or

from .errors import SlugTakenError
from .model import PlanId
from .price import PriceId
from .pricing_table import PricingTable, PricingTableId, PricingTableRow
from .store import Position

_TABLE = "id, slug, name, created_at, archived_at"


async def insert_pricing_table(tx: Tx, table: PricingTable) -> None:
    """Stores a new table with its rows. Raises SlugTakenError."""
    with unique_or("pricing_table_slug_key", SlugTakenError("pricing table", table.slug)):
        await tx.execute(
            """
            INSERT INTO pricing_table (merchant_id, id, slug, name, created_at)
            VALUES ($1, $2, $3, $4, $5)
            """,
            tx.merchant_id,
            table.id,
            table.slug,
            table.name,
            table.created_at,
        )
    await _insert_rows(tx, table)


async def archive_pricing_table(tx: Tx, table: PricingTable) -> None:
    """Writes when the table was archived."""
    await tx.execute(
        "UPDATE pricing_table SET archived_at = $3 WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        table.id,
        table.archived_at,
    )


async def update_pricing_table(tx: Tx, table: PricingTable) -> None:
    """Writes the name, and the rows in place of the old ones."""
    await tx.execute(
        "UPDATE pricing_table SET name = $3 WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        table.id,
        table.name,
    )
    await tx.execute(
        "DELETE FROM pricing_table_row WHERE merchant_id = $1 AND pricing_table_id = $2",
        tx.merchant_id,
        table.id,
    )
    await _insert_rows(tx, table)


async def find_pricing_table(
    tx: Tx, *, table_id: str = "", slug: str = "", lock: bool = False
) -> PricingTable | None:
    """The table with this id or slug; locked until commit when asked."""
    rows = await tx.fetch(
        f"""
        SELECT {_TABLE} FROM pricing_table WHERE merchant_id = $1 AND (id = $2 OR slug = $3)
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        table_id,
        slug,
    )
    found = await _with_rows(tx, rows)
    return found[0] if found else None


async def list_pricing_tables(tx: Tx, *, limit: int, after: Position | None) -> list[PricingTable]:
    """One page of tables, archived ones too, by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_TABLE} FROM pricing_table
        WHERE merchant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
        ORDER BY created_at, id LIMIT $4
        """,
        tx.merchant_id,
        after_at,
        after_id,
        limit,
    )
    return await _with_rows(tx, rows)


async def list_public_price_ids(tx: Tx, plan_ids: Sequence[PlanId]) -> list[PriceId]:
    """The prices of these plans that are neither archived nor private."""
    rows = await tx.fetch(
        """
        SELECT id FROM price
        WHERE merchant_id = $1 AND plan_id = ANY($2::text[])
          AND archived_at IS NULL AND private_customer_id IS NULL
        """,
        tx.merchant_id,
        list(plan_ids),
    )
    return [PriceId(row["id"]) for row in rows]


async def list_trial_days(tx: Tx, parent_ids: Sequence[PlanId]) -> dict[PlanId, int]:
    """How many days the trial of each of these plans lasts; plans without a trial on sale are left out (TRL-3).

    The latest trial plan counts that is not archived and has a published version. The columns are read by name out of
    the row, so that a schema in which no plan can be a trial answers that there are none.
    """
    rows: Sequence[Mapping[str, Any]] = await tx.fetch(
        """
        SELECT DISTINCT ON (parent_id) parent_id, trial_days
        FROM (
            SELECT to_jsonb(p) ->> 'trial_parent_plan_id' AS parent_id,
                   (to_jsonb(p) ->> 'trial_days')::integer AS trial_days, p.created_at, p.id
            FROM plan p
            WHERE p.merchant_id = $1 AND p.archived_at IS NULL
              AND EXISTS (
                  SELECT FROM plan_version v
                  WHERE v.merchant_id = p.merchant_id AND v.plan_id = p.id
                    AND v.status = 'published')
        ) trial
        WHERE parent_id = ANY($2::text[]) AND trial_days > 0
        ORDER BY parent_id, created_at DESC, id DESC
        """,
        tx.merchant_id,
        list(parent_ids),
    )
    return {PlanId(row["parent_id"]): row["trial_days"] for row in rows}


async def _insert_rows(tx: Tx, table: PricingTable) -> None:
    await tx.executemany(
        """
        INSERT INTO pricing_table_row (merchant_id, pricing_table_id, position, plan_id, popular,
                                       enterprise_redirect_url)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (
                tx.merchant_id,
                table.id,
                position,
                row.plan_id,
                row.popular,
                row.enterprise_redirect_url,
            )
            for position, row in enumerate(table.rows)
        ],
    )


async def _with_rows(tx: Tx, found: Sequence[Mapping[str, Any]]) -> list[PricingTable]:
    rows = await tx.fetch(
        """
        SELECT pricing_table_id, plan_id, popular, enterprise_redirect_url
        FROM pricing_table_row
        WHERE merchant_id = $1 AND pricing_table_id = ANY($2::text[])
        ORDER BY pricing_table_id, position
        """,
        tx.merchant_id,
        [row["id"] for row in found],
    )
    by_table: dict[str, list[PricingTableRow]] = {}
    for row in rows:
        by_table.setdefault(row["pricing_table_id"], []).append(
            PricingTableRow(
                plan_id=PlanId(row["plan_id"]),
                popular=row["popular"],
                enterprise_redirect_url=row["enterprise_redirect_url"],
            )
        )
    return [_table_from_row(row, tuple(by_table.get(row["id"], ()))) for row in found]


def _table_from_row(row: Mapping[str, Any], rows: tuple[PricingTableRow, ...]) -> PricingTable:
    return PricingTable(
        id=PricingTableId(row["id"]),
        slug=row["slug"],
        name=row["name"],
        rows=rows,
        created_at=row["created_at"],
        archived_at=row["archived_at"],
    )
