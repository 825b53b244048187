"""The second wall between merchants: row-level security, for the query that forgets its filter (KEY-2)."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from candela_server.kernel.caller import Mode
from candela_server.kernel.clock import FixedClock
from candela_server.merchant.create_merchant import CreateMerchant, create_merchant
from candela_server.storage.postgres import DatabaseUnavailableError, Postgres

from tests.conftest import TestMerchant
from tests.helpers.waiting import eventually

FORGETFUL = "SELECT merchant_id FROM api_key"


@pytest.mark.spec("KEY-2")
async def test_query_that_forgets_its_filter__sees_nothing_of_another_merchant(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    await create_merchant(db, clock, CreateMerchant(name="Other", mode=Mode.TEST))

    async with db.reading(merchant.id) as tx:
        rows = await tx.fetch(FORGETFUL)

    assert {row["merchant_id"] for row in rows} == {merchant.id}


@pytest.mark.spec("KEY-2")
async def test_no_merchant_set__sees_nothing_at_all(db: Postgres, merchant: TestMerchant) -> None:
    async with db.reading("") as tx:
        assert await tx.fetch(FORGETFUL) == []


@pytest.mark.spec("KEY-2")
async def test_row_written_for_another_merchant__is_refused(
    db: Postgres, clock: FixedClock, merchant: TestMerchant
) -> None:
    other = await create_merchant(db, clock, CreateMerchant(name="Other", mode=Mode.TEST))

    with pytest.raises(Exception, match="row-level security"):
        async with db.writing(merchant.id) as tx:
            await tx.execute(
                """
                INSERT INTO outbox (merchant_id, topic, key, payload, created_at, not_before)
                VALUES ($1, 'x', 'x', '{}', $2, $2)
                """,
                other.merchant.id,
                clock.now(),
            )


@pytest.mark.spec("KEY-2")
async def test_raw_events__are_out_of_reach_for_tenant_transactions(
    db: Postgres, merchant: TestMerchant
) -> None:
    with pytest.raises(Exception, match="permission denied"):
        async with db.reading(merchant.id) as tx:
            await tx.fetch("SELECT merchant_id FROM event")


@pytest.mark.spec("KEY-2")
async def test_many_interleaved_transactions__never_mix_merchants(
    db: Postgres, clock: FixedClock
) -> None:
    made = [
        await create_merchant(db, clock, CreateMerchant(name=f"M{n}", mode=Mode.TEST))
        for n in range(4)
    ]

    async def look(merchant_id: str) -> set[str]:
        async with db.reading(merchant_id) as tx:
            await asyncio.sleep(0)
            return {row["merchant_id"] for row in await tx.fetch(FORGETFUL)}

    wanted = [made[n % 4].merchant.id for n in range(400)]
    got = await asyncio.gather(*[look(merchant_id) for merchant_id in wanted])

    assert got == [{merchant_id} for merchant_id in wanted]


@pytest.mark.spec("KEY-2")
async def test_pool_after_its_connections_were_cut__serves_again(
    db: Postgres, postgres_dsn: str, merchant: TestMerchant
) -> None:
    import psycopg

    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
              AND application_name = 'candela'
            """
        )

    async def look() -> set[str] | None:
        with suppress(DatabaseUnavailableError):
            async with db.reading(merchant.id) as tx:
                return {row["merchant_id"] for row in await tx.fetch(FORGETFUL)}
        return None

    assert await eventually(look) == {merchant.id}
