"""Callers who ask about the same allowance at the same time share a transaction, and nothing else (ENT-9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from candela.entitlement.v1 import reservation_pb2

from candela_server.customer.model import Customer, CustomerById
from candela_server.entitlement import reservation_store
from candela_server.entitlement.reservation import (
    LimitReachedError,
    ReservationNotFoundError,
    ReservationSettledError,
)
from candela_server.kernel.errors import InvalidInput, Unavailable
from candela_server.storage.mutation import IdempotencyMismatchError

from tests.helpers.blocking import until_waiting, waiting_for
from tests.helpers.waiting import eventually
from tests.integration.entitlement.reserving import LIMIT, Desk, usage_of

RELEASED = reservation_pb2.RESERVATION_STATUS_RELEASED


@pytest.mark.spec("ENT-9", "AUD-1")
async def test_callers_who_wait_for_one_allowance__are_decided_in_one_transaction(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()

    async with _held_up(desk, customer) as first:
        calls = [asyncio.create_task(desk.reserve(customer, "1")) for _ in range(LIMIT + 4)]
        await _until_waiting(desk, first)
    got = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(one, LimitReachedError) for one in got] == [False] * LIMIT + [True] * 4
    rows = await _rows(
        desk,
        "SELECT count(*) AS made, count(DISTINCT xmin::text) AS transactions FROM entitlement_reservation"
        " WHERE merchant_id = $1 AND customer_id = $2",
        customer.id,
    )
    # Whoever came first may have gone alone, and all others went together.
    assert rows[0]["made"] == LIMIT
    assert rows[0]["transactions"] <= 2
    audited = await _rows(
        desk,
        "SELECT count(DISTINCT subject_id) AS subjects, count(*) AS entries FROM audit_entry"
        " WHERE merchant_id = $1 AND action = 'reservation.held' AND after->>'customer_id' = $2"
        " AND actor <> 'system' AND method LIKE '%/Reserve'",
        customer.id,
    )
    assert (audited[0]["subjects"], audited[0]["entries"]) == (LIMIT, LIMIT)


@pytest.mark.spec("ENT-9")
async def test_some_of_those_who_wait_are_refused__each_for_its_own_reason_and_no_neighbour_is(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()
    kept, given = [(await desk.reserve(customer, "4")).reservation for _ in range(2)]
    gone = (await desk.reserve(customer, "1")).reservation
    await desk.release(gone)
    await desk.consume(customer, "1", key="used before")
    missing = reservation_pb2.Reservation(id="rsv_01h455vb4pex5vsknk084sn02q")

    async with _held_up(desk, customer) as first:
        calls = [
            desk.reserve(customer, "2"),
            desk.reserve(customer, "2", key="same"),
            desk.reserve(customer, "2", key="same"),
            desk.reserve(customer, "3", key="same"),
            desk.commit(gone),
            desk.commit(kept, "5"),
            desk.release(given),
            desk.consume(customer, "100"),
            desk.consume(customer, "1", properties=b'{"tokens": '),
            desk.consume(customer, "5"),
            desk.commit(missing),
        ]
        tasks = [asyncio.create_task(_named(call)) for call in calls]
        await _until_waiting(desk, first)
    got: list[Any] = list(await asyncio.gather(*tasks))

    assert usage_of(got[0])[1] == "10"
    assert got[1] == got[2]
    assert isinstance(got[3], IdempotencyMismatchError)
    assert isinstance(got[4], ReservationSettledError)
    assert got[5].reservation.committed_quantity == "5"
    assert got[6].status == RELEASED
    assert not got[7].consumed
    assert isinstance(got[8], InvalidInput)
    assert got[9].consumed
    assert isinstance(got[10], ReservationNotFoundError)
    # 1 before, 5 committed, 5 consumed; two holds of 2.
    assert await desk.used(customer) == 11
    await desk.until_reserved(customer, 4)


@pytest.mark.spec("ENT-9", "OPS-1")
async def test_database_fails_amid_a_batch__all_of_it_is_unavailable_and_nothing_is_half_done(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()
    keys = [f"again-{number}" for number in range(10)]

    async with _held_up(desk, customer) as first:
        calls = [asyncio.create_task(_named(desk.consume(customer, "1", key=key))) for key in keys]
        await _until_waiting(desk, first)
        while not all(one.done() for one in calls):
            await _kill(desk, first)
            await asyncio.sleep(0.02)
        got = await asyncio.gather(*calls)
    nothing = await desk.used(customer)
    again = await asyncio.gather(*[desk.consume(customer, "1", key=key) for key in keys])

    assert all(isinstance(one, Unavailable) for one in got), got
    assert nothing == 0
    assert all(one.consumed for one in again)
    assert await desk.used(customer) == len(keys)


@pytest.mark.spec("ENT-9")
async def test_callers_give_up__who_waits_leaves_no_trace_and_who_is_decided_counts_once(
    desk: Desk,
) -> None:
    customer = await desk.shop.sign_up()

    async with _held_up(desk, customer) as first:
        begun = asyncio.create_task(desk.consume(customer, "2", key="begun"))
        await _until_waiting(desk, first)
        waiting = asyncio.create_task(desk.consume(customer, "3", key="waiting"))
        staying = asyncio.create_task(desk.consume(customer, "4", key="staying"))
        await asyncio.sleep(0.05)
        begun.cancel()
        waiting.cancel()
        gone = await asyncio.gather(begun, waiting, return_exceptions=True)
    await staying

    async def counted() -> bool:
        return await desk.used(customer) == 6

    await eventually(counted)
    repeated = await desk.consume(customer, "2", key="begun")
    late = await desk.consume(customer, "3", key="waiting")

    assert all(isinstance(one, asyncio.CancelledError) for one in gone)
    assert usage_of(repeated)[0] == "2"
    assert late.consumed
    assert await desk.used(customer) == 9


async def _named(call: Any) -> Any:
    """The answer, or why there is none."""
    try:
        return await call
    except Exception as error:
        return error


@asynccontextmanager
async def _held_up(desk: Desk, customer: Customer) -> AsyncIterator[int]:
    """Somebody else decides about the customer's tokens until the block is left; yields its backend's number."""
    snapshot = await desk.checker.snapshot(desk.shop.merchant_id, CustomerById(customer.id))
    metered = snapshot.features["tokens"].metered
    assert metered is not None
    async with desk.shop.db.writing(desk.shop.merchant_id) as tx:
        await reservation_store.lock_allowance(tx, customer.id, metered.metric.id, None)
        yield await tx.fetchval("SELECT pg_backend_pid()")


async def _until_waiting(desk: Desk, holder: int) -> None:
    await until_waiting(desk.shop.db.url, holder)
    # The others of this moment are in the queue by then.
    await asyncio.sleep(0.05)


async def _kill(desk: Desk, holder: int) -> None:
    connection = await asyncpg.connect(desk.shop.db.url)
    try:
        for backend in await waiting_for(desk.shop.db.url, holder):
            await connection.execute("SELECT pg_terminate_backend($1)", backend)
    finally:
        await connection.close()


async def _rows(desk: Desk, sql: str, *arguments: object) -> Any:
    async with desk.shop.db.reading(desk.shop.merchant_id) as tx:
        return await tx.fetch(sql, desk.shop.merchant_id, *arguments)
