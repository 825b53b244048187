"""A killed worker holds no lock for ever: what it had begun is queued again (INV-2, CAT-9)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import procrastinate
import pytest

from candela_server.worker.revive_jobs import revive_jobs


@pytest.fixture
async def jobs(own_database: str) -> AsyncIterator[procrastinate.App]:
    """A queue with one kind of job."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=own_database))

    @app.task(name="work", lock="work", queueing_lock="work")
    async def work() -> None:
        """Does nothing."""

    async with app.open_async():
        yield app


async def begin(app: procrastinate.App) -> int | None:
    """Takes the next job, as a worker that then says nothing any more; its id, or None."""
    worker_id = await app.job_manager.register_worker()
    job = await app.job_manager.fetch_job(queues=None, worker_id=worker_id)
    await app.connector.execute_query_async(
        "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 minute' WHERE id = %(id)s",
        id=worker_id,
    )
    return job.id if job else None


async def defer(app: procrastinate.App) -> int:
    return await app.tasks["work"].defer_async()


@pytest.mark.spec("INV-2", "CAT-9")
async def test_job_of_a_dead_worker__is_queued_again_with_its_lock(jobs: procrastinate.App) -> None:
    job_id = await defer(jobs)
    assert await begin(jobs) == job_id
    assert await begin(jobs) is None

    assert await revive_jobs(jobs) == 1
    assert await begin(jobs) == job_id


@pytest.mark.spec("INV-2", "CAT-9")
async def test_job_of_a_dead_worker_whose_like_waits__is_given_up(jobs: procrastinate.App) -> None:
    await defer(jobs)
    assert await begin(jobs) is not None
    waiting = await defer(jobs)
    assert await begin(jobs) is None  # the dead one holds the lock

    assert await revive_jobs(jobs) == 1
    assert await revive_jobs(jobs) == 0
    assert await begin(jobs) == waiting


@pytest.mark.spec("INV-2")
async def test_job_of_a_living_worker__is_left_to_it(jobs: procrastinate.App) -> None:
    await defer(jobs)
    worker_id = await jobs.job_manager.register_worker()
    await jobs.job_manager.fetch_job(queues=None, worker_id=worker_id)

    assert await revive_jobs(jobs) == 0
