"""Every SQL text that adds versions to subscriptions, and reads those that were in force; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from candela_server.kernel.interval import Interval
from candela_server.kernel.money import format_decimal
from candela_server.merchant.model import TestClockId
from candela_server.storage.postgres import Tx

from . import store
from .model import Status, Subscription, SubscriptionId, SubscriptionVersion


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
                                          actor, anchor_at, cancel_at, terms_since, proration)
        SELECT $1, u.*
        FROM unnest($2::text[], $3::int[], $4::text[], $5::text[], $6::text[], $7::text[],
                    $8::jsonb[], $9::timestamptz[], $10::text[], $11::text[], $12::timestamptz[],
                    $13::timestamptz[], $14::timestamptz[], $15::text[]) AS u
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
        [version.anchor_at for version in fresh.values()],
        [version.cancel_at for version in fresh.values()],
        [version.terms_since for version in fresh.values()],
        [version.proration for version in fresh.values()],
    )
    return appended


async def list_histories(
    tx: Tx, ids: Sequence[SubscriptionId]
) -> dict[SubscriptionId, list[Subscription]]:
    """All versions of these subscriptions, oldest first."""
    found: dict[SubscriptionId, list[Subscription]] = {one: [] for one in ids}
    for one in await store.list_versions_of(tx, ids):
        found[one.id].append(one)
    return found


async def list_ended(
    tx: Tx, *, since: datetime, test_clock_id: TestClockId | None
) -> list[Subscription]:
    """The subscriptions whose version in force is an end after an instant, of customers on one clock, by id."""
    rows = await tx.fetch(
        """
        SELECT v.subscription_id FROM subscription_version v
        JOIN subscription s ON s.merchant_id = v.merchant_id AND s.id = v.subscription_id
        JOIN customer c ON c.merchant_id = s.merchant_id AND c.id = s.customer_id
        WHERE v.merchant_id = $1 AND v.valid_to IS NULL AND v.status IN ('canceled', 'expired')
          AND v.valid_from > $2 AND c.test_clock_id IS NOT DISTINCT FROM $3
        """,
        tx.merchant_id,
        since,
        test_clock_id,
    )
    found = await store.list_subscriptions_by_id(tx, [row["subscription_id"] for row in rows])
    return sorted(found, key=lambda one: one.id)


async def list_past_due(tx: Tx, test_clock_id: TestClockId | None) -> set[SubscriptionId]:
    """The subscriptions that are past due now, of customers in real time or on one test clock."""
    rows = await tx.fetch(
        """
        SELECT v.subscription_id FROM subscription_version v
        JOIN subscription s ON s.merchant_id = v.merchant_id AND s.id = v.subscription_id
        JOIN customer c ON c.merchant_id = s.merchant_id AND c.id = s.customer_id
        WHERE v.merchant_id = $1 AND v.valid_to IS NULL AND v.status = 'past_due'
          AND c.test_clock_id IS NOT DISTINCT FROM $2
        """,
        tx.merchant_id,
        test_clock_id,
    )
    return {SubscriptionId(row["subscription_id"]) for row in rows}


async def list_merchants_with_past_due(tx: Tx) -> list[str]:
    """The merchants who have subscriptions that are past due; in a system transaction."""
    # tenant-scope: the pipeline looks for due work of all merchants
    rows = await tx.fetch(
        """
        SELECT DISTINCT merchant_id FROM subscription_version
        WHERE valid_to IS NULL AND status = 'past_due'
        """
    )
    return [row["merchant_id"] for row in rows]


async def list_pauses(
    tx: Tx, ids: Sequence[SubscriptionId]
) -> list[tuple[SubscriptionId, Interval]]:
    """The pauses of these subscriptions that are over, oldest first; a change within a pause makes two of it."""
    rows = await tx.fetch(
        """
        SELECT subscription_id, valid_from, valid_to FROM subscription_version
        WHERE merchant_id = $1 AND subscription_id = ANY($2::text[])
          AND status = 'paused' AND valid_from < valid_to
        ORDER BY subscription_id, number
        """,
        tx.merchant_id,
        list(ids),
    )
    return [
        (SubscriptionId(row["subscription_id"]), Interval(row["valid_from"], row["valid_to"]))
        for row in rows
    ]


async def status_before_pause(tx: Tx, subscription_id: SubscriptionId) -> Status | None:
    """Where the subscription stood when it was last not paused."""
    found: str | None = await tx.fetchval(
        """
        SELECT status FROM subscription_version
        WHERE merchant_id = $1 AND subscription_id = $2 AND status <> 'paused'
        ORDER BY number DESC LIMIT 1
        """,
        tx.merchant_id,
        subscription_id,
    )
    return Status(found) if found else None
