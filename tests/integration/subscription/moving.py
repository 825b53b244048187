"""Short words for what tests of migrations look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from candela.subscription.v1 import migration_pb2

from candela_server.subscription import read, version_store
from candela_server.subscription.model import Status, Subscription

from tests.helpers.migrating import (
    FAILED,
    Migrations,
)


async def move_counts(moving: Migrations) -> Counter[int]:
    """How many subscriptions of the merchant have how many versions on the new plan version."""
    async with moving.db.reading(moving.merchant_id) as tx:
        rows = await tx.fetch(
            """
            SELECT count(*) FILTER (WHERE plan_version_id = $2) AS moves FROM subscription_version
            WHERE merchant_id = $1 GROUP BY subscription_id
            """,
            moving.merchant_id,
            moving.new.id,
        )
    return Counter(row["moves"] for row in rows)


async def cancel(moving: Migrations, held: Subscription) -> None:
    """Ends a subscription at once, as if it never had a period to serve out."""
    async with moving.db.writing(moving.merchant_id) as tx:
        found = await read.get_subscription(tx, held.id)
        canceled = replace(found.version, number=found.version.number + 1, status=Status.CANCELED)
        assert await version_store.append_versions(tx, {held.id: canceled}) == {held.id}


def reasons(results: Mapping[str, migration_pb2.MigrationResult]) -> dict[str, str]:
    """Why those failed that did, without the details."""
    return {
        one_id: one.reason.partition(":")[0]
        for one_id, one in results.items()
        if one.outcome == FAILED
    }
