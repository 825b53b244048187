"""Statements with optional filters are planned for the values they are asked with, however often they are asked."""

from __future__ import annotations

import pytest

from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Postgres

from tests.conftest import TestMerchant

_SQL = "SELECT id FROM customer WHERE merchant_id = $1 AND ($2::text IS NULL OR id = $2)"


@pytest.mark.spec("EVT-8")
async def test_statement_that_was_asked_often__is_not_planned_for_all_values(
    db: Postgres, merchant: TestMerchant
) -> None:
    async with db.reading(merchant.id) as tx:
        for _ in range(8):
            await fetch_planned(tx, _SQL, tx.merchant_id, None)
        plans = await tx.fetch(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1",
            _SQL,
        )

    assert [tuple(one.values()) for one in plans] == [(0, 8)]
