"""Statements that are planned for the very values they are asked with.

A list's filters may each be absent. PostgreSQL plans a statement that was asked a few times for all values at once, and
such a plan can use no index for a filter that may be absent, nor for where a page begins: it reads all rows there are.
"""

from __future__ import annotations

from .transaction import Row, Tx


async def fetch_planned(tx: Tx, sql: str, *arguments: object) -> list[Row]:
    """The rows of a statement with optional filters; what follows it in the transaction is planned so, too."""
    await tx.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    return await tx.fetch(sql, *arguments)
