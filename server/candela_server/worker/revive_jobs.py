"""Takes up the jobs of workers that died, so that no lock is held by somebody who does not come back."""

from __future__ import annotations

import procrastinate
import structlog
from procrastinate.jobs import Status

log = structlog.get_logger("candela.worker")

SILENT_S = 30.0
"""How long a worker may be silent before it counts as dead; it says every 10 s that it lives."""


async def revive_jobs(app: procrastinate.App) -> int:
    """Queues again what dead workers had begun; returns how many jobs.

    Every job bears being run again. One whose like waits in the queue already is given up instead.
    """
    jobs = list(await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT_S))
    for job in jobs:
        try:
            await app.job_manager.retry_job(job)
        except procrastinate.exceptions.UniqueViolation:
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)
        log.warning("job_revived", job_id=job.id, task=job.task_name)
    return len(jobs)
