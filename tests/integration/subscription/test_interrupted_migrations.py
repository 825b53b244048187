"""Migrations whose job ends in the middle, runs twice or is canceled: nobody moves twice (CAT-9)."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime

import pytest
from candela.subscription.v1 import migration_service_pb2 as pb

from candela_server.kernel.clock import FixedClock

from tests.helpers.migrating import (
    CANCELED,
    DONE,
    MOVED,
    PENDING,
    RUNNING,
    Migrations,
)
from tests.integration.subscription.moving import move_counts, reasons


class FailingClock(FixedClock):
    """Tells the time so many times, and then the process ends."""

    def __init__(self, now: datetime, answers: int) -> None:
        super().__init__(now)
        self.answers = answers

    def now(self) -> datetime:
        self.answers -= 1
        if self.answers < 0:
            raise RuntimeError("the worker ended")
        return super().now()


@pytest.mark.spec("CAT-9")
@pytest.mark.parametrize("answers", range(6))
async def test_worker_that_ends_in_the_middle_of_a_chunk__is_resumed_and_nobody_moves_twice(
    moving: Migrations, answers: int
) -> None:
    await moving.subscribers([f"customer-{number}" for number in range(10)])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    ending = replace_clock(moving, FailingClock(moving.clock.now(), answers))
    with pytest.raises(RuntimeError, match="the worker ended"):
        await ending.work(migration.id, chunk=3)
    between = await moving.get(migration.id)

    # Each chunk asks twice: what time it is for its customers, and when it ends. A chunk counts when it is whole.
    assert (between.status, between.done_count) == (RUNNING, 3 * (answers // 2))
    assert await moving.work(migration.id, chunk=3) == 10 - between.done_count
    assert (await moving.get(migration.id)).status == DONE
    assert await move_counts(moving) == {1: 10}


def replace_clock(moving: Migrations, clock: FixedClock) -> Migrations:
    other = Migrations(moving.db, clock, moving.merchant_id)
    other.old, other.new = moving.old, moving.new
    return other


@pytest.mark.spec("CAT-9")
async def test_job_run_many_times_at_once_and_killed__moves_each_exactly_once(
    moving: Migrations,
) -> None:
    await moving.subscribers([f"customer-{number}" for number in range(40)])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())

    runs = [asyncio.create_task(moving.work(migration.id, chunk=2)) for _ in range(5)]
    await asyncio.sleep(0)
    for killed in runs[::2]:
        killed.cancel()
    for run in runs:
        with contextlib.suppress(asyncio.CancelledError):
            await run
    await moving.work(migration.id)

    assert (await moving.get(migration.id)).done_count == 40
    assert await move_counts(moving) == {1: 40}


@pytest.mark.spec("CAT-9")
async def test_canceled_in_the_middle__leaves_the_moved_ones_moved_and_moves_nobody_else(
    moving: Migrations,
) -> None:
    await moving.subscribers([f"customer-{number}" for number in range(8)])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())
    failing = replace_clock(moving, FailingClock(moving.clock.now(), 2))
    with pytest.raises(RuntimeError):
        await failing.work(migration.id, chunk=3)

    canceled = (
        await moving.call("CancelMigration", pb.CancelMigrationRequest(migration_id=migration.id))
    ).migration
    decided = await moving.work(migration.id)
    again = (
        await moving.call("CancelMigration", pb.CancelMigrationRequest(migration_id=migration.id))
    ).migration
    results = await moving.results(migration.id)

    assert (canceled.status, canceled.done_count, canceled.failed_count) == (CANCELED, 3, 5)
    assert decided == 0
    assert again == canceled == await moving.get(migration.id)
    assert set(reasons(results).values()) == {"migration_canceled"}
    assert await move_counts(moving) == {1: 3, 0: 5}


@pytest.mark.spec("CAT-9")
async def test_subscription_that_is_being_billed__is_passed_by_and_moved_afterwards(
    moving: Migrations,
) -> None:
    held = await moving.subscribers(["acme", "initech"])
    await moving.publish_next()
    migration = await moving.create(**moving.wanted())

    async with moving.db.writing(moving.merchant_id) as tx:
        await tx.execute(
            "SELECT 1 FROM subscription WHERE merchant_id = $1 AND id = $2 FOR UPDATE",
            moving.merchant_id,
            held[0].id,
        )
        meanwhile = await moving.work(migration.id)
        results = await moving.results(migration.id)
    afterwards = await moving.work(migration.id)

    assert [results[one.id].outcome for one in held] == [PENDING, MOVED]
    assert (meanwhile, afterwards) == (1, 1)
    assert (await moving.get(migration.id)).status == DONE
