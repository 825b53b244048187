"""Every SQL text that adds versions to subscriptions, and reads those that were in force; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from candela_server.catalog.model import PlanVersionId
from candela_server.kernel.money import format_decimal
from candela_server.storage.postgres import Tx

from .model import SubscriptionId, SubscriptionVersion


async def append_versions(
    tx: Tx, versions: Mapping[SubscriptionId, SubscriptionVersion]
) -> set[SubscriptionId]:
    """Ends the versions before these and stores these, each numbered one more than the one it follows (SUB-3).

    Returns the subscriptions that got theirs: where another version has come in between, nothing is stored, and the
    caller decides anew. The subscriptions should be locked.
    """
    ended = await tx.fetch(
        """
        UPDATE subscription_version v SET valid_to = u.valid_from
        FROM unnest($2::text[], $3::int[], $4::timestamptz[]) AS u (id, number, valid_from)
        WHERE v.merchant_id = $1 AND v.subscription_id = u.id AND v.number = u.number - 1
          AND v.valid_to IS NULL
        RETURNING v.subscription_id
        """,
        tx.merchant_id,
        list(versions),
        [version.number for version in versions.values()],
        [version.valid_from for version in versions.values()],
    )
    appended = {SubscriptionId(row["subscription_id"]) for row in ended}
    fresh = {one_id: version for one_id, version in versions.items() if one_id in appended}
    await tx.execute(
        """
        INSERT INTO subscription_version (merchant_id, subscription_id, number, status, plan_id,
                                          plan_version_id, price_id, quantities, valid_from, reason,
                                          actor)
        SELECT $1, u.*
        FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::jsonb[], $9::timestamptz[], $10::text[], $11::text[]) AS u
        """,
        tx.merchant_id,
        list(fresh),
        [version.number for version in fresh.values()],
        [version.status for version in fresh.values()],
        [version.plan_id for version in fresh.values()],
        [version.plan_version_id for version in fresh.values()],
        [version.price_id for version in fresh.values()],
        [
            {key: format_decimal(value) for key, value in version.quantities.items()}
            for version in fresh.values()
        ],
        [version.valid_from for version in fresh.values()],
        [version.reason for version in fresh.values()],
        [version.actor for version in fresh.values()],
    )
    return appended


async def list_plan_versions(
    tx: Tx, ids: Sequence[SubscriptionId]
) -> dict[SubscriptionId, list[tuple[datetime, PlanVersionId]]]:
    """Which plan version each subscription was on, and since when, oldest first."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, valid_from, plan_version_id FROM subscription_version
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[])
        ORDER BY subscription_id, number
        """,
        tx.merchant_id,
        list(ids),
    )
    found: dict[SubscriptionId, list[tuple[datetime, PlanVersionId]]] = {one: [] for one in ids}
    for row in rows:
        found[row["subscription_id"]].append((row["valid_from"], row["plan_version_id"]))
    return found
