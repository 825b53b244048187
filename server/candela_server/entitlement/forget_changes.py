"""Forgets changes of entitlements that no resume token is old enough to ask for (ENT-8)."""

from __future__ import annotations

from datetime import datetime

from candela_server.storage.postgres import Postgres

from . import watch_store
from .rules.resume_token import MAX_AGE


async def forget_changes(db: Postgres, now: datetime) -> int:
    """Takes old changes away and returns how many.

    Kept for twice a token's age: clocks of several machines differ, and a transaction may have been open for long.
    """
    async with db.system() as tx:
        return await watch_store.forget_changes_before(tx, now - 2 * MAX_AGE)
