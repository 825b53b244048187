"""Every SQL text over merchants, API keys, test clocks and the audit trail; nothing here decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from candela_server.kernel.caller import Mode, Scope
from candela_server.kernel.interval import Interval
from candela_server.storage.planned_for_values import fetch_planned
from candela_server.storage.postgres import Tx

from .model import (
    ApiKey,
    ApiKeyId,
    ApiKeyKind,
    Merchant,
    MerchantId,
    TestClock,
    TestClockId,
    TestClockStatus,
)
from .settings_json import settings_from_json, settings_to_json

_MERCHANT_COLUMNS = """merchant_id, name, mode, time_zone, default_currency, settings, created_at, version,
                       test_clock_id"""
_KEY_COLUMNS = """id, name, kind, prefix, scopes, created_at, expires_at, revoked_at, last_used_at,
                  replaced_by_id"""
_CLOCK_COLUMNS = "id, name, now_at, target_at, status, failure, created_at, archived_at"


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """A key with the merchant it opens."""

    merchant_id: MerchantId
    mode: Mode
    key: ApiKey


async def insert_merchant(tx: Tx, merchant: Merchant) -> None:
    """Stores a new merchant."""
    await tx.execute(
        """
        INSERT INTO merchant (merchant_id, name, mode, time_zone, default_currency, settings,
                              created_at, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        merchant.id,
        merchant.name,
        merchant.mode,
        merchant.time_zone,
        merchant.default_currency,
        settings_to_json(merchant.settings),
        merchant.created_at,
        merchant.version,
    )


async def update_merchant(tx: Tx, merchant: Merchant) -> None:
    """Writes everything that may change of the transaction's own merchant."""
    await tx.execute(
        """
        UPDATE merchant
        SET name = $2, time_zone = $3, default_currency = $4, settings = $5, version = $6,
            test_clock_id = $7
        WHERE merchant_id = $1
        """,
        tx.merchant_id,
        merchant.name,
        merchant.time_zone,
        merchant.default_currency,
        settings_to_json(merchant.settings),
        merchant.version,
        merchant.test_clock_id,
    )


async def find_merchant(tx: Tx, *, lock: bool = False) -> Merchant | None:
    """The transaction's own merchant; locked until commit when asked, but not for rows that refer to it."""
    row = await tx.fetchrow(
        f"""
        SELECT {_MERCHANT_COLUMNS}
        FROM merchant WHERE merchant_id = $1
        {"FOR NO KEY UPDATE" if lock else ""}
        """,
        tx.merchant_id,
    )
    return _merchant_from_row(row) if row else None


async def list_merchants(tx: Tx) -> list[Merchant]:
    """All merchants, oldest first; for the command line and for jobs, in a system transaction."""
    rows = await tx.fetch(
        f"""
        SELECT {_MERCHANT_COLUMNS}
        FROM merchant ORDER BY created_at, merchant_id
        """
    )
    return [_merchant_from_row(row) for row in rows]


async def longest_dedupe_window(tx: Tx) -> timedelta | None:
    """The longest time that any merchant's event keys are remembered; in a system transaction (EVT-2)."""
    # tenant-scope: what keys may be dropped is one question for all merchants
    seconds = await tx.fetchval(
        "SELECT max((settings ->> 'event_dedupe_window_s')::bigint) FROM merchant"
    )
    return None if seconds is None else timedelta(seconds=seconds)


async def insert_api_key(tx: Tx, key: ApiKey, *, key_hash: bytes, publishable: str | None) -> None:
    """Stores a new key: the hash of it, and the key itself only when it is publishable."""
    await tx.execute(
        """
        INSERT INTO api_key (merchant_id, id, name, kind, prefix, scopes, key_hash,
                             publishable_key, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        tx.merchant_id,
        key.id,
        key.name,
        key.kind,
        key.prefix,
        sorted(key.scopes),
        key_hash,
        publishable,
        key.created_at,
        key.expires_at,
    )


async def find_key_by_hash(tx: Tx, key_hash: bytes) -> KeyOwner | None:
    """The key with this hash, of whichever merchant; for authentication, in a system transaction."""
    row = await tx.fetchrow(
        """
        SELECT k.merchant_id, m.mode, k.id, k.name, k.kind, k.prefix, k.scopes, k.created_at,
               k.expires_at, k.revoked_at, k.last_used_at, k.replaced_by_id
        FROM api_key k JOIN merchant m ON m.merchant_id = k.merchant_id
        WHERE k.key_hash = $1
        """,
        key_hash,
    )
    if row is None:
        return None
    return KeyOwner(merchant_id=row["merchant_id"], mode=Mode(row["mode"]), key=_key_from_row(row))


async def lock_api_key(tx: Tx, key_id: ApiKeyId) -> ApiKey | None:
    """The key with this id, locked until commit."""
    row = await tx.fetchrow(
        f"SELECT {_KEY_COLUMNS} FROM api_key WHERE merchant_id = $1 AND id = $2 FOR UPDATE",
        tx.merchant_id,
        key_id,
    )
    return _key_from_row(row) if row else None


async def find_publishable_key(tx: Tx, key_id: ApiKeyId) -> str | None:
    """The publishable key's whole text; None for secret and unknown keys."""
    found: str | None = await tx.fetchval(
        "SELECT publishable_key FROM api_key WHERE merchant_id = $1 AND id = $2",
        tx.merchant_id,
        key_id,
    )
    return found


async def list_api_keys(tx: Tx, *, limit: int, after: tuple[datetime, str] | None) -> list[ApiKey]:
    """One page of keys by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_KEY_COLUMNS} FROM api_key
        WHERE merchant_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
        ORDER BY created_at, id LIMIT $4
        """,
        tx.merchant_id,
        after_at,
        after_id,
        limit,
    )
    return [_key_from_row(row) for row in rows]


async def end_api_key(
    tx: Tx,
    key_id: ApiKeyId,
    *,
    expires_at: datetime | None,
    revoked_at: datetime | None,
    replaced_by_id: ApiKeyId | None,
) -> None:
    """Writes how and when a key ends."""
    await tx.execute(
        """
        UPDATE api_key SET expires_at = $3, revoked_at = $4, replaced_by_id = $5
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        key_id,
        expires_at,
        revoked_at,
        replaced_by_id,
    )


async def note_keys_used(tx: Tx, used: Mapping[ApiKeyId, datetime]) -> None:
    """Writes when keys were last used, many at once, in a system transaction."""
    # tenant-scope: the keys of every merchant that called this process; ids are unique beyond one
    await tx.execute(
        """
        UPDATE api_key k SET last_used_at = u.at
        FROM unnest($1::text[], $2::timestamptz[]) AS u (id, at)
        WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.at)
        """,
        list(used),
        list(used.values()),
    )


async def insert_test_clock(tx: Tx, clock: TestClock) -> None:
    """Stores a new test clock."""
    await tx.execute(
        """
        INSERT INTO test_clock (merchant_id, id, name, now_at, status, failure, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        tx.merchant_id,
        clock.id,
        clock.name,
        clock.now_at,
        clock.status,
        clock.failure,
        clock.created_at,
    )


async def find_test_clock(tx: Tx, clock_id: TestClockId, *, lock: bool = False) -> TestClock | None:
    """The test clock with this id; locked until commit when asked."""
    row = await tx.fetchrow(
        f"""
        SELECT {_CLOCK_COLUMNS} FROM test_clock WHERE merchant_id = $1 AND id = $2
        {"FOR UPDATE" if lock else ""}
        """,
        tx.merchant_id,
        clock_id,
    )
    return _clock_from_row(row) if row else None


async def list_test_clocks_by_id(tx: Tx, ids: Sequence[TestClockId]) -> list[TestClock]:
    """The test clocks with these ids, in no particular order."""
    rows = await tx.fetch(
        f"SELECT {_CLOCK_COLUMNS} FROM test_clock WHERE merchant_id = $1 AND id = ANY($2::text[])",
        tx.merchant_id,
        list(ids),
    )
    return [_clock_from_row(row) for row in rows]


async def list_test_clocks(
    tx: Tx, *, limit: int, after: tuple[datetime, str] | None
) -> list[TestClock]:
    """One page of the clocks in use by (created_at, id)."""
    after_at, after_id = after or (None, "")
    rows = await tx.fetch(
        f"""
        SELECT {_CLOCK_COLUMNS} FROM test_clock
        WHERE merchant_id = $1 AND archived_at IS NULL
          AND ($2::timestamptz IS NULL OR (created_at, id) > ($2, $3))
        ORDER BY created_at, id LIMIT $4
        """,
        tx.merchant_id,
        after_at,
        after_id,
        limit,
    )
    return [_clock_from_row(row) for row in rows]


async def update_test_clock(tx: Tx, clock: TestClock) -> None:
    """Writes where a clock is and where it goes."""
    await tx.execute(
        """
        UPDATE test_clock
        SET now_at = $3, target_at = $4, status = $5, failure = $6, archived_at = $7
        WHERE merchant_id = $1 AND id = $2
        """,
        tx.merchant_id,
        clock.id,
        clock.now_at,
        clock.target_at,
        clock.status,
        clock.failure,
        clock.archived_at,
    )


async def list_audit_rows(
    tx: Tx,
    *,
    limit: int,
    before: tuple[datetime, str] | None,
    subject_id: str | None,
    action: str | None,
    key_id: str | None,
    request_id: str | None,
    during: Interval | None,
) -> Sequence[Mapping[str, Any]]:
    """One page of the audit trail by (at, id), newest first."""
    before_at, before_id = before or (None, "")
    return await fetch_planned(
        tx,
        """
        SELECT id, at, actor, key_id, action, subject_id, reason, before, after, request_id, method
        FROM audit_entry
        WHERE merchant_id = $1
          AND ($2::timestamptz IS NULL OR (at, id) < ($2, $3))
          AND ($4::text IS NULL OR subject_id = $4)
          AND ($5::text IS NULL OR action = $5)
          AND ($6::text IS NULL OR key_id = $6)
          AND ($7::text IS NULL OR request_id = $7)
          AND ($8::timestamptz IS NULL OR at >= $8)
          AND ($9::timestamptz IS NULL OR at < $9)
        ORDER BY at DESC, id DESC
        LIMIT $10
        """,
        tx.merchant_id,
        before_at,
        before_id,
        subject_id,
        action,
        key_id,
        request_id,
        during.start_at if during else None,
        during.end_at if during else None,
        limit,
    )


def _merchant_from_row(row: Mapping[str, Any]) -> Merchant:
    return Merchant(
        id=row["merchant_id"],
        name=row["name"],
        mode=Mode(row["mode"]),
        time_zone=row["time_zone"],
        default_currency=row["default_currency"],
        settings=settings_from_json(row["settings"]),
        created_at=row["created_at"],
        version=row["version"],
        test_clock_id=row["test_clock_id"],
    )


def _key_from_row(row: Mapping[str, Any]) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        kind=ApiKeyKind(row["kind"]),
        prefix=row["prefix"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
        replaced_by_id=row["replaced_by_id"],
    )


def _clock_from_row(row: Mapping[str, Any]) -> TestClock:
    return TestClock(
        id=row["id"],
        name=row["name"],
        now_at=row["now_at"],
        target_at=row["target_at"],
        status=TestClockStatus(row["status"]),
        failure=row["failure"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
    )
