"""Reads the audit trail (AUD-1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from candela_server.kernel.interval import Interval
from candela_server.storage.postgres import Tx

from . import store


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """The trace of one change: who did what to which thing, with its state before and after."""

    id: str
    at: datetime
    actor: str
    api_key_id: str | None
    action: str
    subject_id: str
    reason: str | None
    before: dict[str, object] | None
    after: dict[str, object] | None
    request_id: str | None
    method: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Which entries; None selects everything."""

    subject_id: str | None = None
    action: str | None = None
    api_key_id: str | None = None
    request_id: str | None = None
    during: Interval | None = None


async def list_audit_entries(
    tx: Tx, wanted: AuditFilter, *, limit: int, before: tuple[datetime, str] | None
) -> list[AuditEntry]:
    """One page of entries, newest first."""
    rows = await store.list_audit_rows(
        tx,
        limit=limit,
        before=before,
        subject_id=wanted.subject_id,
        action=wanted.action,
        key_id=wanted.api_key_id,
        request_id=wanted.request_id,
        during=wanted.during,
    )
    return [
        AuditEntry(
            id=row["id"],
            at=row["at"],
            actor=row["actor"],
            api_key_id=row["key_id"],
            action=row["action"],
            subject_id=row["subject_id"],
            reason=row["reason"],
            before=row["before"],
            after=row["after"],
            request_id=row["request_id"],
            method=row["method"],
        )
        for row in rows
    ]
