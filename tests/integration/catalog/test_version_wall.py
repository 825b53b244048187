"""What was published stays as it was, even for SQL that the application's own role writes by hand (CAT-3)."""

from __future__ import annotations

import asyncio

import pytest

from candela_server.storage.postgres import Postgres

from tests.helpers.blocking import until_waiting
from tests.integration.catalog.services import Catalog

ADD_FEATURE = """
    INSERT INTO plan_version_feature (merchant_id, plan_version_id, feature_id, position, value, limit_scope)
    SELECT merchant_id, $2, id, 9, '{"boolean": true}', 'customer' FROM feature
    WHERE merchant_id = $1 AND slug = 'extra'
"""
ADD_CREDITS = """
    INSERT INTO credit_definition (merchant_id, id, name, scope, application_type, plan_id, plan_version_id, feature_id,
        metric_id, default_amount, refill_amount, renew_on_billing, billing_visible, basis, created_at)
    SELECT merchant_id, 'cdef_more', 'More', scope, application_type, plan_id, $2, feature_id,
        metric_id, 1, 1, true, true, basis, created_at
    FROM credit_definition WHERE merchant_id = $1 LIMIT 1
"""


async def run(db: Postgres, merchant_id: str, sql: str, *arguments: object) -> None:
    async with db.writing(merchant_id) as tx:
        await tx.execute(sql, merchant_id, *arguments)


async def contents(catalog: Catalog, version_id: str) -> list[object]:
    async with catalog.db.reading(catalog.merchant_id) as tx:
        return [
            await tx.fetch(
                f"SELECT to_jsonb(t) FROM {table} t WHERE merchant_id = $1 AND {column} = $2 ORDER BY 1",
                catalog.merchant_id,
                version_id,
            )
            for table, column in (
                ("plan_version", "id"),
                ("plan_version_feature", "plan_version_id"),
                ("credit_definition", "plan_version_id"),
            )
        ]


@pytest.mark.spec("CAT-3")
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE plan_version_feature SET value = '{}' WHERE merchant_id = $1 AND plan_version_id = $2",
        "DELETE FROM plan_version_feature WHERE merchant_id = $1 AND plan_version_id = $2",
        ADD_FEATURE,
        "UPDATE plan_version SET message = 'x' WHERE merchant_id = $1 AND id = $2",
        "UPDATE plan_version SET number = 7 WHERE merchant_id = $1 AND id = $2",
        "UPDATE plan_version SET status = 'draft', published_at = NULL WHERE merchant_id = $1 AND id = $2",
        "UPDATE credit_definition SET default_amount = 5 WHERE merchant_id = $1 AND plan_version_id = $2",
        "DELETE FROM credit_definition WHERE merchant_id = $1 AND plan_version_id = $2",
        ADD_CREDITS,
    ],
    ids=[
        "feature changed",
        "feature taken out",
        "feature added",
        "message changed",
        "number changed",
        "made a draft again",
        "credits changed",
        "credits taken out",
        "credits added",
    ],
)
async def test_published_version__refuses_sql_of_the_applications_role(
    catalog: Catalog, sql: str
) -> None:
    version_id = (await catalog.sell_team_plan()).version.id
    await new_feature(catalog)
    before = await contents(catalog, version_id)

    with pytest.raises(Exception, match="never changes"):
        await run(catalog.db, catalog.merchant_id, sql, version_id)

    assert await contents(catalog, version_id) == before


@pytest.mark.spec("CAT-3")
async def test_rows_of_a_draft__cannot_be_moved_into_a_published_version(catalog: Catalog) -> None:
    version_id = (await catalog.sell_team_plan()).version.id
    await new_feature(catalog)
    draft = await catalog.draft()
    await run(catalog.db, catalog.merchant_id, ADD_FEATURE, draft.id)

    for table in ("plan_version_feature", "credit_definition"):
        with pytest.raises(Exception, match="never changes"):
            await run(
                catalog.db,
                catalog.merchant_id,
                f"UPDATE {table} SET plan_version_id = $2 WHERE merchant_id = $1 AND plan_version_id = $3",
                version_id,
                draft.id,
            )


@pytest.mark.spec("CAT-3")
@pytest.mark.parametrize("status", ["published", "archived"])
async def test_version__cannot_begin_as_anything_but_a_draft(catalog: Catalog, status: str) -> None:
    await catalog.sell_team_plan()

    with pytest.raises(Exception, match="must begin as a draft"):
        await run(
            catalog.db,
            catalog.merchant_id,
            """
            INSERT INTO plan_version (merchant_id, id, plan_id, number, status, created_at, published_at)
            SELECT merchant_id, 'plv_sly', plan_id, 2, $2, created_at, created_at + interval '1 day'
            FROM plan_version WHERE merchant_id = $1
            """,
            status,
        )


@pytest.mark.spec("CAT-3")
async def test_archived_version__is_never_sold_again(catalog: Catalog) -> None:
    version_id = (await catalog.sell_team_plan()).version.id
    await run(
        catalog.db,
        catalog.merchant_id,
        "UPDATE plan_version SET status = 'archived' WHERE merchant_id = $1 AND id = $2",
        version_id,
    )

    with pytest.raises(Exception, match="never changes"):
        await run(
            catalog.db,
            catalog.merchant_id,
            "UPDATE plan_version SET status = 'published' WHERE merchant_id = $1 AND id = $2",
            version_id,
        )


@pytest.mark.spec("CAT-3")
async def test_feature_added_while_its_draft_is_being_published__waits_and_is_refused(
    catalog: Catalog,
) -> None:
    await catalog.sell_team_plan()
    await new_feature(catalog)
    draft = await catalog.draft()

    async with catalog.db.writing(catalog.merchant_id) as tx:
        await tx.execute(
            """
            UPDATE plan_version SET status = 'published', published_at = created_at + interval '1 day'
            WHERE merchant_id = $1 AND id = $2
            """,
            catalog.merchant_id,
            draft.id,
        )
        sneaking = asyncio.create_task(run(catalog.db, catalog.merchant_id, ADD_FEATURE, draft.id))
        # Until this transaction ends it can neither look nor write.
        await until_waiting(catalog.db.url, await tx.fetchval("SELECT pg_backend_pid()"))
        assert not sneaking.done()

    with pytest.raises(Exception, match="never changes"):
        await sneaking


async def new_feature(catalog: Catalog) -> None:
    await run(
        catalog.db,
        catalog.merchant_id,
        """
        INSERT INTO feature (merchant_id, id, slug, name, type, default_value, created_at)
        VALUES ($1, 'feat_extra', 'extra', 'Extra', 'boolean', '{"boolean": false}', '2026-01-01Z')
        """,
    )
