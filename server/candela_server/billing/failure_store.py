"""Every SQL text over what the pipeline could not do and tries again later; nothing here decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from candela_server.storage.postgres import Tx


class Work(StrEnum):
    """What the pipeline does of which one can fail while the others go on."""

    SUBSCRIPTION = "subscription"
    """Billing what is due of a subscription."""
    DRAFT = "draft"
    """Finalizing a draft."""
    SCHEDULED_CHANGE = "scheduled_change"
    """Making a scheduled change, and billing it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingFailure:
    """One thing that could not be done, and when it is tried again."""

    subject_id: str
    failure: str
    attempts: int
    failed_at: datetime
    retry_at: datetime


async def list_failures(tx: Tx, work: Work) -> list[BillingFailure]:
    """What of a merchant's could not be done."""
    rows = await tx.fetch(
        """
        SELECT subject_id, failure, attempts, failed_at, retry_at FROM billing_failure
        WHERE merchant_id = $1 AND kind = $2 ORDER BY failed_at, subject_id
        """,
        tx.merchant_id,
        work,
    )
    return [BillingFailure(**row) for row in rows]


async def put_failure(tx: Tx, work: Work, one: BillingFailure) -> None:
    """Notes a failure, over the earlier one of the same."""
    await tx.execute(
        """
        INSERT INTO billing_failure (merchant_id, kind, subject_id, failure, attempts, failed_at,
                                     retry_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (merchant_id, kind, subject_id) DO UPDATE
        SET failure = $4, attempts = $5, failed_at = $6, retry_at = $7
        """,
        tx.merchant_id,
        work,
        one.subject_id,
        one.failure,
        one.attempts,
        one.failed_at,
        one.retry_at,
    )


async def forget_failures(tx: Tx, work: Work, subjects: Sequence[str]) -> None:
    """Forgets failures: it was done, or need not be done any more."""
    await tx.execute(
        """
        DELETE FROM billing_failure
        WHERE merchant_id = $1 AND kind = $2 AND subject_id = ANY($3::text[])
        """,
        tx.merchant_id,
        work,
        list(subjects),
    )


async def count_failures(tx: Tx) -> dict[Work, int]:
    """How much of each kind could not be done, of all merchants; in a system transaction."""
    # tenant-scope: the operator of the machine is warned about all merchants
    rows = await tx.fetch("SELECT kind, count(*) AS count FROM billing_failure GROUP BY kind")
    found = {Work(row["kind"]): row["count"] for row in rows}
    return {work: found.get(work, 0) for work in Work}
