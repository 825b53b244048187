"""Old versions of rollups can be removed soon, because what keeps them does not take long (EVT-3)."""

from __future__ import annotations

import pytest

from candela_server.catalog.model import Aggregation

from tests.integration.metering.builders import Metering, event

_LITTLE = 10
"""Times 300 rows, which PostgreSQL itself makes of it."""


@pytest.mark.spec("EVT-3")
async def test_tables_that_grow_with_events__are_analyzed_from_few_rows(
    metering: Metering,
) -> None:
    acme = await metering.add_customer("acme")
    await metering.add_metric("calls", Aggregation.SUM)
    await metering.record(event("one", acme, "3"))

    async with metering.events.reader() as connection:
        cursor = await connection.execute(
            """
            WITH RECURSIVE kept (oid) AS (
                SELECT one::regclass::oid
                FROM unnest('{event, event_key, usage_rollup, usage_distinct}'::text[]) AS one
                UNION ALL
                SELECT inhrelid FROM kept JOIN pg_inherits ON inhparent = kept.oid
            )
            SELECT relname, relispartition OR EXISTS (SELECT FROM pg_inherits WHERE inhrelid = kept.oid),
                   array_agg(DISTINCT coalesce(attstattarget, -1))
            FROM kept JOIN pg_class USING (oid) JOIN pg_attribute ON attrelid = oid
            WHERE attnum > 0 AND NOT attisdropped
            GROUP BY kept.oid, relname, relispartition
            """
        )
        rows = await cursor.fetchall()

    parts = [name for name, is_part, _ in rows if is_part]
    assert any(name.startswith("event_key_") for name in parts)
    assert any(not name.startswith("event_key_") for name in parts), "events are in parts as well"
    assert {name: targets for name, _, targets in rows if targets != [_LITTLE]} == {}
