"""What an operator must be woken for, as Prometheus gauges: billing that waits for a person (OPS-1, INV-1).

Read from the database at each scrape, so that a restart forgets nothing and every server process says the same. When
the database does not answer they are absent; that is an alert of its own.
"""

from __future__ import annotations

import structlog
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from candela_server.billing import read as billing
from candela_server.storage.postgres import Postgres
from candela_server.subscription import read_schedule

log = structlog.get_logger("candela.http")


async def alerts(db: Postgres) -> bytes:
    """The gauges in Prometheus' text format; nothing while the database does not answer."""
    try:
        async with db.system() as tx:
            parked = await read_schedule.count_parked_everywhere(tx)
            failing = await billing.count_failures(tx)
    except Exception as error:
        log.warning("alerts_not_read", exc_info=error)
        return b""
    registry = CollectorRegistry()
    Gauge(
        "candela_billing_parked_subscriptions",
        "Subscriptions that a safety bound keeps from billing until somebody looks (candela parked list).",
        registry=registry,
    ).set(parked)
    gauge = Gauge(
        "candela_billing_failures",
        "What the pipeline could not do and tries again later, by kind of work.",
        ["work"],
        registry=registry,
    )
    for work, count in failing.items():
        gauge.labels(work).set(count)
    return generate_latest(registry)
