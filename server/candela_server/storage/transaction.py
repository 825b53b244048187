"""One database transaction of one merchant: what acts and stores are given as `tx`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from candela_server.kernel.caller import Caller, current_caller
from candela_server.kernel.clock import Clock
from candela_server.kernel.ids import new_id
from candela_server.kernel.money import format_decimal

ENTITLEMENTS_CHANNEL = "candela_entitlements"
GROWTH_MARK = "+"
"""Stands in a customer's place: the merchant's catalog has something new."""
SWITCH_ON_MARK, SWITCH_OFF_MARK = ">", "<"
"""Stands in a customer's place, before a feature's slug: it was switched for all of the merchant's."""
DEFAULT_MARK = "~"
"""Stands in a customer's place, before a feature's slug and its new default: nothing else has changed."""
OUTBOX_CHANNEL = "candela_outbox"
TOKEN_MARK = "="
"""What a message begins with that is no change but the token after a transaction's changes (see changes.py)."""
COUNTERS_MARK = "!"
"""The message that says: live counters lack events that are about to be acknowledged (see changes.py)."""

Row: TypeAlias = Mapping[str, Any]
"""A row by column name; asyncpg's records are nearly that, and rooms need no more of them."""


class AuditEntry(NamedTuple):
    """One line of the audit log: who changed what, before and after (AUD-1)."""

    caller: Caller | None
    action: str
    subject_id: str
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    reason: str | None = None


class Tx:
    """An open transaction. Everything done through it is committed together or not at all.

    `merchant_id` is whose rows it can see; it is empty in a system transaction, which sees those tables only that were
    opened to jobs over all merchants. A `rehearsal` is rolled back whatever happens, so that nothing may be taken in it
    that others wait for.
    """

    __slots__ = (
        "_clock",
        "_connection",
        "audited",
        "caller",
        "changed_entitlements",
        "merchant_id",
        "rehearsal",
    )

    def __init__(
        self, connection: Any, clock: Clock, merchant_id: str, *, rehearsal: bool = False
    ) -> None:
        """Made by Postgres only."""
        self._connection = connection
        self._clock = clock
        self.merchant_id = merchant_id
        self.rehearsal = rehearsal
        self.caller: Caller | None = current_caller.get(None)
        self.audited = False
        self.changed_entitlements = False

    async def fetch(self, sql: str, *arguments: object) -> list[Row]:
        """All rows."""
        rows: list[Row] = await self._connection.fetch(sql, *arguments)
        return rows

    async def fetchrow(self, sql: str, *arguments: object) -> Row | None:
        """The first row, or None."""
        row: Row | None = await self._connection.fetchrow(sql, *arguments)
        return row

    async def fetchval(self, sql: str, *arguments: object) -> Any:
        """The first column of the first row, or None."""
        return await self._connection.fetchval(sql, *arguments)

    async def execute(self, sql: str, *arguments: object) -> int:
        """Runs a statement and returns how many rows it touched."""
        status: str = await self._connection.execute(sql, *arguments)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def executemany(self, sql: str, arguments: Iterable[Sequence[object]]) -> None:
        """Runs a statement for each tuple of arguments, in one round trip."""
        await self._connection.executemany(sql, arguments)

    async def copy(
        self, table: str, records: Iterable[Sequence[object]], columns: Sequence[str]
    ) -> None:
        """Inserts many rows without walls to pass: PostgreSQL refuses COPY into a table with row security."""
        await self._connection.copy_records_to_table(table, records=records, columns=list(columns))

    async def audit(
        self,
        action: str,
        subject_id: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        reason: str | None = None,
    ) -> None:
        """Leaves the trace of a change: who, what, before and after, request id (AUD-1)."""
        await self.audit_many(action, [(subject_id, before, after)], reason=reason)

    async def audit_many(
        self,
        action: str,
        changes: Iterable[tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]],
        reason: str | None = None,
    ) -> None:
        """Leaves the traces of many changes of one kind, (subject, before, after) each, in one round trip."""
        await self.audit_entries(
            AuditEntry(self.caller, action, subject_id, before, after, reason)
            for subject_id, before, after in changes
        )

    async def audit_entries(self, entries: Iterable[AuditEntry]) -> None:
        """Leaves the traces of many changes, each with its own caller, in one round trip."""
        self.audited = True
        at = self._clock.now()
        await self._connection.executemany(
            """
            INSERT INTO audit_entry (merchant_id, id, at, actor, key_id, action, subject_id,
                                     reason, before, after, request_id, method)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            [
                (
                    self.merchant_id,
                    new_id("aud"),
                    at,
                    one.caller.actor if one.caller else "system",
                    one.caller.key_id if one.caller else None,
                    one.action,
                    one.subject_id,
                    one.reason,
                    one.before,
                    one.after,
                    one.caller.request_id if one.caller else None,
                    one.caller.method if one.caller else None,
                )
                for one in entries
            ],
        )

    async def announce(self, topic: str, key: str, payload: Mapping[str, Any]) -> None:
        """Writes what must happen after commit; the worker does it at least once, in order per key."""
        now = self._clock.now()
        await self._connection.execute(
            """
            INSERT INTO outbox (merchant_id, topic, key, payload, created_at, not_before)
            VALUES ($1, $2, $3, $4, $5, $5)
            """,
            self.merchant_id,
            topic,
            key,
            payload,
            now,
        )
        await self._connection.execute("SELECT pg_notify($1, '')", OUTBOX_CHANNEL)

    async def entitlements_changed(self, customer_id: str | None) -> None:
        """Makes every server process forget what this customer may do; None means all of the merchant's.

        Sent by PostgreSQL itself at commit, and only if the transaction commits. The row says the same to whoever
        did not listen then (ENT-8).
        """
        await self.entitlements_changed_of([customer_id])

    async def catalog_grew(self) -> None:
        """Makes every server process learn what is new in the catalog, and forget nothing: nobody holds it yet."""
        await self._tell_changes([""], whom_all=GROWTH_MARK)

    async def feature_switched(self, slug: str, *, on: bool) -> None:
        """As entitlements_changed of everybody, by nothing but the switch of one feature: servers need not forget the
        rest."""
        mark = SWITCH_ON_MARK if on else SWITCH_OFF_MARK
        await self._tell_changes([""], whom_all=mark + slug)

    async def feature_default_changed(self, slug: str, default: str) -> None:
        """As entitlements_changed of everybody, by nothing but the default of one feature, as the catalog writes it."""
        await self._tell_changes([""], whom_all=f"{DEFAULT_MARK}{slug} {default}")

    async def entitlements_changed_of(self, customer_ids: Iterable[str | None]) -> None:
        """As entitlements_changed, for many customers in one round trip."""
        named = sorted({one or "" for one in customer_ids})
        if named:
            await self._tell_changes(named, whom_all="*")

    async def _tell_changes(self, named: Sequence[str], *, whom_all: str) -> None:
        await self._connection.execute(
            """
            WITH noted AS (
                INSERT INTO entitlement_change (merchant_id, customer_id, changed_xid, changed_at)
                SELECT $1, changed.id, pg_current_xact_id()::text::bigint, $3
                FROM unnest($2::text[]) AS changed (id)
                ON CONFLICT DO NOTHING
            )
            SELECT count(pg_notify($4, $1 || ':' || COALESCE(NULLIF(changed.id, ''), $5)))
            FROM unnest($2::text[]) AS changed (id)
            """,
            self.merchant_id,
            named,
            self._clock.now(),
            ENTITLEMENTS_CHANNEL,
            whom_all,
        )
        self.changed_entitlements = True

    async def send_token(self, token: str) -> None:
        """Sends a token behind all changes of this transaction, for whoever waits until they are heard."""
        await self._connection.execute(
            "SELECT pg_notify($1, $2)", ENTITLEMENTS_CHANNEL, TOKEN_MARK + token
        )

    async def counters_lack_events(self) -> None:
        """Makes every server process stop reading the live counters until it has made them worthless."""
        await self._connection.execute(
            "SELECT pg_notify($1, $2)", ENTITLEMENTS_CHANNEL, COUNTERS_MARK
        )


def to_json(value: object) -> str:
    """A value as its jsonb column holds it: decimals and instants are texts, never floats."""
    return json.dumps(value, default=_json_default, separators=(",", ":"))


def _json_default(value: object) -> object:
    match value:
        case Decimal():
            return format_decimal(value)
        case datetime():
            return value.isoformat()
        case Mapping():
            return dict(value)
        case frozenset() | set():
            return sorted(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no JSON form")
